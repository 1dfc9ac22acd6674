"""The notebooks: they hold no outputs, say devices and versions first, and run from top to bottom."""

import ast
import runpy
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "experiments" / "colab"
MINUTES = 5
SMALL = {
    "get_config()": "get_config('smoke')",
    "nag.fit(space": "nag.fit(space, num_steps=40, batch_size=64, network=dict(width=16, num_blocks=1, mlp_width=32)",
    "range(3)": "range(2)",
    "(20, 200)": "(20,)",
    '"bo_nag", 12, 100': '"bo_nag", 6, 20',
    "halving.seeds = 100, 1": "halving.seeds = 20, 1",
}
"""What takes minutes, and what takes its place in tests."""


@pytest.fixture(params=["generate", "search", "train", "transfer"])
def notebook(request):
    return nbformat.read(FOLDER / f"{request.param}.ipynb", as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_they_are_all_tested():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == {"generate", "search", "train", "transfer"}


def test_what_is_made_small_is_there():
    sources = "".join(path.read_text() for path in FOLDER.glob("*.ipynb"))
    for full in SMALL:
        assert full in sources.replace('\\"', '"')


def test_it_is_sound_and_holds_no_outputs(notebook):
    nbformat.validate(notebook)
    for cell in code(notebook):
        assert not cell.outputs
        assert cell.execution_count is None


def test_its_code_parses_and_installs_nothing_itself(notebook):
    for cell in code(notebook):
        ast.parse(cell.source)
        assert "pip" not in cell.source


def test_what_it_takes_from_here_is_there(notebook):
    """Whatever it imports of ours, and asks the imported modules for."""
    own, names = ("nag_jax", "experiments", "configs"), {}
    trees = [ast.parse(cell.source) for cell in code(notebook)]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    for node in nodes:
        module = getattr(node, "module", None) or (node.names[0].name if isinstance(node, ast.Import) else "")
        if isinstance(node, ast.ImportFrom | ast.Import) and module.split(".")[0] in own:
            exec(compile(ast.Module([node], []), "cell", "exec"), names)
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            assert hasattr(names[node.value.id], node.attr), f"{node.value.id}.{node.attr}"


def test_what_they_install_is_what_the_requirements_name():
    read = runpy.run_path(str(FOLDER / "install.py"))["read_requirements"]
    assert {"jax", "optax", "moocore"} <= {need.name for need in read()}


def test_it_prints_devices_and_versions_first(notebook):
    setup, first, *_ = (cell.source for cell in code(notebook))
    assert "install.py" in setup
    assert "jax.devices()" in first
    assert "versions()" in first


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(notebook, monkeypatch):
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    for cell in code(notebook):
        for full, small in SMALL.items():
            cell.source = cell.source.replace(full, small)
    NotebookClient(notebook, timeout=60 * MINUTES, resources={"metadata": {"path": str(FOLDER)}}).execute()
    printed = str(code(notebook)[1].outputs)
    assert "CpuDevice" in printed or "Device" in printed
    shown = [output for cell in code(notebook) for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(shown) >= 1
    text = "".join(output.get("text", "") for cell in code(notebook) for output in cell.outputs)
    assert "labels paid" in text
