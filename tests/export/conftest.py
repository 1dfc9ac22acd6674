"""What exports of every space are held to."""

import importlib.util
import subprocess
import sys

import pytest

from nag_jax.export import export_network
from nag_jax.export.source import write_source


@pytest.fixture
def assert_ours_in_every_form(tmp_path):
    """(blueprint) -> nothing, where its exports are checked as far as their packages are installed, and equal ours."""

    def check(blueprint):
        found = export_network(blueprint, tmp_path, about="a network")
        for file, package in (("network_flax.py", "flax"), ("network_torch.py", "torch"), ("network.onnx", "onnx")):
            checked = found[file].check
            assert (checked is not None) == (importlib.util.find_spec(package) is not None)
            if checked is not None:
                assert checked.params == blueprint.num_params()
                assert checked.difference < 1e-5

    return check


@pytest.fixture
def assert_formatted(tmp_path):
    """(blueprints) -> nothing, where their modules in both frameworks are as ruff formats them."""

    def check(blueprints):
        for i, blueprint in enumerate(blueprints):
            for framework in ("flax", "torch"):
                write_source(tmp_path / f"network_{i}_{framework}.py", blueprint, framework, about="a network")
        ruff = [sys.executable, "-m", "ruff", "format", "--diff", "--line-length=120", str(tmp_path)]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout

    return check
