"""Values that guide: an estimate of the utility, and the chance that it exceeds a target."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from nag_jax.guidance.guide import ValueFn

EstimateFn = Callable[[Array, Mapping[str, Any]], Array]
"""(x `[B, N, V]`, args) -> an estimate of the utility `[B]`."""


def mean_value(estimate: EstimateFn) -> ValueFn:
    """The estimate itself: guidance by it tilts the distribution exponentially toward high values."""
    return lambda x, progress, args: estimate(x, args)


def exceedance(estimate: EstimateFn) -> ValueFn:
    """Log-probability that the final architecture's utility exceeds a target: `log Phi((estimate - target) / spread)`.

    Guiding by it at scale 1 samples the posterior given that the target is exceeded. It saturates once a sample is
    good enough, so what lies beyond the target keeps the diversity of the unconditional model, where a mean goes on
    toward the single best. Early on, when little is decided, the spread is wide and the pull is weak.

    The args hold `target`, a scalar in the estimate's unit, as a quantile of it on unlabelled architectures;
    and `spread`, the standard deviation of the final value around the estimate at each progress of the grid `progress`,
    positive, both `[T]`, the grid increasing. See `calibrate.estimate_spread`.

    Args:
        estimate: what a predictor says of the utility.
    """
    return lambda x, progress, args: log_exceeding(estimate(x, args), progress, args)


def log_exceeding(
    estimate: Array, progress: Array | float, args: Mapping[str, Any], error: Array | float = 0.0
) -> Array:
    """Log-probability that what is estimated exceeds the target in the end; see `exceedance`.

    Args:
        estimate: estimates of any shape.
        progress: how far they are, a scalar or of that shape.
        args: hold the target and the spread by progress; see `exceedance`.
        error: standard deviation of a further error of the estimate.
    """
    spread = jnp.hypot(jnp.interp(progress, args["progress"], args["spread"]), error)
    return jax.scipy.stats.norm.logcdf((estimate - args["target"]) / spread)
