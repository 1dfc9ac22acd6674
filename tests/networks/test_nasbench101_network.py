from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.spaces.nasbench101.network import Cell, CellNetwork
from nag_jax.system.errors import InputError


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench101")


def network(space, row, **options):
    matrix, ops = space.to_matrices(row[None])[0]
    return CellNetwork(tuple(map(tuple, matrix.tolist())), tuple(ops), **options)


def shapes(made, size=32):
    return jax.eval_shape(made.init, jax.random.key(0), jnp.zeros((1, size, size, 3), jnp.float32))


def test_parameters_are_those_of_the_formula(space):
    tokens = np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(0), 6))
    tokens = np.concatenate([tokens, space.from_native(["output~0"])])
    found = [sum(leaf.size for leaf in jax.tree.leaves(shapes(network(space, row))["params"])) for row in tokens]
    np.testing.assert_array_equal(space.costs()["params"].of(tokens), found)


def test_logits(space):
    row = space.from_native(["conv3x3-bn-relu~0|maxpool3x3~0~1|conv1x1-bn-relu~1|output~0~2~3"])[0]
    made = network(space, row, channels=8, modules=1, num_classes=5)
    images = jnp.ones((2, 8, 8, 3))
    variables = jax.jit(made.init)(jax.random.key(0), images)
    logits, changes = jax.jit(lambda v, x: made.apply(v, x, train=True, mutable=["batch_stats"]))(variables, images)
    assert logits.shape == (2, 5)
    assert set(changes) == {"batch_stats"}


def test_a_cell_without_vertices_projects_its_input():
    cell = Cell(((False, True), (False, False)), ("input", "output"), 6)
    h = jnp.ones((1, 4, 4, 3))
    variables: Any = cell.init(jax.random.key(0), h, False)
    assert set(variables["params"]) == {"input_1"}
    kernel = variables["params"]["input_1"]["conv"]["kernel"]
    expected = np.maximum(h @ kernel[0, 0] / np.sqrt(1 + 1e-5), 0)
    np.testing.assert_allclose(np.asarray(cell.apply(variables, h, False)), expected, rtol=1e-5)


def test_unknown_operations_are_refused():
    with pytest.raises(InputError, match="unknown operation 'conv5x5'"):
        CellNetwork(((False, True, False), (False, False, True), (False,) * 3), ("input", "conv5x5", "output"))
