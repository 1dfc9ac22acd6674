"""Views: how a predictor is shown the architectures that it learns from."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nag_jax.generators.contract import Generator
from nag_jax.generators.gaussian.losses import perturb
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.spaces import NodeSpace
from nag_jax.system.keys import expand, fold_in, uniform
from nag_jax.system.once import once

View = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
"""(keys `[B]`, tokens `[B, N]`) -> the x `[B, N, V]` and noise level t `[B]` that the predictor is shown.

A function, or a `jax.tree_util.Partial` of one with parameters, which then are no constants of what is compiled."""


@once
def clean_view(space: NodeSpace) -> View:
    """Clean architectures at t = 0."""
    return lambda keys, tokens: (space.encode(tokens), jnp.zeros(tokens.shape[0], jnp.float32))


@once
def noised_view(space: NodeSpace, sde: SDE) -> View:
    """Noised architectures at t uniform in [t_min, 1], as published: for guidance at the noised x."""
    return lambda keys, tokens: perturb(keys, space.encode(tokens), sde)[:2]


def denoised_view(space: NodeSpace, generator: Generator, params: Any, *, share: float) -> View:
    """A share of the batch as a generator believes it to be, halfway through; the rest clean; all at t = 0.

    Guidance asks for values of such soft architectures, so the predictor learns their average labels; with `share` 0 it
    only ever saw hard ones.

    Args:
        space: the space of the architectures.
        generator: the generator whose beliefs are shown.
        params: its parameters.
        share: the share of the batch that is shown so.
    """
    return jax.tree_util.Partial(_soft_view(space, generator, share), params)


@once
def _soft_view(space: NodeSpace, generator: Generator, share: float) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """(the generator's parameters, keys, tokens) -> what `denoised_view` shows."""

    def view(params, keys, tokens):
        soft, hard = generator.believe(params, keys, tokens).estimate(), space.encode(tokens)
        chosen = expand(uniform(fold_in(keys, 2)) < share, hard)
        return jnp.where(chosen, soft, hard), jnp.zeros(tokens.shape[0], jnp.float32)

    return view
