import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

from nag_jax import spaces

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    {"system"},
    {"objectives"},
    {"spaces", "trackers"},
    {"networks"},
    {"fitting"},
    {"generators"},
    {"guidance"},
    {"datasets"},
    {"training"},
    {"predictors", "evaluators"},
    {"trials"},
    {"strategies"},
    {"settings"},
    {"tasks"},
    {"reports", "export"},
    {"studies"},
    {"api"},
)
"""From the ground up: a room imports what stands below it, and nothing beside or above."""
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}
ONLY_IN = {
    "flax.linen": [
        "nag_jax/networks/",
        "nag_jax/predictors/ensemble.py",
        *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "nag_jax" / "spaces").glob("*/network.py")),
    ],
    "orbax": ["nag_jax/fitting/checkpoint.py"],
    "sqlite3": ["nag_jax/trials/"],
    "matplotlib": [
        *(f"nag_jax/reports/{file}.py" for file in ("architectures", "figures", "front_figures", "search_figures")),
        "nag_jax/spaces/",
        "nag_jax/system/style.py",
    ],
    "jraph": [
        *(f"nag_jax/spaces/{file}.py" for file in ("capabilities", "graphs", "nodes")),
        "nag_jax/networks/directional_gcn.py",
    ],
    "jax.sharding": ["nag_jax/system/parallel.py"],
    "ml_collections": ["experiments/", "configs/", "nag_jax/settings/config.py"],
    "absl": ["experiments/"],
    "tensorflow": [],
    "tensorflow_datasets": ["nag_jax/datasets/tfds.py"],
    "grain": ["nag_jax/datasets/images.py"],
    "PIL": ["nag_jax/datasets/images.py"],
    "jinja2": ["nag_jax/reports/page/", "nag_jax/export/source.py"],
    "onnx": ["nag_jax/export/onnx_graph.py", "nag_jax/export/checks.py"],
    "torch": [],
    "safetensors": ["nag_jax/system/weights_file.py"],
}
WHOLE_TABLES = {"nag_jax.evaluators.reporting", "nag_jax.evaluators.lookup"}


@functools.cache
def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                assert (node.level, path.parent) == (1, ROOT / "experiments"), f"{path}: relative import"
                module = f"experiments.{module}".removesuffix(".")
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return names


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", sources("nag_jax"), ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_import_only_what_they_may(path):
    room = path.relative_to(ROOT / "nag_jax").parts[0].removesuffix(".py")
    if room == "__init__":
        pytest.skip("the front door may import every room")
    used = {name.split(".")[1] for name in imports_of(path) if name.startswith("nag_jax.")} - {room}
    assert [other for other in sorted(used) if FLOOR[other] >= FLOOR[room]] == []


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
    """And for tasks that read the tables of other data sets, or end a search at an optimum that is known."""
    users = {str(path.relative_to(ROOT)) for path in sources("nag_jax") if WHOLE_TABLES & imports_of(path)}
    assert users
    allowed = ("nag_jax/evaluators/", "nag_jax/reports/", "nag_jax/tasks/search.py", "nag_jax/tasks/transfer.py")
    assert all(user.startswith(allowed) for user in users), users


def test_the_library_reads_no_flags_or_configs():
    for path in sources("nag_jax"):
        assert not {"experiments", "configs"} & {name.split(".")[0] for name in imports_of(path)}, path


def test_the_command_line_can_be_moved_into_the_library():
    """A wheel has it as `nag_jax.experiments`, beside `nag_jax.configs`, which are loaded by their paths."""
    paths = [*(ROOT / "experiments").glob("*.py"), *(ROOT / "configs").glob("*.py")]
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not {"experiments", "configs"} & {name.split(".")[0] for name in named}, path


def test_no_room_asks_for_a_certain_space():
    """What a space can do is asked by capability, so that one from elsewhere can do it too."""
    named = {name for name, value in vars(spaces).items() if isinstance(value, type)} - {"Space"}
    askers = []
    for path in [path for folder in ("nag_jax", "experiments") for path in sources(folder)]:
        if not path.is_relative_to(ROOT / "nag_jax" / "spaces"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass", "type"):
                    words = {word.id for word in ast.walk(node) if isinstance(word, ast.Name)}
                    words |= {word.attr for word in ast.walk(node) if isinstance(word, ast.Attribute)}
                    askers += [f"{path.relative_to(ROOT)}:{node.lineno}" for _ in words & named]
    assert askers == []


def test_import_loads_nothing_heavy():
    code = "import sys, nag_jax; print([m for m in ('tensorflow', 'matplotlib', 'orbax') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
