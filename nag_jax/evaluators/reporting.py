"""The view of a table that reports have beyond the paid labels: pool statistics, regret, the optimum.

Predictors, guidance, strategies and training must never import this module: they know what was paid for.
"""

import numpy as np

from nag_jax.evaluators.base import Evaluator
from nag_jax.evaluators.lookup import ArchitectureTable
from nag_jax.objectives import Metric, Objectives
from nag_jax.spaces import NodeSpace, whole
from nag_jax.system.errors import InputError


class ReportingView:
    """The whole table behind an evaluator, free of charge and for reports only. Made by `reporting_view`.

    Every method raises InputError for a metric that the table doesn't have.
    """

    def __init__(self, table: ArchitectureTable, metrics: dict[str, Metric], rows: np.ndarray | slice = slice(None)):
        self._table = table
        self._metrics = metrics
        self._rows = rows

    def values(self, tokens, metric: str) -> np.ndarray:
        """Values float64 `[B]` of tokens `[B, N]`, in the metric's unit; NaN where the trial failed.

        Raises:
            InputError: the table doesn't have one of the architectures.
        """
        column = self._table.values(metric)
        return column[self._table.known_rows(tokens)]

    def architectures(self) -> np.ndarray:
        """Tokens int32 `[R, N]` of all rows."""
        return self._table.tokens[self._rows].copy()

    def all(self, metric: str) -> np.ndarray:
        """Values float64 `[R]` of all rows, in the order of `architectures()`."""
        return self._table.values(metric)[self._rows].copy()

    def best(self, metric: str) -> float:
        """The best value in the table, in the metric's direction."""
        return self.best_mean(metric, 1)

    def worth(self, objectives: Objectives) -> np.ndarray:
        """What all rows are worth, float64 `[R]`, in the order of `architectures()`; see `Objectives.worth`."""
        return objectives.worth(objectives.of({name: self.all(name) for name in objectives.names}))

    def worth_of(self, tokens, objectives: Objectives) -> np.ndarray:
        """What tokens `[B, N]` are worth, float64 `[B]`; see `values`."""
        return objectives.worth(objectives.of({name: self.values(tokens, name) for name in objectives.names}))

    def best_worth(self, objectives: Objectives) -> float:
        """The best of `worth`, in the direction of the objectives' metric."""
        sign = objectives.metric.sign
        return float(sign * np.nanmax(sign * self.worth(objectives)))

    def best_mean(self, metric: str, k: int) -> float:
        """The mean value of the best k architectures, in the metric's direction.

        Raises:
            InputError: k is not positive, or the table has fewer than k values.
        """
        values = self.all(metric)
        ranked = np.sort(values[~np.isnan(values)])
        if not 1 <= k <= len(ranked):
            raise InputError(
                f"the mean of the best {k} by {metric!r}: expected 1 to {len(ranked)}, as many values as "
                f"{self._table.source} has; ask for fewer"
            )
        best = ranked[-k:] if self._metrics[metric].direction == "max" else ranked[:k]
        return float(best.mean())


def reporting_view(evaluator: Evaluator, space: NodeSpace | None = None) -> ReportingView:
    """The reporting view of an evaluator.

    Args:
        evaluator: has the table.
        space: the space whose architectures count, where it may be part of the table's.

    Raises:
        InputError: the evaluator has no table, so nobody knows its values before paying.
    """
    table = getattr(evaluator, "_table", None)
    if not isinstance(table, ArchitectureTable):
        raise InputError(
            f"the evaluator {evaluator.name!r} has no table to report from: pool statistics and regret need "
            "a tabular one; report the paid labels instead"
        )
    if space is None or whole(space) is space:
        return ReportingView(table, evaluator.metrics)
    return ReportingView(table, evaluator.metrics, np.flatnonzero(space.contains(table.tokens)))
