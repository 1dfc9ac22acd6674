"""Ranks of strategies over many tasks: their means and the critical difference of those (Demsar, JMLR 2006)."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

from nag_jax.system.errors import InputError


class Ranking(NamedTuple):
    """Ranks of k strategies over D tasks.

    Attributes:
        mean_ranks: the mean rank of each strategy, 1 for one that is best on all tasks.
        p: the p-value of Friedman's test that all strategies do alike.
        critical_difference: the least difference that tells two mean ranks apart, by Nemenyi's test at 5 %.
    """

    mean_ranks: dict[str, float]
    p: float
    critical_difference: float


def rank_strategies(values: Mapping[str, np.ndarray]) -> Ranking:
    """Ranks strategies by their values `[D]`, higher is better; equals share the mean of their ranks.

    Raises:
        InputError: there are fewer than three strategies or two tasks.
    """
    table = np.array(list(values.values()), np.float64)
    if table.ndim != 2 or len(table) < 3 or table.shape[1] < 2:
        raise InputError(f"ranks need at least three strategies and two tasks, found the shape {list(table.shape)}")
    strategies, tasks = table.shape
    ranks = stats.rankdata(-table, axis=0).mean(axis=1)
    quantile = stats.studentized_range.ppf(0.95, strategies, np.inf) / np.sqrt(2)
    return Ranking(
        mean_ranks=dict(zip(values, ranks.tolist(), strict=True)),
        p=float(stats.friedmanchisquare(*table).pvalue),
        critical_difference=float(quantile * np.sqrt(strategies * (strategies + 1) / (6 * tasks))),
    )
