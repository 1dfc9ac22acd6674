"""Values that guide: the mean of an ensemble, and the chance that a target is exceeded."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from nag_jax.guidance.guide import ValueFn

EstimatesFn = Callable[[Array, Mapping[str, Any]], Array]
"""(x `[B, N, V]`, args) -> one estimate per member of an ensemble `[B, K]`."""


def mean_value(estimates: EstimatesFn) -> ValueFn:
    """The ensemble's mean: guidance by it tilts the distribution exponentially toward high values."""
    return lambda x, progress, args: estimates(x, args).mean(axis=-1)


def exceedance(estimates: EstimatesFn) -> ValueFn:
    """Log-probability that the final architecture's value exceeds a target: `log Phi((mean - target) / spread)`.

    Guiding by it at scale 1 samples the posterior given that the target is exceeded. It saturates once a sample is
    good enough, so what lies beyond the target keeps the diversity of the unconditional model, where a mean goes on
    toward the single best. Early on, when little is decided, the spread is wide and the pull is weak.

    The args hold `target`, a scalar in the predictor's unit, as a quantile of its values on unlabelled architectures;
    and `spread`, the standard deviation of the final value around the estimate at each progress of the grid `progress`,
    positive, both `[T]`, the grid increasing. See `calibrate.estimate_spread`.

    Args:
        estimates: the predictor's.
    """

    def value(x, progress, args):
        spread = jnp.interp(progress, args["progress"], args["spread"])
        return jax.scipy.stats.norm.logcdf((estimates(x, args).mean(axis=-1) - args["target"]) / spread)

    return value
