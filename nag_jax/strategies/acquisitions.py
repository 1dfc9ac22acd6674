"""Acquisitions: how much a label is worth, given what a surrogate believes of it. All are differentiable.

An acquisition is a function (mean `[B]`, std `[B]`, best, noise `[B]`) -> value `[B]`; higher is more worth labelling.
`best` is the scalar to improve on, and noise is standard normal, one draw per architecture, for those that sample.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array
from jax.scipy.stats import norm

from nag_jax.system.options import check_options

AcquisitionFn = Callable[[Array, Array, Array, Array], Array]

_TAIL = -8.0
"""Where log-EI goes over from differences, which lose digits, to the asymptotic series, which gains them."""
_SERIES = (1.0, -3.0, 15.0, -105.0, 945.0, -10395.0)


def expected_improvement() -> AcquisitionFn:
    """`E[max(f - best, 0)] = std (z Phi(z) + phi(z))`, z = (mean - best) / std (Jones et al., 1998, equation 15)."""

    def value(mean, std, best, noise):
        z = (mean - best) / std
        return std * (z * norm.cdf(z) + norm.pdf(z))

    return value


def log_expected_improvement() -> AcquisitionFn:
    """The logarithm of expected improvement, with a useful gradient where that is zero in floating point.

    (Ament et al., NeurIPS 2023, "Unexpected Improvements to Expected Improvement".) Exact to a relative 1e-3 of the
    improvement in float32, at any z.
    """

    def value(mean, std, best, noise):
        return log_improvement((mean - best) / std) + jnp.log(std)

    return value


def log_improvement(z: Array) -> Array:
    """`log(phi(z) + z Phi(z))`, elementwise."""
    is_tail, is_left = z <= _TAIL, (z > _TAIL) & (z <= -1.0)
    tail, left = jnp.where(is_tail, z, _TAIL), jnp.where(is_left, z, -1.0)
    central = jnp.where(is_tail | is_left, 0.0, z)
    by_values = jnp.log(norm.pdf(central) + central * norm.cdf(central))
    by_ratio = norm.logpdf(left) + jnp.log1p(left * jnp.exp(norm.logcdf(left) - norm.logpdf(left)))
    series = sum(factor * tail ** (-2.0 * i) for i, factor in enumerate(_SERIES))
    by_series = norm.logpdf(tail) - 2.0 * jnp.log(-tail) + jnp.log(series)
    return jnp.where(is_tail, by_series, jnp.where(is_left, by_ratio, by_values))


def log_probability_of_improvement() -> AcquisitionFn:
    """`log Phi((mean - best) / std)` (Kushner, 1964): the order of the probability, with a gradient at any distance."""
    return lambda mean, std, best, noise: norm.logcdf((mean - best) / std)


def upper_confidence_bound(*, beta: float = 2.0) -> AcquisitionFn:
    """`mean + beta std` (Srinivas et al., ICML 2010, whose beta is the square of ours)."""
    return lambda mean, std, best, noise: mean + beta * std


def independent_thompson_sampling() -> AcquisitionFn:
    """`mean + std noise`: a draw from each architecture's own belief (White et al., AAAI 2021)."""
    return lambda mean, std, best, noise: mean + std * noise


REGISTRY = {
    "ei": expected_improvement,
    "its": independent_thompson_sampling,
    "log_ei": log_expected_improvement,
    "pi": log_probability_of_improvement,
    "ucb": upper_confidence_bound,
}


def make(name: str, **options) -> AcquisitionFn:
    """Makes the acquisition of that name.

    Raises:
        InputError: no acquisition has that name, or it has no such option.

    Example:
        >>> make("ucb", beta=1.0)(1.0, 2.0, 0.0, 0.0)
        3.0
    """
    return check_options("acquisition", name, REGISTRY, options)(**options)
