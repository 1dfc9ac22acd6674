"""A bound on the length of a score."""

import jax.numpy as jnp

from nag_jax.generators.gaussian.sde import SDE
from nag_jax.guidance.base import ScoreTransform, stateless
from nag_jax.system.keys import expand


def clip_norm(*, sde: SDE, max_norm: float) -> ScoreTransform:
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
