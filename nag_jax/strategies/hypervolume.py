r"""Expected hypervolume improvement of several objectives.

With independent normal beliefs the expectation is a sum over the boxes between the front and the ideal (Emmerich et
al., 2006; Yang et al., 2019). Boxes here are cells of the grid of the front's values in all objectives but the first;
above a cell the first objective must exceed what the front has there, t, so that

.. math:: EHVI(x) = \sum_q EI_0(t_q) \prod_{m>0} (EI_m(low_{qm}) - EI_m(high_{qm}))

with one-objective expected improvements EI. A known objective, as a cost by formula, is a normal one of no width, and
leaves a sum over strips. Where a model's scale isn't linear in the metric, as that of ranks, each EI is a sum over the
front's levels with the slope of the metric there, so that the volume is the metrics' own.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_jax.strategies.acquisitions import log_improvement
from nag_jax.strategies.surrogates.base import padded_capacity

UnitsFn = Callable[[np.ndarray], np.ndarray]
"""Values `[n]` of a model's scale -> in the metric's unit, increasing."""

_MOST_CELLS = 4096
"""Cells of the grid at most; a finer front is thinned to its quantiles."""
_FAR = 1e3
"""What stands for infinity among levels; objectives run from 0 to 1."""
_LEAST = 64
"""Thresholds that one call is compiled for, or that many times a power of two."""


class Cells(NamedTuple):
    """The boxes that hypervolume can still be won in: cells of a grid over the objectives but the first.

    Attributes:
        levels: increasing bounds of the grid's intervals in each of the other objectives, `[M - 1, L + 1]`; at the end
            they may repeat.
        slopes: units of the objective that one of its interval's is worth, `[M - 1, L]`.
        thresholds: values of the first objective, `[T]`, increasing; at the end infinity.
        worth: units of the first objective that one between a threshold and the next is worth, `[T]`.
        places: which of the thresholds the first objective must exceed in each cell, `[L, .., L]`.
    """

    levels: Any
    slopes: Any
    thresholds: Any
    worth: Any
    places: Any


def make_cells(
    front: np.ndarray, reference: np.ndarray, ceiling: np.ndarray, to_units: Sequence[UnitsFn] | None = None
) -> Cells:
    """The cells above a front.

    Args:
        front: values of what nothing beats, `[F, M]`.
        reference: the reference point `[M]`.
        ceiling: what no value exceeds, `[M]`.
        to_units: the units that hypervolume is measured in, of each objective; None for those of the values.

    Example:
        >>> cells = make_cells(np.array([[0.5, 0.5]]), np.zeros(2), np.ones(2))
        >>> cells.levels[0, :3].tolist(), cells.thresholds[cells.places[:2]].tolist()
        ([0.0, 0.5, 1.0], [0.5, 0.0])
    """
    front = front[(front > reference).all(axis=1)]
    others = front.shape[1] - 1
    in_units = [np.asarray] * (others + 1) if to_units is None else to_units
    most = int(_MOST_CELLS ** (1 / max(others, 1)))
    levels, slopes = np.zeros((others, most + 1)), np.zeros((others, most))
    for m in range(others):
        levels[m] = _levels(front[:, 1 + m], reference[1 + m], ceiling[1 + m], most)
        slopes[m] = _slopes(levels[m], in_units[1 + m])
    thresholds = np.concatenate([reference[:1], np.unique(front[:, 0])])
    worth = _slopes(np.append(thresholds, max(ceiling[0], thresholds[-1]) + 1.0), in_units[0])
    padding = padded_capacity(len(thresholds) + 1, _LEAST) - len(thresholds)
    places = np.zeros((most,) * others, np.int32)
    middles = [(side[:-1] + side[1:]) / 2 for side in levels]
    for point in front:
        covered = np.ix_(*(middle <= value for middle, value in zip(middles, point[1:], strict=True)))
        places[covered] = np.maximum(places[covered], 1 + np.searchsorted(thresholds[1:], point[0]))
    return Cells(
        levels.astype(np.float32),
        slopes.astype(np.float32),
        np.append(thresholds, np.full(padding, np.inf)).astype(np.float32),
        np.append(worth, np.zeros(padding)).astype(np.float32),
        places,
    )


def _levels(values: np.ndarray, least: float, greatest: float, most: int) -> np.ndarray:
    """Increasing bounds of so many intervals, which include the ends; the last repeats where fewer are enough."""
    inner = np.unique(values[(values > least) & (values < greatest)])
    if len(inner) > most - 1:
        inner = inner[np.linspace(0, len(inner) - 1, most - 1).round().astype(int)]
    return np.concatenate([[least], inner, np.full(most - len(inner), greatest)])


def _slopes(levels: np.ndarray, to_units: UnitsFn) -> np.ndarray:
    """Units per unit of the model, between each level and the next; 0 between equal ones."""
    steps = np.diff(levels)
    return np.diff(to_units(levels)) / np.where(steps > 0, steps, np.inf)


def log_improvement_of(means: Array, deviations: Array, cells: Cells) -> Array:
    """The logarithm `[B]` of expected hypervolume improvement for independent normal objectives, `[B, M]` each."""

    def log_gains(m, levels, slopes):
        """What each interval adds to the objective on average, `[B, L]`: differences of expected improvements."""
        std = deviations[:, m, None]
        gain = log_improvement((means[:, m, None] - jnp.minimum(levels, _FAR)[None]) / std) + jnp.log(std)
        share = -jnp.expm1(jnp.minimum(gain[:, 1:] - gain[:, :-1], -1e-7))
        return jnp.where(slopes[None] > 0, gain[:, :-1] + jnp.log(share) + jnp.log(slopes)[None], -jnp.inf)

    factors = [log_gains(0, jnp.append(cells.thresholds, jnp.inf), cells.worth)]
    factors += [log_gains(m, *each) for m, each in enumerate(zip(cells.levels, cells.slopes, strict=True), 1)]
    # Only factors need logarithms: what is out of a sum's reach is out of the question.
    greatest = [factor.max(axis=1) for factor in factors]
    scaled = [jnp.exp(factor - most[:, None]) for factor, most in zip(factors, greatest, strict=True)]
    above = jax.lax.cumsum(scaled[0], axis=1, reverse=True)
    total = jnp.take(above, cells.places.reshape(-1), axis=1).reshape(len(means), *cells.places.shape)
    for factor in reversed(scaled[1:]):
        total = jnp.einsum("b...i,bi->b...", total, factor)
    return jnp.log(total) + jnp.stack(greatest).sum(axis=0)
