"""Statistics: how sure a number is, and how two rankings agree."""

from collections.abc import Callable
from typing import Any, NamedTuple, SupportsFloat

import numpy as np
from scipy import stats

from nag_jax.reports.checks import finite_vector
from nag_jax.system.errors import InputError

FEWEST_SAMPLES = 3
"""Of fewer a mean has no interval: that of two would be 12.7 standard errors wide on either side."""


class Interval(NamedTuple):
    """An estimate and the confidence interval around it, in the samples' own unit.

    Attributes:
        estimate: the statistic of the samples.
        low: lower bound; NaN where samples are too few to say anything of the spread.
        high: upper bound, likewise.
    """

    estimate: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the interval's length: the y of "x ± y" where the interval is symmetric."""
        return (self.high - self.low) / 2


def mean_interval(samples, *, confidence: float = 0.95) -> Interval:
    """Mean of independent samples `[n]` with its Student t interval, `mean ± t(n - 1) s / sqrt(n)`.

    Meant for figures of a few seeds. The bounds of one or two samples are NaN.
    """
    samples = finite_vector(samples, "samples")
    _check_confidence(confidence)
    mean = float(samples.mean())
    if len(samples) < FEWEST_SAMPLES:
        return Interval(mean, float("nan"), float("nan"))
    quantile = stats.t.ppf((1 + confidence) / 2, df=len(samples) - 1)
    half = float(quantile * samples.std(ddof=1) / np.sqrt(len(samples)))
    return Interval(mean, mean - half, mean + half)


def bootstrap_interval(
    samples,
    *,
    seed: int,
    statistic: Callable[[np.ndarray], SupportsFloat] = np.mean,
    resamples: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """Any statistic of independent samples `[n]`, with its percentile bootstrap interval (Efron 1979).

    Args:
        samples: `[n]`.
        seed: the seed of the resampling; the same seed gives the same interval.
        statistic: a vector to a number.
        resamples: how often n of the n samples are drawn with replacement.
        confidence: the confidence level of the interval, in 0..1.
    """
    samples = finite_vector(samples, "samples")
    _check_confidence(confidence)
    rng = np.random.default_rng(seed)
    n = len(samples)
    draws = [float(statistic(samples[rng.integers(n, size=n)])) for _ in range(resamples)]
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(statistic(samples)), float(low), float(high))


def spearman(a, b) -> float:
    """Spearman's rank correlation of two vectors `[n]`, in -1..1, ties at their mean rank.

    NaN if either is constant.
    """
    a, b = _pair(a, b)
    if _constant(a) or _constant(b):
        return float("nan")
    return float(np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1])


def kendall(a, b) -> float:
    """Kendall's tau-b of two vectors `[n]`, in -1..1, corrected for ties.

    NaN if either is constant.
    """
    a, b = _pair(a, b)
    result: Any = stats.kendalltau(a, b)
    return float(result.statistic)


def _pair(a, b) -> tuple[np.ndarray, np.ndarray]:
    a, b = finite_vector(a, "first ranking"), finite_vector(b, "second ranking")
    if len(a) != len(b):
        raise InputError(f"expected rankings of one length, found {len(a)} and {len(b)} values")
    return a, b


def _constant(a: np.ndarray) -> bool:
    return bool((a == a[0]).all())


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise InputError(f"confidence: expected a number between 0 and 1, found {confidence}")
