"""The contract of kernels, and the transition of the forward process that several of them invert."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from nag_jax.generators.gaussian.sde import SDE


class Kernel(NamedTuple):
    """One update of the reverse process.

    Attributes:
        init: x `[B, N, V]` -> state, any pytree of arrays.
        step: (keys `[B]`, i, state, x, t `[B]`, t_next `[B]`, score_fn) -> (state, x, x_mean), where i counts steps
            from 0 and x_mean is x before this step's noise. It may call `score_fn` any number of times, but not
            inside a nested trace.
        coupled: whether a sample's update depends on the other samples of the batch.
    """

    init: Callable
    step: Callable
    coupled: bool = False


def stateless(x: Array) -> tuple:
    """The `init` of kernels that keep no state."""
    return ()


def transition(sde: SDE, t: Array, t_next: Array) -> tuple[Array, Array]:
    """Scale a and standard deviation b, each `[B]`, of the forward transition `x_t = a x_s + b z` from s = t_next."""
    scale = sde.alpha(t) / sde.alpha(t_next)
    variance = sde.sigma(t) ** 2 - (scale * sde.sigma(t_next)) ** 2
    return scale, jnp.sqrt(jnp.maximum(variance, 0.0))
