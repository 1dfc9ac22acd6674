# pyright: reportOptionalMemberAccess=false
import importlib.util
import subprocess
import sys

import pytest

from nag_jax import spaces
from nag_jax.export import export_network
from nag_jax.export.source import write_source

NATIVES = ("width 8|layer x1|1 x 4|ratio 2.5", "width 12|layer x2|1 x 6|ratio 1|2 x 4|ratio 2.5")
SMALL = {"widths": (8, 12), "depths": (1, 2), "heads": (1, 2), "head_widths": (4, 6), "ratios": (1.0, 2.5)}


@pytest.fixture(scope="module")
def blueprints():
    square = spaces.VisionTransformer(**SMALL, patch=2, image_size=4, num_classes=3)
    series = spaces.VisionTransformer(**SMALL, patch=5, image_size=10, image_width=1, num_classes=3)
    return [
        space.blueprint(space.from_native([native])[0]) for space, native in zip((square, series), NATIVES, strict=True)
    ]


@pytest.mark.parametrize("i", range(len(NATIVES)), ids=("images", "series"))
def test_a_network_is_ours_in_every_form(blueprints, i, tmp_path):
    found = export_network(blueprints[i], tmp_path, about="a network")
    for file, package in (("network_flax.py", "flax"), ("network_torch.py", "torch"), ("network.onnx", "onnx")):
        assert (found[file].check is not None) == (importlib.util.find_spec(package) is not None)
        if found[file].check is not None:
            assert found[file].check.params == blueprints[i].num_params()
            assert found[file].check.difference < 1e-5


def test_modules_are_formatted(blueprints, tmp_path):
    for i, blueprint in enumerate(blueprints):
        for framework in ("flax", "torch"):
            write_source(tmp_path / f"network_{i}_{framework}.py", blueprint, framework, about="a network")
    ruff = [sys.executable, "-m", "ruff", "format", "--diff", "--line-length=120", str(tmp_path)]
    done = subprocess.run(ruff, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
