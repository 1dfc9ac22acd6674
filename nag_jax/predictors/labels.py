"""Labels in units that mean the same across tasks, so that one guidance scale serves all."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.special import ndtri

from nag_jax.system.errors import InputError

NORMALIZATIONS = ("rank", "normal", "tail", "regret", "z")

_MOST_KNOTS = 21
"""Quantiles that bring normalised labels back into units: a slope at the ends is that of a twentieth of the labels."""
_LEAST_STEP = 1e-4
"""What keeps equal knots apart; labels have standard deviation 1."""
_REGRET_SOFTNESS = 0.03
"""Regret, in interquartile ranges, below which `"regret"` is about linear in the label."""


def normalize(values: np.ndarray, method: str, *, maximize: bool = True) -> np.ndarray:
    """Labels with mean 0 and standard deviation 1, higher is better.

    Args:
        values: finite labels `[M]`, in any unit.
        method: `"z"` subtracts the mean and divides by the standard deviation; `"regret"` takes `-log(r / q + 0.03)`,
            with r how much a label is worse than the best one and q the labels' interquartile range; the others replace
            a label by its rank u in (0, 1) and take u itself (`"rank"`), its normal quantile (`"normal"`), or
            `-log(1 - u + 0.02)` (`"tail"`). The last two and `"regret"` spend a model's resolution on the best few.
        maximize: False where less is better.

    Returns:
        float32 `[M]`; all zero where all labels are equal.
    """
    if method not in NORMALIZATIONS:
        raise InputError(f"unknown label normalisation {method!r}: use one of {NORMALIZATIONS}")
    values = np.asarray(values, np.float64) * (1.0 if maximize else -1.0)
    if method == "regret":
        values = -np.log((values.max() - values) / (_spread(values) or 1.0) + _REGRET_SOFTNESS)
    elif method != "z":
        ranks = (_mean_ranks(values) - 0.5) / len(values)
        transforms = {"rank": lambda u: u, "normal": ndtri, "tail": lambda u: -np.log(1.0 - u + 0.02)}
        values = transforms[method](ranks)
    if np.ptp(values) == 0:  # their mean may differ from them in the last bit, and so their deviation from 0
        return np.zeros(len(values), np.float32)
    return ((values - values.mean()) / values.std()).astype(np.float32)


class Scales(NamedTuple):
    """How normalised labels are brought back into their units: a piecewise linear function of each objective.

    Attributes:
        normalized: its knots, float32 `[M, Q]`, increasing.
        units: its values there, float32 `[M, Q]`, not decreasing.
    """

    normalized: Array
    units: Array

    def to_units(self, values: Any) -> Array:
        """Normalised values `[..., M]` in the labels' units; linear beyond the ends, so that there is a slope."""
        knots, levels = (jnp.expand_dims(each, tuple(range(values.ndim - 1))) for each in self)
        slopes = jnp.diff(levels) / jnp.diff(knots)
        # A line and what each knot bends it by: no gathers, which are slow to compile in a loop and to differentiate.
        bends = jnp.diff(slopes) * jnp.maximum(values[..., None] - knots[..., 1:-1], 0.0)
        return levels[..., 0] + slopes[..., 0] * (values - knots[..., 0]) + bends.sum(axis=-1)

    def column_to_units(self, values: np.ndarray) -> np.ndarray:
        """What `to_units` gives for one objective, values `[B]`, in NumPy, which compiles nothing.

        Example:
            >>> scales = normalize_each(np.array([[1.0], [2.0], [4.0]]), "z")[1]
            >>> scales.column_to_units(np.array([0.0, 2.0])).round(2).tolist()
            [2.33, 4.83]
        """
        knots, levels = np.asarray(self.normalized[0], np.float64), np.asarray(self.units[0], np.float64)
        return _broken_line(values, knots, levels)

    def column_from_units(self, values: np.ndarray) -> np.ndarray:
        """The inverse of `column_to_units` for values `[B]`, of knots that are equal in units the greatest.

        Example:
            >>> scales = normalize_each(np.array([[1.0], [2.0], [4.0]]), "z")[1]
            >>> scales.column_from_units(scales.column_to_units(np.array([-3.0, 0.5, 2.0]))).round(2).tolist()
            [-3.0, 0.5, 2.0]
        """
        knots, levels = np.asarray(self.normalized[0], np.float64), np.asarray(self.units[0], np.float64)
        kept = np.append(np.diff(levels) > 0, True)
        return _broken_line(values, levels[kept], knots[kept])


def normalize_each(values: np.ndarray, method: str) -> tuple[np.ndarray, Scales]:
    """Values `[L, M]` of which each objective is normalised by itself, float32 `[L, M]`, and the way back.

    Args:
        values: finite, higher is better.
        method: the normalisation, one of `NORMALIZATIONS`; see `normalize`.

    Example:
        >>> normalized, scales = normalize_each(np.array([[1.0], [2.0], [4.0]]), "normal")
        >>> scales.to_units(normalized).round(3).tolist()
        [[1.0], [2.0], [4.0]]
    """
    normalized = np.stack([normalize(column, method) for column in values.T], axis=-1)
    shares = np.linspace(0.0, 1.0, min(len(values), _MOST_KNOTS))
    knots = np.quantile(normalized, shares, axis=0).T + _LEAST_STEP * np.arange(len(shares))
    levels = np.quantile(values, shares, axis=0).T
    return normalized, Scales(jnp.asarray(knots, jnp.float32), jnp.asarray(levels, jnp.float32))


def _broken_line(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The line through increasing x `[Q]` and their y `[Q]`, linear beyond the ends; one point is a constant."""
    if len(x) == 1:
        return np.full(len(values), y[0])
    slopes = np.diff(y) / np.diff(x)
    below = y[0] + slopes[0] * (values - x[0])
    above = y[-1] + slopes[-1] * (values - x[-1])
    return np.where(values < x[0], below, np.where(values > x[-1], above, np.interp(values, x, y)))


def _spread(values: np.ndarray) -> float:
    """The interquartile range, or the standard deviation where more than half of the values are equal."""
    return float(np.subtract(*np.quantile(values, [0.75, 0.25])) or values.std())


def _mean_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, the mean of theirs for equal values. (Importing scipy.stats takes longer than many a fit.)"""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
