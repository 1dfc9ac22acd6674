"""Sub-networks cut out of a supernet, against once-for-all's own package where it is installed.

The slow test needs PyTorch, which is no requirement of ours. In an environment of its own:

    pip install -r requirements-dev.txt torch && pip install --no-deps ofa pyyaml
    python -m pytest -n 0 -m slow tests/evaluators/test_ofa_supernet.py
"""

import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.evaluators.ofa_supernet import extract
from nag_jax.spaces.mobilenet_v3 import SKIP
from nag_jax.spaces.mobilenet_v3.layers import FIXED_BLOCK
from nag_jax.spaces.mobilenet_v3.network import MobileNet
from nag_jax.system.errors import InputError
from nag_jax.system.weights_file import read_weights

LARGEST = np.full(20, 8)


@pytest.fixture(scope="module")
def space():
    return spaces.make("mobilenet_v3", resolution=128)


@pytest.fixture(scope="module")
def supernet(space):
    """Random weights of all shapes that the largest network has, by the published file's names."""
    rng = np.random.default_rng(0)
    weights = {}

    def conv(name, *shape):
        weights[f"{name}.weight"] = rng.standard_normal(shape)

    def norm(name, channels):
        for field in ("weight", "bias", "running_mean", "running_var"):
            weights[f"{name}.{field}"] = rng.uniform(0.5, 1.5, channels)

    conv("first_conv.conv", 16, 3, 3, 3)
    norm("first_conv.bn", 16)
    for i, layer in enumerate(space.layers(LARGEST)):
        block, dynamic = f"blocks.{i}.mobile_inverted_conv", "" if layer is FIXED_BLOCK else "conv."
        bn = "" if layer is FIXED_BLOCK else "bn."
        if layer.inner != layer.inputs:
            conv(f"{block}.inverted_bottleneck.conv.{dynamic[:-1]}", layer.inner, layer.inputs, 1, 1)
            norm(f"{block}.inverted_bottleneck.bn.bn", layer.inner)
        conv(f"{block}.depth_conv.conv{'.conv' if dynamic else ''}", layer.inner, 1, layer.kernel, layer.kernel)
        norm(f"{block}.depth_conv.bn{'.bn' if bn else ''}", layer.inner)
        if dynamic:
            weights[f"{block}.depth_conv.conv.7to5_matrix"] = rng.standard_normal((25, 25))
            weights[f"{block}.depth_conv.conv.5to3_matrix"] = rng.standard_normal((9, 9))
        if layer.squeezed:
            for name, shape in (("reduce", (layer.squeezed, layer.inner)), ("expand", (layer.inner, layer.squeezed))):
                conv(f"{block}.depth_conv.se.fc.{name}", *shape, 1, 1)
                weights[f"{block}.depth_conv.se.fc.{name}.bias"] = rng.standard_normal(shape[0])
        conv(f"{block}.point_linear.conv{'.conv' if dynamic else ''}", layer.outputs, layer.inner, 1, 1)
        norm(f"{block}.point_linear.bn{'.bn' if bn else ''}", layer.outputs)
    conv("final_expand_layer.conv", 960, 160, 1, 1)
    norm("final_expand_layer.bn", 960)
    conv("feature_mix_layer.conv", 1280, 960, 1, 1)
    conv("classifier.linear", 1000, 1280)
    weights["classifier.linear.bias"] = rng.standard_normal(1000)
    return weights


def shapes(tree):
    return jax.tree.map(np.shape, tree)


def test_every_sub_network_gets_the_variables_that_it_has(space, supernet):
    drawn = np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(0), 5))
    for tokens in (LARGEST, *drawn):
        network = MobileNet(tuple(space.layers(tokens)))
        expected = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 128, 128, 3)))
        found = extract(supernet, space.layers(tokens))
        assert shapes(found) == jax.tree.map(lambda leaf: leaf.shape, expected)


def test_small_kernels_are_transformed_middles_of_large_ones(space, supernet):
    tokens = LARGEST.copy()
    tokens[:2] = 0, 3  # 3x3 and 5x5, expansion 3
    params = extract(supernet, space.layers(tokens))["params"]
    block = "blocks.{}.mobile_inverted_conv.depth_conv.conv"
    large = supernet[f"{block.format(2)}.conv.weight"][:72, 0, 1:6, 1:6].reshape(72, 25)
    five = large @ supernet[f"{block.format(2)}.7to5_matrix"].T
    np.testing.assert_allclose(
        params["stage_0_1"]["depthwise"]["conv"]["kernel"], five.reshape(72, 5, 5).transpose(1, 2, 0)[:, :, None], 1e-4
    )
    large = supernet[f"{block.format(1)}.conv.weight"][:48, 0, 1:6, 1:6].reshape(48, 25)
    five = (large @ supernet[f"{block.format(1)}.7to5_matrix"].T).reshape(48, 5, 5)
    three = five[:, 1:4, 1:4].reshape(48, 9) @ supernet[f"{block.format(1)}.5to3_matrix"].T
    found = params["stage_0_0"]["depthwise"]["conv"]["kernel"]
    np.testing.assert_allclose(found, three.reshape(48, 3, 3).transpose(1, 2, 0)[:, :, None], rtol=1e-4, atol=1e-4)


def test_missing_and_misshapen_weights_are_named(space, supernet):
    lacking = {name: value for name, value in supernet.items() if name != "classifier.linear.bias"}
    with pytest.raises(InputError, match=r"no 'classifier.linear.bias': use those of ofa_mbv3"):
        extract(lacking, space.layers(LARGEST))
    small = supernet | {"blocks.3.mobile_inverted_conv.point_linear.bn.bn.weight": np.ones(8)}
    with pytest.raises(InputError, match=r"'blocks.3.conv.point_linear.bn.weight' must be .* \[24\], found .* \[8\]"):
        extract(small, space.layers(LARGEST))


def test_a_wider_supernet_is_refused_not_cut(space, supernet):
    """All of w1.2's layers are wider, and its first channels are another network."""
    for name, value in supernet.items():
        wider = supernet | {name: np.concatenate([value, value[:1]])}
        with pytest.raises(InputError, match=r"must be floats of the shape .*: use those of ofa_mbv3"):
            extract(wider, space.layers(np.zeros(20, int)))  # the smallest of full depth, which needs all weights
    with pytest.raises(InputError, match="must be floats"):
        extract(supernet | {"classifier.linear.bias": np.ones(1000, int)}, space.layers(LARGEST))


@pytest.mark.slow
def test_outputs_are_those_of_the_package(space, tmp_path):
    """Ten random sub-networks, with random weights and statistics, in the package and here."""
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    for name in ("", ".transforms", ".transforms.functional", ".datasets"):  # only its data loaders use it
        if f"torchvision{name}" not in sys.modules:
            module: types.ModuleType = types.ModuleType(f"torchvision{name}")
            sys.modules[f"torchvision{name}"] = module
    for name in ("RandomResizedCrop", "InterpolationMode"):
        setattr(sys.modules["torchvision.transforms"], name, type(name, (), {}))
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]  # type: ignore[attr-defined]
    sys.modules["torchvision"].datasets = sys.modules["torchvision.datasets"]  # type: ignore[attr-defined]
    networks = pytest.importorskip("ofa.imagenet_classification.elastic_nn.networks", reason="needs the package ofa")
    torch.manual_seed(0)
    supernet = networks.OFAMobileNetV3(
        dropout_rate=0, ks_list=[3, 5, 7], expand_ratio_list=[3, 4, 6], depth_list=[2, 3, 4]
    )
    for name, value in supernet.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            value.normal_(0.0, 0.2)
        elif name.endswith(("running_var", "bn.weight")):
            value.uniform_(0.5, 1.5)
        elif value.ndim == 4:
            value.normal_(0.0, (2.0 / value[0].numel()) ** 0.5)  # so that signals survive 20 layers
        elif name.endswith("_matrix"):
            value.add_(0.1 * torch.randn_like(value))
    torch.save({"state_dict": supernet.state_dict()}, tmp_path / "supernet.pth")
    weights = read_weights(tmp_path / "supernet.pth")
    images = np.random.default_rng(0).standard_normal((2, 128, 128, 3)).astype(np.float32)
    tokens = np.asarray(space.random(jax.random.key(1), 10))
    params = space.costs()["params"].of(tokens)
    for row, form, count in zip(tokens, space.to_ofa(tokens), params, strict=True):
        supernet.set_active_subnet(ks=form["ks"], e=form["e"], d=form["d"])
        theirs = supernet.get_active_subnet(preserve_weight=True).eval()
        assert sum(parameter.numel() for parameter in theirs.parameters()) == count
        with torch.no_grad():
            expected = theirs(torch.tensor(images.transpose(0, 3, 1, 2))).numpy()
        network = MobileNet(tuple(space.layers(row)))
        variables = extract(weights, space.layers(row))
        assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == count
        found = np.asarray(jax.jit(network.apply)(variables, images))
        scale = max(1.0, np.abs(expected).max())  # random weights leave outputs of very different sizes
        assert np.abs(expected[0] - expected[1]).max() > 0.01 * scale, "or it would say little"
        np.testing.assert_allclose(found / scale, expected / scale, atol=1e-4)
    assert SKIP in tokens
