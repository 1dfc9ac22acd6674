# pyright: reportOptionalMemberAccess=false
import importlib.util
import subprocess
import sys

import jax
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.export import export_network
from nag_jax.export.checks import check_flax, make_reference
from nag_jax.export.source import write_source
from nag_jax.export.variables import random_variables
from nag_jax.spaces.nasbench201.blueprint import cell_blueprint, cell_nodes

CELLS = {
    "all operations": "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|",
    "convolutions that lead nowhere": "|nor_conv_1x1~0|+|avg_pool_3x3~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|",
    "a node that nothing enters": "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|nor_conv_3x3~1|skip_connect~2|",
    "no path": "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
}
SMALL = {"channels": 4, "cells": 1, "image_size": 8}
ABOUT = 'From the run """a\\b""".'


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench201")


@pytest.fixture(scope="module")
def mobile():
    return spaces.make("mobilenet_v3", resolution=128)


def small(space, native):
    return cell_blueprint(tuple(space.cell_edges(space.from_native([native])[0])), **SMALL)


@pytest.mark.parametrize("native", CELLS.values(), ids=CELLS)
def test_a_cell_is_ours_in_every_form(space, native, tmp_path):
    blueprint = small(space, native)
    found = export_network(blueprint, tmp_path, about=ABOUT)
    assert list(found) == ["network_flax.py", "network_torch.py", "network.onnx"]
    for file, package in (("network_flax.py", "flax"), ("network_torch.py", "torch"), ("network.onnx", "onnx")):
        if importlib.util.find_spec(package):
            assert found[file].check is not None
            assert found[file].check.params == blueprint.num_params()
            assert found[file].check.difference < 1e-5
        else:
            assert found[file].check is None
            assert f"{package} is not installed: pip install" in found[file].missing


@pytest.mark.slow
def test_whole_cells_are_ours(space, tmp_path):
    pytest.importorskip("onnx")
    for native in CELLS.values():
        found = export_network(space.blueprint(space.from_native([native])[0]), tmp_path, about=ABOUT)
        assert found["network_flax.py"].check.difference < 1e-5
        assert found["network.onnx"].check.difference < 1e-5


@pytest.mark.slow
def test_mobile_networks_are_ours(mobile, tmp_path):
    pytest.importorskip("onnx")
    tokens = np.asarray(mobile.random(jax.random.key(0), 2))
    for row in [*tokens, np.full(20, 8), np.tile([0, 0, 9, 9], 5)]:
        found = export_network(mobile.blueprint(row), tmp_path, about=ABOUT)
        for file in ("network_flax.py", "network.onnx"):
            assert found[file].check.params == mobile.costs()["params"].of(row[None])[0]
            assert found[file].check.difference < 1e-5


@pytest.mark.slow
def test_torch_modules_are_ours(space, mobile, tmp_path):
    pytest.importorskip("torch")
    row = np.asarray(mobile.random(jax.random.key(1), 1))[0]
    cells = [space.blueprint(space.from_native([native])[0]) for native in CELLS.values()]
    for blueprint in [*cells, mobile.blueprint(row)]:
        found = export_network(blueprint, tmp_path, about=ABOUT)["network_torch.py"]
        assert found.check.params == blueprint.num_params()
        assert found.check.difference < 1e-5


def test_modules_import_nothing_of_ours(space, mobile, tmp_path):
    write_source(tmp_path / "a_cell.py", small(space, CELLS["all operations"]), "flax", about=ABOUT)
    write_source(tmp_path / "a_mobile.py", mobile.blueprint(np.full(20, 8)), "flax", about=ABOUT)
    code = f"""
import sys
sys.modules.update(nag_jax=None, experiments=None)  # importing them now fails
sys.path.insert(0, {str(tmp_path)!r})
import a_cell, a_mobile, jax, jax.numpy as jnp
for module in (a_cell, a_mobile):
    images = jnp.zeros((1, 32, 32, 3))
    shapes = jax.eval_shape(module.Network().init, jax.random.key(0), images)
    print(sum(leaf.size for leaf in jax.tree.leaves(shapes["params"])), "a\\\\b" in module.__doc__)
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    expected = [small(space, CELLS["all operations"]).num_params(), 7_664_760]
    assert done.stdout.split() == [str(expected[0]), "True", str(expected[1]), "True"]


def test_a_torch_module_imports_torch_and_numpy_only(space, mobile, tmp_path):
    for blueprint in (small(space, CELLS["all operations"]), mobile.blueprint(np.full(20, 8))):
        path = tmp_path / "network_torch.py"
        write_source(path, blueprint, "torch", about=ABOUT)
        imports = [line for line in path.read_text().splitlines() if line.startswith(("import ", "from "))]
        assert imports == [
            "from collections import OrderedDict",
            "import numpy as np",
            "import torch",
            "from torch import nn",
        ]


def test_modules_are_formatted(space, mobile, tmp_path):
    blueprints = [small(space, native) for native in CELLS.values()] + [mobile.blueprint(np.full(20, 8))]
    for i, blueprint in enumerate(blueprints):
        for framework in ("flax", "torch"):
            write_source(tmp_path / f"{framework}_{i}.py", blueprint, framework, about=ABOUT)
    options = ["--isolated", "--line-length=120", "--no-cache", str(tmp_path)]
    for command in (["format", "--check"], ["check", "--select=E,F,W,B,N,SIM,RET,I"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, *options], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_another_network_is_refused(space, tmp_path):
    blueprint = small(space, CELLS["all operations"])
    reference = make_reference(blueprint)
    path = tmp_path / "network_flax.py"
    write_source(path, blueprint, "flax", about=ABOUT)
    source = path.read_text()
    for right, wrong, says in (
        ("return node_0 + edge_1_3", "return node_1 + edge_1_3", "outputs of .* differ"),
        ("epsilon=1e-5", "epsilon=1e-1", "outputs of .* differ"),
        ("num_classes: int = 10", "num_classes: int = 11", "has .* parameters, and our network"),
    ):
        assert right in source
        path.write_text(source.replace(right, wrong))
        with pytest.raises(RuntimeError, match=says):
            check_flax(path, reference)


def test_exchanged_leaves_would_be_noticed(space):
    leaves = jax.tree.leaves(random_variables(small(space, CELLS["all operations"])))
    assert all(leaf.std() > 0.01 for leaf in leaves)
    assert len({leaf.tobytes() for leaf in leaves}) == len(leaves)


def test_what_is_not_installed_is_said(space, tmp_path, monkeypatch):
    (tmp_path / "network.onnx").write_text("of another architecture")
    monkeypatch.setattr("nag_jax.export.files.importlib.util.find_spec", lambda package: None)
    found = export_network(small(space, CELLS["no path"]), tmp_path, about=ABOUT)
    assert found["network_flax.py"].check is not None
    assert found["network_torch.py"] == (True, None, "torch is not installed: pip install torch")
    assert found["network.onnx"] == (False, None, "onnx is not installed: pip install 'nag-jax[onnx]'")
    assert not (tmp_path / "network.onnx").exists()


def test_nodes_know_what_depends_on_them(space):
    def nodes(native):
        return cell_nodes(tuple(space.cell_edges(space.from_native([native])[0])))

    assert [(node.needed, node.live) for node in nodes(CELLS["all operations"])] == [(True, True)] * 3
    dead = nodes(CELLS["convolutions that lead nowhere"])
    assert [(node.needed, node.live) for node in dead] == [(True, False), (False, False), (True, True)]
    assert [[edge.source for edge in node.edges] for node in dead] == [[0], [0, 1], [0]]
