"""Parametrisations: from what a network outputs to a score, and from a score to the denoised estimate.

Networks are handed in as functions; nothing here knows how they are made.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_jax.generators.gaussian.sde import SDE
from nag_jax.system.keys import expand

ScoreFn = Callable[[Array, Array], Array]
"""x `[B, N, V]`, t `[B]` -> score `[B, N, V]`."""


PosteriorFn = Callable[[Array], Array]
"""Log-likelihoods `[B, N, V]` -> class probabilities `[B, N, V]`, as `Space.class_posterior`."""
_LEAST_PROBABILITY = 1e-20


def denoiser_logits(
    network: Callable[[Array, Array], Array],
    sde: SDE,
    allowed: np.ndarray,
    class_posterior: PosteriorFn | None = None,
) -> ScoreFn:
    r"""Class logits `[B, N, V]` of every node given x_t, from a network of the scaled x and the noise level.

    With x_0 in {-1, +1}, a row's likelihood under class v is, up to a constant, `exp(2 alpha x_v / sigma^2)`. We add
    it to the network's output, which so only learns what the *other* nodes say about this one:

    .. math:: logits_v = network(x / \sqrt{\alpha^2 + \sigma^2}, 100 \log(\sigma / \alpha))_v + 2 \alpha x_v / \sigma^2

    and minus infinity for classes that are not allowed. Where nodes depend on each other by the rules of the space,
    the log-probabilities of its closed form stand in place of the likelihood, as probabilities 0 do for `allowed`: a
    rule that is only learned is broken by some samples.

    Args:
        network: (x `[B, N, V]`, condition `[B]`) -> `[B, N, V]`.
        sde: the forward process.
        allowed: bool `[N, V]`.
        class_posterior: the closed form, or None where nodes are independent.
    """
    mask = jnp.asarray(allowed)

    def logits(x, t):
        alpha, sigma = sde.alpha(t), sde.sigma(t)
        scaled = x / expand(jnp.sqrt(alpha**2 + sigma**2), x)
        others = network(scaled, 100.0 * jnp.log(sigma / alpha))
        own = expand(2.0 * alpha / sigma**2, x) * x
        if class_posterior is not None:
            own = jnp.log(jnp.maximum(class_posterior(own), _LEAST_PROBABILITY))
        return jnp.where(mask[None], others + own, -jnp.inf)

    return logits


def denoiser_score(logits_fn: ScoreFn, sde: SDE) -> ScoreFn:
    """Score `(alpha E[x_0 | x_t] - x_t) / sigma^2` of a denoiser that outputs class logits."""

    def score(x, t):
        denoised = 2.0 * jax.nn.softmax(logits_fn(x, t), axis=-1) - 1.0
        return denoised_to_score(denoised, x, t, sde)

    return score


def raw_score(network: Callable[[Array, Array], Array], sde: SDE) -> ScoreFn:
    """The published parametrisation: the network's output is the score, its condition is sigma(t)."""
    return lambda x, t: network(x, sde.sigma(t))


def denoised_to_score(denoised: Array, x: Array, t: Array, sde: SDE) -> Array:
    """Score `[B, N, V]` of the estimate E[x_0 | x_t] `[B, N, V]`."""
    return (expand(sde.alpha(t), x) * denoised - x) / expand(sde.sigma(t) ** 2, x)


def score_to_denoised(score: Array, x: Array, t: Array, sde: SDE) -> Array:
    """Estimate E[x_0 | x_t] `[B, N, V]` of a score (Tweedie's formula)."""
    return (x + expand(sde.sigma(t) ** 2, x) * score) / expand(sde.alpha(t), x)


def uniform_score(sde: SDE, allowed: np.ndarray) -> ScoreFn:
    """The exact score of architectures whose nodes are independent and uniform over their allowed classes.

    Without a network `denoiser_logits` holds exactly each row's posterior under a uniform prior. It is the optimum
    of a score network on all of NAS-Bench-201, and so the oracle of tests and benchmarks.
    """
    return denoiser_score(denoiser_logits(lambda x, _: jnp.zeros_like(x), sde, allowed), sde)


def posterior_score(sde: SDE, class_posterior: PosteriorFn) -> ScoreFn:
    """The exact score of a space whose class probabilities, given independent evidence about its nodes, are known.

    Args:
        sde: the forward process.
        class_posterior: the `class_posterior` of the space.
    """

    def score(x, t):
        p = class_posterior(expand(2.0 * sde.alpha(t) / sde.sigma(t) ** 2, x) * x)
        return denoised_to_score(2.0 * p - 1.0, x, t, sde)

    return score
