import jax
import numpy as np
import pytest


@pytest.fixture(scope="session")
def dag(nb201):
    """Its DAG as the nested tuples that networks take."""
    return tuple(map(tuple, nb201.adjacency.tolist()))


@pytest.fixture(scope="session")
def random_params():
    """(init, its arguments) -> parameters of those shapes, all random, so that no bias is zero. Compiles nothing."""

    def draw(init, *args, seed=0):
        rng = np.random.default_rng(seed)
        shapes = jax.eval_shape(init, *args)
        return jax.tree.map(lambda leaf: (0.4 * rng.standard_normal(leaf.shape) + 0.1).astype(np.float32), shapes)

    return draw
