"""Calibration: how far an estimate may be from what it will become, measured on unlabelled architectures."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from nag_jax.generators.contract import Beliefs


def estimate_spread(
    believe: Callable[[Array, Array, Array], Beliefs],
    keys: Array,
    estimate: Callable[[Array], Array],
    x: Array,
    tokens: Array,
    progress: Array,
) -> Array:
    """Root mean square of f(final architecture) - f(expected architecture) at each progress: `[T]`, or `[T, M]`.

    Args:
        believe: (keys, tokens, progress `[B]`) -> beliefs, as `Generator.believe` with its parameters bound.
        keys: one per architecture, `[B]`.
        estimate: f, x `[B, N, V]` -> `[B]`, or `[B, M]` for several at once.
        x: unlabelled architectures, encoded, `[B, N, V]`.
        tokens: the same ones, `[B, N]`.
        progress: the grid `[T]`.
    """
    final = estimate(x)

    def at(level):
        beliefs = believe(keys, tokens, jnp.full(tokens.shape[0], level, jnp.float32))
        return jnp.sqrt(jnp.mean((estimate(beliefs.estimate()) - final) ** 2, axis=0))

    return jax.lax.map(at, progress)
