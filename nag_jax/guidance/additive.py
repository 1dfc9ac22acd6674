"""Additive models: a constant and one term per node, fitted to values of architectures, as cheap stand-ins for them."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

_RIDGE = 1.0
"""What is added to the counts of classes, so that those that hardly occur add little."""


class Additive(NamedTuple):
    """A value that is a constant and one term per node.

    Attributes:
        constant: the mean, a scalar.
        table: what each class of each node adds to it, `[N, V]`.
        error: root mean square of what is left unexplained, a scalar.
    """

    constant: Any
    table: Any
    error: Any

    def of(self, x) -> Array:
        """Values `[B]` of x `[B, N, V]`."""
        return self.constant + jnp.tensordot((x + 1.0) / 2.0, self.table, 2)


@jax.jit
def fit_additive(x, values) -> Additive:
    """The additive model of values `[M]` of clean architectures x `[M, N, V]`, by least squares.

    Example:
        >>> import numpy as np
        >>> x = np.array([[[1.0, -1.0]], [[-1.0, 1.0]]], np.float32).repeat(1000, axis=0)
        >>> model = fit_additive(x, np.array([2.0, 4.0], np.float32).repeat(1000))
        >>> model.of(x)[::1000].round(2).tolist()
        [2.0, 4.0]
    """
    classes = ((x + 1.0) / 2.0).reshape(x.shape[0], -1)
    mean = values.mean()
    matrix = classes.T @ classes + _RIDGE * jnp.eye(classes.shape[1], dtype=jnp.float32)
    table = jnp.linalg.solve(matrix, classes.T @ (values - mean))
    error = jnp.sqrt(jnp.mean((values - mean - classes @ table) ** 2))
    return Additive(mean, table.reshape(x.shape[1:]), error)
