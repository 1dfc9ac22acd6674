import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.spaces.mobilenet_v3 import SKIP, MobileNetV3
from nag_jax.spaces.mobilenet_v3.network import MobileNet, block_name

RESOLUTIONS = [128, 132, 224]
LARGEST, SMALLEST = np.full(20, 8), np.tile([0, 0, SKIP, SKIP], 5)


@pytest.fixture(scope="module")
def space():
    return spaces.make("mobilenet_v3", resolution=128)


def random(space, n):
    return np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(0), n))


def build(space, tokens):
    return MobileNet(tuple(space.layers(tokens)))


def shapes(network, resolution):
    return jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, resolution, resolution, 3)))


@pytest.mark.parametrize(("tokens", "params"), [(LARGEST, 7_664_760), (SMALLEST, 3_410_792)])
def test_the_extremes_have_the_published_parameters(space, tokens, params):
    found = shapes(build(space, tokens), 128)["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(found)) == params


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_costs_are_those_of_the_network(resolution, multiply_accumulates):
    space = MobileNetV3(resolution=resolution)
    tokens = random(space, 6)[RESOLUTIONS.index(resolution) :: len(RESOLUTIONS)]  # tracing them is what takes long
    costs = {name: cost.of(tokens) for name, cost in space.costs().items()}
    for i, row in enumerate(tokens):
        network = build(space, row)
        variables = shapes(network, resolution)
        assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == costs["params"][i]
        image = jnp.zeros((1, resolution, resolution, 3))
        assert multiply_accumulates(jax.make_jaxpr(network.apply)(variables, image).jaxpr) == costs["macs"][i]


def test_forward_and_backward_run(space):
    network = build(space, SMALLEST)
    images = jnp.asarray(np.random.default_rng(0).standard_normal((2, 128, 128, 3)), jnp.float32)
    variables = jax.jit(network.init)(jax.random.key(0), images)

    @jax.jit
    def step(params, stats):
        def loss(params):
            logits, changes = network.apply(
                {"params": params, "batch_stats": stats}, images, train=True, mutable=["batch_stats"]
            )
            return -jax.nn.log_softmax(logits)[:, 7].mean(), changes

        return jax.value_and_grad(loss, has_aux=True)(params)

    (loss, changes), gradient = step(variables["params"], variables["batch_stats"])
    assert np.isfinite(loss)
    norms = [float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradient)]
    assert np.isfinite(norms).all()
    assert np.mean(np.array(norms) > 0) > 0.95
    before = jax.tree.leaves(variables["batch_stats"])
    after = jax.tree.leaves(changes["batch_stats"])
    assert any((one != other).any() for one, other in zip(before, after, strict=True))
    assert jax.eval_shape(network.apply, variables, images).shape == (2, 1000)


def test_parameters_are_named_by_place(space):
    names = set(shapes(build(space, SMALLEST), 128)["params"])
    blocks = {block_name(layer) for layer in space.layers(SMALLEST)}
    assert blocks == {"fixed", *(f"stage_{stage}_{position}" for stage in range(5) for position in (0, 1))}
    assert names == blocks | {"stem", "final_expand", "features", "classifier"}
