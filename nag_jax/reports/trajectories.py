"""Trajectories: what a search reached after how many labels. Higher is better; NaN where a trial failed."""

from collections.abc import Mapping

import numpy as np
from scipy import stats

from nag_jax.system.errors import InputError

FEWEST_SEEDS = 6
"""Pairs without which the signed-rank test can't reach 5 %: all of five in one direction have p = 2 / 2^5 = 6 %."""


def incumbents(values) -> np.ndarray:
    """Position of the best trial so far, for each number of labels: int64 `[..., T]` of values `[..., T]`.

    The first of equals counts. It is -1 as long as every trial has failed.
    """
    values = np.nan_to_num(np.asarray(values, np.float64), nan=-np.inf)
    best = np.maximum.accumulate(values, axis=-1)
    before = np.concatenate([np.full_like(best[..., :1], -np.inf), best[..., :-1]], axis=-1)
    risen = best > before
    return np.maximum.accumulate(np.where(risen, np.arange(values.shape[-1]), -1), axis=-1)


def at_incumbents(values, chosen: np.ndarray) -> np.ndarray:
    """The values `[..., T]` at the positions that `incumbents` chose `[..., T]`; NaN where it chose none.

    The values may be of another metric than the one that chose, as when a search on validation is reported on test.
    """
    values = np.asarray(values, np.float64)
    return np.where(chosen < 0, np.nan, np.take_along_axis(values, np.maximum(chosen, 0), axis=-1))


def labels_to_reach(values, target: float) -> np.ndarray:
    """How many labels were paid until a value reached the target: float64 `[S]` of values `[S, T]`; inf for never."""
    reached = np.nan_to_num(np.asarray(values, np.float64), nan=-np.inf) >= target
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)


def quantile(labels, q: float) -> float:
    """A quantile of numbers of labels `[S]`, some of which may be inf: halfway between its two neighbours in order."""
    ordered = np.sort(np.asarray(labels, np.float64))
    place = q * (len(ordered) - 1)
    return float((ordered[int(np.floor(place))] + ordered[int(np.ceil(place))]) / 2)


def bootstrap_band(curves, *, seed: int, resamples: int = 1000, confidence: float = 0.95) -> np.ndarray:
    """Mean and percentile bootstrap band (Efron 1979) of curves `[S, T]`: mean, low and high, float64 `[3, T]`.

    Curves are resampled whole; a NaN is left out of the mean at its place.
    """
    curves = np.asarray(curves, np.float64)
    if curves.ndim != 2 or not len(curves):
        raise InputError(f"expected curves [S, T] of at least one seed, found the shape {list(curves.shape)}")
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(curves), np.full(len(curves), 1 / len(curves)), size=resamples).astype(float)
    known = np.isfinite(curves)
    with np.errstate(invalid="ignore"):
        mean = np.where(known, curves, 0.0).sum(axis=0) / known.sum(axis=0)
        draws = (counts @ np.where(known, curves, 0.0)) / (counts @ known)
        low, high = np.nanquantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return np.stack([mean, low, high])


def paired_p_value(first, second) -> float:
    """Two-sided p of Wilcoxon's signed-rank test that two strategies do alike on the same seeds; values `[S]` each.

    1 where no seed tells them apart, NaN for fewer than `FEWEST_SEEDS`, which can't show a difference at 5 %.
    """
    difference = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    difference = difference[np.isfinite(difference)]
    if len(difference) < FEWEST_SEEDS:
        return float("nan")
    if not difference.any():
        return 1.0
    return float(stats.wilcoxon(difference).pvalue)  # pyright: ignore[reportAttributeAccessIssue]


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P corrected for how many tests there are, by Holm's step-down method (1979); NaNs are no tests and stay."""
    order = sorted((name for name in p_values if np.isfinite(p_values[name])), key=lambda name: p_values[name])
    corrected, largest = dict(p_values), 0.0
    for rank, name in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[name]))
        corrected[name] = largest
    return corrected


def hypervolumes(values) -> np.ndarray:
    """Hypervolume above the origin of the first 1 to T trials: `[S, T]` of values `[S, T, M]`, higher is better.

    A trial with a NaN adds nothing.
    """
    import moocore  # here, for it takes a tenth of a second and few runs have a second metric

    values = np.asarray(values, np.float64)
    counted = np.where(np.isfinite(values).all(axis=-1, keepdims=True), values, 0.0)
    origin = np.zeros(values.shape[-1])
    return np.array(
        [[moocore.hypervolume(-trials[: n + 1], ref=origin) for n in range(len(trials))] for trials in counted]
    )
