"""What stands in the Markdown files: links lead somewhere, commands can be run, and words are spelt right."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

import pytest

from experiments import reference

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("experiments/**/*.md")])
FIELDS = reference.fields()
MAIN_FLAGS = {
    "config",
    "workdir",
    "dry_run",
    "tracker",
    "distributed",
    "coordinator",
    "num_processes",
    "process_id",
    "help",
}


def text_of(path):
    """The page without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def links(path):
    plain = re.sub(r"`[^`]*`", "", text_of(path))
    return re.findall(r"\]\(([^)\s]+)\)", plain)


def anchors(path):
    """What GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text_of(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(path):
    """Every call of a module of ours: its name, then its flags."""
    joined = re.sub(r"\\\n\s*", "", path.read_text())
    found = re.findall(r"python -m\s+(experiments[.\w]*)((?: +[^`\n;]*)?)", joined)
    return [
        [module, *re.findall(r"(?<=\s)--\w[\w.]*(?:=[^\s\"']*)?", rest.partition(" && ")[0])] for module, rest in found
    ]


CALLS = [(path, call) for path in PAGES for call in commands(path)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for link in links(path):
        if "://" in link:
            parsed = urlparse(link)
            assert parsed.scheme == "https", link
            assert re.fullmatch(r"([\w-]+\.)+\w+", parsed.netloc), link
            continue
        file, _, anchor = link.partition("#")
        target = path if not file else (path.parent / file).resolve()
        assert target.exists(), f"{path.name} links to {link}, which isn't there"
        if anchor:
            assert anchor in anchors(target), f"{path.name} links to {link}: no heading of {target.name}"


@pytest.mark.parametrize(
    ("path", "call"), CALLS, ids=[f"{path.name}-{i}-{call[0]}" for i, (path, call) in enumerate(CALLS)]
)
def test_commands_can_be_run(path, call):
    module, *arguments = call
    found = importlib.util.find_spec(module)
    assert found is not None, f"{path.name}: there is no module {module}"
    flags = [argument[2:].partition("=")[0] for argument in arguments]
    if module == "experiments.main":
        for flag in flags:
            field = flag.removeprefix("config.")
            assert flag in MAIN_FLAGS or field in FIELDS, f"{path.name}: {module} has no flag --{flag}"
        for config in (argument.partition("=")[2] for argument in arguments if argument.startswith("--config=")):
            file = config.partition(":")[0]
            shown = f"\n# {file}\n" in path.read_text()  # the reader is told to make it
            assert shown or (ROOT / file).is_file(), f"{path.name}: there is no {config}"
    else:
        assert found.origin is not None
        source = "".join(part.read_text() for part in Path(found.origin).parent.glob("*.py"))
        for flag in flags:
            defined = re.search(rf'"--{flag}"|flags\.DEFINE_\w+\(\s*"{flag}"', source)
            known = flag in MAIN_FLAGS or flag.removeprefix("config.") in FIELDS or defined
            assert known, f"{path.name}: {module} has no flag --{flag}"


def test_every_page_is_in_the_index():
    for folder in (ROOT / "docs", ROOT / "docs" / "decisions", ROOT / "docs" / "notebook"):
        index = set(links(folder / "README.md"))
        assert {path.name for path in folder.glob("*.md")} - index == {"README.md"}
    assert {"decisions/README.md", "notebook/README.md"} <= set(links(ROOT / "docs" / "README.md"))


def test_decisions_name_tests_that_are_there():
    for path in (ROOT / "docs" / "decisions").glob("*.md"):
        for named in re.findall(r"`(tests/[\w/.]+)`", path.read_text()):
            assert (ROOT / named).exists(), f"{path.name}: there is no {named}"


def test_the_reference_is_what_the_configs_say():
    written = reference.PAGE.read_text()
    assert written == reference.page(), "run `python -m experiments.reference`"
    for field in FIELDS:
        assert f"| `{field}` | " in written


def test_words_are_spelt_right():
    command = [sys.executable, "-m", "codespell_lib", "--toml", "pyproject.toml"]
    job = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (job.returncode, job.stdout) == (0, ""), job.stdout + job.stderr


def test_prose_wraps_at_120_columns():
    """Tables, figures and code may be wider."""
    long = {}
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "experiments" / "results" / "README.md"]:
        prose = re.sub(r"^( *)```.*?^\1```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        if found := [line for line in prose.splitlines() if len(line) > 120 and line[0] not in " |!"]:
            long[path.name] = found
    assert long == {}
