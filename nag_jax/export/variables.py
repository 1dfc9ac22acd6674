"""The random weights that exported networks are checked with."""

from typing import Any

import jax
import numpy as np

from nag_jax.spaces.blueprint import Blueprint

Variables = dict[str, dict[str, Any]]
"""Flax's `params` and `batch_stats`, as NumPy arrays."""


def random_variables(blueprint: Blueprint, seed: int = 0) -> Variables:
    """Variables of the network that keep activations near unit size, and in which no two leaves are alike.

    Kernels are Gaussian with the variance of 1 / fan-in. Batch norms are not at their initial values, with which
    exchanged scales, offsets or statistics would go unnoticed.
    """
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        name = path[-1].key
        normal = rng.standard_normal(leaf.shape)
        if name == "kernel":
            values = normal / np.sqrt(np.prod(leaf.shape[:-1]))
        elif name == "var":
            values = rng.uniform(0.5, 1.5, leaf.shape)
        else:
            values = float(name == "scale") + 0.1 * normal
        return values.astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, blueprint.shapes())
