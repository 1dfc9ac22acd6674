"""Guidance by a constraint on a cost that adds up over nodes."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.stats import norm

from nag_jax.generators.gaussian.parametrization import denoised_to_score, score_to_denoised
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.guidance.base import ScoreTransform, stateless

MomentsFn = Callable[[Array], tuple[Array, Array]]
"""Class probabilities p `[B, N, V]` -> mean and variance of the cost, given the class of one node, each `[B, N, V]`."""

_SURENESS = 0.7
"""Factor on the standard deviation of what is undecided. The exact 1 leaves networks at the ends of the range of costs
outside, for costs have a floor and no normal tail; less than one half moves marginals where nothing asks for it."""
_MARGIN, _MOST_OF_BAND = 0.05, 0.25
_FLOOR, _FLOOR_OF_BAND = 3e-4, 1e-3


def cost_band(*, sde: SDE, moments: MomentsFn, low, high, spread, scale=1.0) -> ScoreTransform:
    """Tilts class probabilities by the chance that the architecture's cost will lie in a band.

    With p the probabilities of the denoised estimate, `p'(n, c) ~ p(n, c) P(low <= cost <= high | node n has class c)`,
    which at scale 1 is the posterior given that the constraint holds. The cost of what is still undecided is taken as
    normal, with the mean and variance that its class probabilities give it, so early on the pull is weak. It aims a
    little inside the band. Several constraints chain, and other guidance goes before them.

    Args:
        sde: the forward process.
        moments: of the cost, as `Space.conditional_moments` of its table plus its constant.
        low: least cost, minus infinity for none; a scalar, which may be traced, as the following.
        high: greatest cost, infinity for none.
        spread: standard deviation of the cost among unguided architectures.
        scale: exponent of the chance.
    """

    def bend(score, *, x, t, keys):
        p = jnp.clip((score_to_denoised(score, x, t, sde) + 1.0) / 2.0, 0.0, 1.0)
        margin = jnp.minimum(_MARGIN * spread, _MOST_OF_BAND * (high - low))
        floor = jnp.minimum(_FLOOR * spread, _FLOOR_OF_BAND * (high - low))
        mean, variance = moments(p)
        deviation = _SURENESS * jnp.sqrt(variance + floor**2)
        chance = log_band(mean, deviation, low + margin, high - margin)
        # Below float32 rounding a probability is none, however strong the tilt.
        rounding = 2.0 * jnp.finfo(x.dtype).eps * (1.0 + jnp.abs(x))
        logits = jnp.where(p > rounding, jnp.log(jnp.maximum(p, rounding)), -1e6) + scale * chance
        return denoised_to_score(2.0 * jax.nn.softmax(logits, axis=-1) - 1.0, x, t, sde)

    return stateless(bend)


def log_band(mean, deviation, low, high) -> Array:
    """Log-probability that a normal variable lies in a band; exact far out in its tails too."""
    below, above = (low - mean) / deviation, (high - mean) / deviation
    flip = below + above > 0  # the lower tail is the one that float32 can tell apart
    below, above = jnp.where(flip, -above, below), jnp.where(flip, -below, above)
    outer, inner = norm.logcdf(below), norm.logcdf(above)
    return inner + jnp.log(-jnp.expm1(jnp.minimum(outer - inner, -1e-7)))
