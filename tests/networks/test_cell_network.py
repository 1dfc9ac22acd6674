import csv

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.spaces.nasbench201.network import Cell, CellNetwork
from nag_jax.system.errors import InputError


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench201")


def num_params(network):
    shapes = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))


def build(space, native, **options):
    return CellNetwork(tuple(space.cell_edges(space.from_native([native])[0])), **options)


def test_parameters_are_the_benchmarks(space, shared):
    with (shared / "data" / "nb201_cifar.csv").open() as file:
        rows = list(csv.DictReader(file))[::1800]
    for row in rows:
        assert num_params(build(space, row["arch"])) == int(row["cifar10_params"])
    assert num_params(build(space, rows[-1]["arch"], num_classes=100)) == int(rows[-1]["cifar100_params"])


def test_forward_and_backward_run(space):
    network = build(
        space, "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|skip_connect~2|", cells=1
    )
    images = jnp.asarray(np.random.default_rng(0).standard_normal((4, 32, 32, 3)), jnp.float32)
    variables = jax.jit(network.init)(jax.random.key(0), images)

    @jax.jit
    def gradient(params):
        def loss(params):
            variables_ = {"params": params, "batch_stats": variables["batch_stats"]}
            logits, _ = network.apply(variables_, images, train=True, mutable=["batch_stats"])
            return -jax.nn.log_softmax(logits)[:, 3].mean()

        return jax.grad(loss)(params)

    norms = [float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradient(variables["params"]))]
    assert np.isfinite(norms).all()
    assert np.mean(np.array(norms) > 0) > 0.9
    assert jax.eval_shape(network.apply, variables, images).shape == (4, 10)


def test_a_cell_sums_what_its_edges_carry(space):
    x = jnp.asarray(np.random.default_rng(0).standard_normal((1, 4, 4, 2)), jnp.float32)

    def output(native):
        edges = tuple(space.cell_edges(space.from_native([native])[0]))
        return np.asarray(Cell(edges).apply({}, x, False))

    skips = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"
    np.testing.assert_allclose(output(skips), 4.0 * x, rtol=1e-6)  # as many as there are paths
    nothing = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    assert not output(nothing).any()
    pool = "|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|"
    np.testing.assert_allclose(output(pool)[0, 0, 0], x[0, :2, :2].mean(axis=(0, 1)), rtol=1e-5)


def test_an_unknown_operation_is_refused():
    with pytest.raises(InputError, match="unknown operation 'conv_5x5' of a cell"):
        CellNetwork(((0, 3, "conv_5x5"),))
