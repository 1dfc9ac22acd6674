# pyright: reportOptionalMemberAccess=false
import importlib.util
import subprocess
import sys

import pytest

from nag_jax import spaces
from nag_jax.export import export_network
from nag_jax.export.source import write_source
from nag_jax.spaces.nats_size.blueprint import size_blueprint

NATIVES = ("8:8:8:8:8", "16:8:24:24:8")


@pytest.fixture(scope="module")
def blueprints():
    space = spaces.NATSSize()
    return [size_blueprint(tuple(row), image_size=8) for row in space.widths(space.from_native(list(NATIVES))).tolist()]


@pytest.mark.parametrize("i", range(len(NATIVES)), ids=NATIVES)
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
