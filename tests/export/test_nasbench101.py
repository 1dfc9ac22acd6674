# pyright: reportOptionalMemberAccess=false
import importlib.util
import subprocess
import sys

import pytest

from nag_jax import spaces
from nag_jax.export import export_network
from nag_jax.export.source import write_source
from nag_jax.spaces.nasbench101.blueprint import cell_blueprint

CELLS = {
    "all operations": "conv3x3-bn-relu~0|maxpool3x3~0~1|conv1x1-bn-relu~1~2|output~0~2~3",
    "unequal channels": "conv1x1-bn-relu~0|conv3x3-bn-relu~1|maxpool3x3~1|conv1x1-bn-relu~0|output~2~3~4",
    "one vertex": "maxpool3x3~0|output~1",
    "no vertex": "output~0",
}
SMALL = {"channels": 4, "modules": 1, "image_size": 8}


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench101")


def small(space, native):
    return cell_blueprint(*space.to_matrices(space.from_native([native]))[0], **SMALL)


@pytest.mark.parametrize("native", CELLS.values(), ids=CELLS)
def test_a_cell_is_ours_in_every_form(space, native, tmp_path):
    blueprint = small(space, native)
    found = export_network(blueprint, tmp_path, about="a cell")
    for file, package in (("network_flax.py", "flax"), ("network_torch.py", "torch"), ("network.onnx", "onnx")):
        assert (found[file].check is not None) == (importlib.util.find_spec(package) is not None)
        if found[file].check is not None:
            assert found[file].check.params == blueprint.num_params()
            assert found[file].check.difference < 1e-5


def test_modules_are_formatted(space, tmp_path):
    for i, native in enumerate(CELLS.values()):
        for framework in ("flax", "torch"):
            write_source(tmp_path / f"cell_{i}_{framework}.py", small(space, native), framework, about="a cell")
    ruff = [sys.executable, "-m", "ruff", "format", "--diff", "--line-length=120", str(tmp_path)]
    done = subprocess.run(ruff, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_whole_network_has_the_published_parameters(space):
    inception = "conv1x1-bn-relu~0|conv3x3-bn-relu~0|conv3x3-bn-relu~0|conv3x3-bn-relu~3|maxpool3x3~0|output~1~2~4~5"
    assert space.blueprint(space.from_native([inception])[0]).num_params() == 2_694_282
