"""From the outputs of an ensemble to the one value that guides."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from nag_jax.generators.gaussian.parametrization import ScoreFn, score_to_denoised
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.guidance.base import ValueFn

EnsembleFn = Callable[[Array, Array], Array]
"""x `[B, N, V]`, t `[B]` -> one estimate a member `[B, K]`."""


def mean_value(ensemble_fn: EnsembleFn) -> ValueFn:
    """The ensemble's mean: guidance by `scale` times it tilts the distribution exponentially toward high values."""
    return lambda x, t: ensemble_fn(x, t).mean(axis=-1)


def exceedance(ensemble_fn: EnsembleFn, *, target, times: Array, spread: Array) -> ValueFn:
    """Log-probability that the final architecture's value exceeds a target: `log Phi((mean - target) / spread(t))`.

    Guiding by it at scale 1 samples the posterior given that the target is exceeded. It saturates once a sample is
    good enough, so what lies beyond the target keeps the diversity of the unconditional model, where a mean goes on
    toward the single best. Early on, when little is decided, the spread is wide and the pull is weak.

    Args:
        ensemble_fn: of the predictor.
        target: a scalar in the units of the predictor, as a quantile of its values on unlabelled architectures.
        times: increasing, `[T]`.
        spread: standard deviation of the final value around the estimate, at those times `[T]`; positive. See
            `estimate_spread`.
    """

    def value(x, t):
        return jax.scipy.stats.norm.logcdf((ensemble_fn(x, t).mean(axis=-1) - target) / jnp.interp(t, times, spread))

    return value


def estimate_spread(
    keys: Array, ensemble_fn: EnsembleFn, score_fn: ScoreFn, x0: Array, sde: SDE, times: Array
) -> Array:
    """Root mean square of `f(x_0) - f(E[x_0 | x_t])` at each time, f the ensemble's mean: `[T]`.

    It says how far the value of the denoised estimate may be from that of the architecture that it will become.

    Args:
        keys: one an architecture, `[B]`.
        ensemble_fn: of the predictor.
        score_fn: the unguided score.
        x0: unlabelled architectures `[B, N, V]`.
        sde: the forward process.
        times: `[T]`.
    """

    def at(time):
        t = jnp.full(x0.shape[0], time)
        x = sde.diffuse(keys, x0, t)
        estimate = ensemble_fn(score_to_denoised(score_fn(x, t), x, t, sde), t).mean(axis=-1)
        return jnp.sqrt(jnp.mean((estimate - final) ** 2))

    final = ensemble_fn(x0, jnp.zeros(x0.shape[0])).mean(axis=-1)
    return jax.lax.map(at, times)
