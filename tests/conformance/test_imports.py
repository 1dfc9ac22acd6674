import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EVERY_ROOM = {"errors", "options", "packaged", "torch_file", "weights_file"}
MAY_IMPORT = {
    "errors": set(),
    "options": set(),
    "packaged": set(),
    "torch_file": set(),
    "weights_file": set(),
    "spaces": set(),
    "diffusion": set(),
    "parallel": set(),
    "models": set(),
    "guidance": {"diffusion"},
    "evaluators": {"spaces"},
    "datasets": {"spaces", "models"},
    "analysis": {"spaces"},
    "training": {"diffusion", "models", "parallel"},
    "search": {
        "spaces",
        "diffusion",
        "parallel",
        "models",
        "guidance",
        "evaluators",
        "datasets",
        "analysis",
        "training",
    },
}
ONLY_IN = {
    "flax.linen": ["nag_jax/models/"],
    "orbax": ["nag_jax/training/checkpoint.py"],
    "sqlite3": ["nag_jax/evaluators/ledger.py"],
    "matplotlib": [f"nag_jax/analysis/{file}.py" for file in ("figures", "graph_figures", "search_figures", "style")],
    "jraph": ["nag_jax/spaces/base.py", "nag_jax/models/predictor.py"],
    "jax.sharding": ["nag_jax/parallel.py"],
    "ml_collections": ["experiments/", "configs/"],
    "absl": ["experiments/"],
    "tensorflow": [],
    "tensorflow_datasets": ["nag_jax/datasets/tfds.py"],
    "grain": ["nag_jax/datasets/images.py"],
    "PIL": ["nag_jax/datasets/images.py"],
    "jinja2": ["experiments/report/"],
    "safetensors": ["nag_jax/weights_file.py"],
}
WHOLE_TABLES = {"nag_jax.evaluators.reporting", "nag_jax.evaluators.lookup"}


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", sources("nag_jax"), ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_import_only_what_they_may(path):
    room = path.relative_to(ROOT / "nag_jax").parts[0].removesuffix(".py")
    if room == "__init__":
        pytest.skip("the front door may import every room")
    used = {name.split(".")[1] for name in imports_of(path) if name.startswith("nag_jax.")}
    assert used <= MAY_IMPORT[room] | EVERY_ROOM | {room}


@pytest.mark.parametrize("library", ONLY_IN)
def test_libraries_stay_in_their_rooms(library):
    users = {
        str(path.relative_to(ROOT))
        for folder in ("nag_jax", "experiments", "configs")
        for path in sources(folder)
        if any(name == library or name.startswith(f"{library}.") for name in imports_of(path))
    }
    strangers = {user for user in users if not user.startswith(tuple(ONLY_IN[library]) or ("nowhere",))}
    assert not strangers


def test_whole_tables_are_for_reports_only():
    users = {str(path.relative_to(ROOT)) for path in sources("nag_jax") if WHOLE_TABLES & imports_of(path)}
    assert users
    assert all(user.startswith("nag_jax/evaluators/") for user in users)


def test_the_library_reads_no_flags_or_configs():
    for path in sources("nag_jax"):
        assert not {"experiments", "configs"} & {name.split(".")[0] for name in imports_of(path)}, path


def test_import_loads_nothing_heavy():
    code = "import sys, nag_jax; print([m for m in ('tensorflow', 'matplotlib', 'orbax') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
