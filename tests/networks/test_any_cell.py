"""The network of any cell: the same outputs as that of one cell, from the same weights."""

import jax
import numpy as np
import pytest

from nag_jax import spaces

CELLS = (
    "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|",
    "|nor_conv_1x1~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|",
)


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench201")


@pytest.fixture(scope="module")
def network(space):
    return space.any_network(num_classes=3, channels=2, cells=1, stages=2)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).standard_normal((4, 5, 5, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def compiled(network):
    return jax.jit(network.init), jax.jit(network.apply, static_argnames="train")


@pytest.mark.parametrize("native", CELLS)
def test_outputs_and_statistics_are_those_of_the_cell(space, network, compiled, images, native):
    init, apply = compiled
    tokens = space.from_native([native])[0]
    variables = init(jax.random.key(1), tokens, images)
    blueprint = network.blueprint(tokens)
    own = network.specialise(variables, tokens)
    shapes = jax.eval_shape(blueprint.network.init, jax.random.key(0), images)
    assert jax.tree.map(np.shape, dict(own)) == jax.tree.map(lambda leaf: leaf.shape, shapes)
    logits, statistics = apply(variables, tokens, images, train=True)
    expected, changed = jax.jit(lambda own: blueprint.network.apply(own, images, train=True, mutable=["batch_stats"]))(
        own
    )
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    moved = network.specialise({"params": variables["params"], "batch_stats": statistics}, tokens)["batch_stats"]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), moved, changed["batch_stats"])
    trained = variables | {"batch_stats": statistics}
    logits, same = apply(trained, tokens, images, train=False)
    jax.tree.map(np.testing.assert_array_equal, same, statistics)
    expected = jax.jit(blueprint.network.apply)(network.specialise(trained, tokens), images)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_weights_start_at_the_size_of_their_kernels(space, compiled, images):
    init, _ = compiled
    drawn = {}
    for operation in ("nor_conv_1x1", "nor_conv_3x3"):
        tokens = space.from_native([f"|{operation}~0|+|none~0|none~1|+|none~0|none~1|none~2|"])[0]
        kernels = [init(jax.random.key(i), tokens, images)["params"]["cell_0_0"] for i in range(40)]
        drawn[operation] = np.stack([cell["edge_0_1"]["conv"]["kernel"] for cell in kernels])
    assert drawn["nor_conv_1x1"].std() == pytest.approx(1 / np.sqrt(2), rel=0.1)
    assert drawn["nor_conv_3x3"].std() == pytest.approx(1 / np.sqrt(18), rel=0.1)


@pytest.mark.slow
def test_gradients_are_those_of_the_cell(space, network, images):
    tokens = space.from_native([CELLS[0]])[0]
    variables = network.init(jax.random.key(1), tokens, images)
    blueprint = network.blueprint(tokens)

    def loss(params):
        logits, _ = network.apply({**variables, "params": params}, tokens, images, train=True)
        return jax.nn.logsumexp(logits, axis=-1).sum()

    def own_loss(params):
        statistics = network.specialise(variables, tokens)["batch_stats"]
        given = {"params": params, "batch_stats": statistics}
        logits, _ = blueprint.network.apply(given, images, train=True, mutable=["batch_stats"])
        return jax.nn.logsumexp(logits, axis=-1).sum()

    found = network.specialise({"params": jax.grad(loss)(variables["params"])}, tokens)["params"]
    expected = jax.grad(own_loss)(network.specialise(variables, tokens)["params"])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), dict(found), dict(expected))
