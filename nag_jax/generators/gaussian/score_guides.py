"""Guides of scores: guidance of the gaussian family alone, as published; all other guides bend beliefs."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_jax.generators.gaussian.parametrization import ScoreFn, score_to_denoised
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.system.keys import expand

NoisedValueFn = Callable[[Array, Array], Array]
"""x `[B, N, V]`, t `[B]` -> value `[B]`; higher is better."""


class ScoreGuide(NamedTuple):
    """Bends a score; guides chain.

    Attributes:
        init: x `[B, N, V]` -> state, any pytree of arrays.
        update: (score `[B, N, V]`, state, *, x `[B, N, V]`, t `[B]`, keys `[B]`) -> (score, state).
        coupled: whether a sample's score depends on the other samples; coupled batches can't be cut into chunks.

    Example:
        >>> double = stateless(lambda score, **_: 2.0 * score)
        >>> x = jnp.ones((1, 2, 2))
        >>> score, _ = double.update(x, double.init(x), x=x, t=jnp.ones(1), keys=None)
        >>> score.sum().item()
        8.0
    """

    init: Callable
    update: Callable
    coupled: bool = False


def stateless(bend: Callable) -> ScoreGuide:
    """An uncoupled guide without state, from (score, *, x, t, keys) -> score."""
    return ScoreGuide(
        init=lambda x: (), update=lambda score, state, *, x, t, keys: (bend(score, x=x, t=t, keys=keys), state)
    )


def chain(*guides: ScoreGuide) -> ScoreGuide:
    """Applies guides in order, each to the score that the one before it returned.

    Example:
        >>> chain(stateless(lambda score, **_: score)).coupled
        False
    """

    def init(x):
        return tuple(guide.init(x) for guide in guides)

    def update(score, state, *, x, t, keys):
        new_state = []
        for guide, own in zip(guides, state, strict=True):
            score, own = guide.update(score, own, x=x, t=t, keys=keys)
            new_state.append(own)
        return score, tuple(new_state)

    return ScoreGuide(init, update, any(guide.coupled for guide in guides))


def predictor_gradient(*, value_fn: NoisedValueFn, scale) -> ScoreGuide:
    """Adds `scale * grad_x value_fn(x, t)` to the score (An et al., ICLR 2024, equation 8).

    Args:
        value_fn: must not couple samples: the gradient of its sum is taken. It sees the noised x; see
            `through_denoiser` for predictors that know clean architectures only.
        scale: strength, a float or a traced scalar. Labels are normalised to unit scale, so it means the same
            across tasks: the log-odds that one unit of value is worth.
    """

    def bend(score, *, x, t, keys):
        return score + scale * jax.grad(lambda x: value_fn(x, t).sum())(x)

    return stateless(bend)


def through_denoiser(value_fn: NoisedValueFn, score_fn: ScoreFn, sde: SDE) -> NoisedValueFn:
    """Value of the denoised estimate E[x_0 | x_t], so that a predictor of clean architectures guides.

    Its gradient runs through the score network (Chung et al., ICLR 2023).

    Args:
        value_fn: called with the estimate and t.
        score_fn: the unguided score.
        sde: the forward process.

    Example:
        >>> import jax.numpy as jnp
        >>> from nag_jax.generators.gaussian import sde
        >>> process = sde.make("ve")
        >>> value = through_denoiser(lambda x, t: x.sum((1, 2)), lambda x, t: jnp.zeros_like(x), process)
        >>> value(jnp.ones((1, 2, 2)), jnp.ones(1)).item()
        4.0
    """

    def value(x, t):
        return value_fn(score_to_denoised(score_fn(x, t), x, t, sde), t)

    return value


def denoised_gradient(*, value_fn: NoisedValueFn, sde: SDE, scale) -> ScoreGuide:
    """Adds `scale * J^T grad value_fn(E[x_0 | x_t], t)` with the Jacobian J of independent nodes.

    J is alpha / sigma^2 times the covariance of x_0 given x_t (Efron 2011). A node's block of it follows from its class
    probabilities p, as 4 (diag p - p p^T); blocks between nodes are left out. That is exact where nodes are independent
    given x_t, and saves the backward pass through the score network that `through_denoiser` needs.

    Args:
        value_fn: called with the estimate and t.
        sde: the forward process.
        scale: strength, as of `predictor_gradient`.
    """

    def bend(score, *, x, t, keys):
        denoised = score_to_denoised(score, x, t, sde)
        gradient = jax.grad(lambda x0: value_fn(x0, t).sum())(denoised)
        p = jnp.clip((denoised + 1.0) / 2.0, 0.0, 1.0)
        centred = gradient - (p * gradient).sum(axis=-1, keepdims=True)
        return score + scale * expand(4.0 * sde.alpha(t) / sde.sigma(t) ** 2, x) * p * centred

    return stateless(bend)


def clip_norm(*, sde: SDE, max_norm: float) -> ScoreGuide:
    """Shortens each sample's score so that `|sigma(t) s| <= max_norm sqrt(N V)`.

    The exact score of a noised x is its noise over sigma, with |sigma s| about sqrt(N V) or less, so a `max_norm` of
    1 allows what no guidance would need, at every t alike. Chain it after the guidance that it bounds.

    Args:
        sde: gives sigma(t).
        max_norm: the bound, positive, in units of the noise.
    """

    def clip(score, *, x, t, keys):
        scaled = jnp.sqrt(jnp.mean(score**2, axis=(1, 2))) * sde.sigma(t)
        return score * expand(jnp.minimum(1.0, max_norm / jnp.maximum(scaled, 1e-12)), x)

    return stateless(clip)


REGISTRY = {"denoised_gradient": denoised_gradient, "predictor_gradient": predictor_gradient}
"""Guides of scores by a value that a config can name."""
