"""Bands: guidance by budgets on a cost that adds up over nodes."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.stats import norm

from nag_jax.guidance.guide import Guide, stateless

MomentsFn = Callable[[Array], tuple[Array, Array]]
"""Class probabilities p `[B, N, V]` -> mean and variance of the cost, given the class of one node, each `[B, N, V]`."""

_SURENESS = 0.7
"""Factor on the standard deviation of what is undecided. The exact 1 leaves networks at the ends of the range of costs
outside, for costs have a floor and no normal tail; less than one half moves marginals where nothing asks for it."""
_MARGIN, _MOST_OF_BAND = 0.05, 0.25
_FLOOR, _FLOOR_OF_BAND = 3e-4, 1e-3
_WALLS = 4.0
"""How many widths of its edge a wall stands inside the band, so that one in 30,000 of what is outside passes."""


def cost_band(*, moments: MomentsFn, spread: float = 1.0, row: int = 0) -> Guide:
    """Tilts class probabilities by the chance that the architecture's cost will lie in a band.

    With p the probabilities, `p'(n, c) ~ p(n, c) P(low <= cost <= high | node n has class c)`, which is the posterior
    given that the constraint holds. The cost of what is still undecided is taken as normal, with the mean and variance
    that its class probabilities give it, so early on the pull is weak. It aims a little inside the band. Several
    constraints chain, and other guidance goes before them. The band is `args["bands"][row]`: the least cost, minus
    infinity for none, and the greatest, infinity for none.

    Args:
        moments: moments of the cost, as `NodeSpace.conditional_moments` of its table plus its constant.
        spread: standard deviation of the cost among unguided architectures.
        row: which of the bands in the args is meant.
    """

    def bend(beliefs, *, keys, args):
        low, high = args["bands"][row]
        margin = jnp.minimum(_MARGIN * spread, _MOST_OF_BAND * (high - low))
        floor = jnp.minimum(_FLOOR * spread, _FLOOR_OF_BAND * (high - low))
        mean, variance = moments(beliefs.probabilities())
        deviation = _SURENESS * jnp.sqrt(variance + floor**2)
        chance = log_band(mean, deviation, low + margin, high - margin)
        return beliefs._replace(logits=jax.nn.log_softmax(beliefs.logits + chance, axis=-1))

    return stateless(bend)


def log_wall(cost, low, high) -> Array:
    """Log-chance `[B]` of a band for costs `[B]` that are known, in units of their spread: nearly a wall."""
    floor = jnp.minimum(_FLOOR, _FLOOR_OF_BAND * (high - low))
    return log_band(cost, floor, low + _WALLS * floor, high - _WALLS * floor)


def log_band(mean, deviation, low, high) -> Array:
    """Log-probability that a normal variable lies in a band; exact far out in its tails too."""
    below, above = (low - mean) / deviation, (high - mean) / deviation
    flip = below + above > 0  # the lower tail is the one that float32 can tell apart
    below, above = jnp.where(flip, -above, below), jnp.where(flip, -below, above)
    outer, inner = norm.logcdf(below), norm.logcdf(above)
    return inner + jnp.log(-jnp.expm1(jnp.minimum(outer - inner, -1e-7)))
