"""The evaluator of NAS-Bench-101's cells: costs by formula, and the labels of a table that the user has."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nag_jax.evaluators import table_file
from nag_jax.evaluators.base import OfWholeSpace, own_space
from nag_jax.evaluators.table import TableEvaluator
from nag_jax.objectives.metric import Direction, Metric, Split
from nag_jax.spaces import NASBench101, Space
from nag_jax.spaces.cells.costs import CellCost
from nag_jax.system.errors import InputError
from nag_jax.system.names import check_name


class NASBench101Evaluator(OfWholeSpace):
    """Evaluates cells by formula, and those of a table by its labels too.

    Attributes:
        name: `"nasbench101"`.
        space: NAS-Bench-101.
        metrics: those of the table, `params` and `macs`; a table may not have columns of these names.
        costs: `params` and `macs`, which constraints can be put on.
        objective: what to search by; None without a table, where nothing but costs is known.
        batch_size: cells of one call.
        architectures: returns the tokens `[R, N]` of a table's cells; only with a table.
        fingerprint: the digest of the table's content.
    """

    name = "nasbench101"
    batch_size = 4096

    def __init__(self, space: NASBench101, table: TableEvaluator | None, objective: str | None):
        self.space = space
        self.costs: dict[str, CellCost] = space.costs()
        self.objective = objective
        self.metrics = dict(table.metrics) if table is not None else {}
        self.metrics |= {name: Metric(name, direction="min") for name in self.costs}
        self._table = table
        if table is not None:
            self.architectures = table.architectures
        content = "" if table is None else table.fingerprint
        self.fingerprint = hashlib.sha256(f"{space.fingerprint} {sorted(self.metrics)} {content}".encode()).hexdigest()

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluates tokens `[B, N]`: float64 `[B]` for each metric.

        Raises:
            InputError: there is a table, and it doesn't have one of the cells.
        """
        labels = self._table(tokens) if self._table is not None else {}
        return labels | {name: cost.of(tokens) for name, cost in self.costs.items()}

    def covers(self, tokens) -> np.ndarray:
        """Bool `[B]`: whether the table has the cells tokens `[B, N]`, in whatever order; True without one."""
        return super().covers(tokens) if self._table is None else self._table.covers(tokens)

    @property
    def num_distinct(self) -> int:
        """How many labels can be paid for: graphs that differ in the order of their vertices count as one."""
        return super().num_distinct if self._table is None else self._table.num_distinct


def load(
    *,
    metric: str | None = None,
    path: str | Path | None = None,
    metrics: str = "",
    space: Space | None = None,
    directions: Mapping[str, Direction] | None = None,
    units: Mapping[str, str] | None = None,
    splits: Mapping[str, Split] | None = None,
    allow_failed: bool = False,
) -> NASBench101Evaluator:
    """Makes the evaluator. Costs need no file; a table adds its metrics.

    Args:
        metric: what to search by: a column of the table, or a cost.
        path: a table as `table_file.load` reads it, whose column `arch` has strings of cells, in any order of their
            vertices, or the benchmark's digests. The file that the benchmark publishes must be converted.
        metrics: what is known of other columns, in words; see `table_file.load`.
        space: NAS-Bench-101.
        directions: `"max"` or `"min"` by column; see `table_file.load`.
        units: the units of columns by name; see `table_file.load`.
        splits: the split of each column by name; see `table_file.load`.
        allow_failed: whether metrics may have gaps, which count as failed trials.

    Raises:
        InputError: the file is missing or isn't what it should be, it has a column named as a cost, there is no such
            metric, or the space is another.
    """
    # One that draws otherwise, or has fewer vertices, means the same by its tokens.
    meant = {name: getattr(space, name) for name in ("most_vertices", "uniform") if hasattr(space, name)}
    own = own_space(space, NASBench101(**meant), has="evaluator nasbench101 knows cells")
    table = None
    if path:
        if not metric:
            raise InputError("evaluator nasbench101 has a table and no metric: name the column to search by")
        table = table_file.load(
            path=path,
            metric=metric,
            metrics=metrics,
            space=own,
            directions=directions,
            units=units,
            splits=splits,
            allow_failed=allow_failed,
            one_a_class=True,
        )
        if both := sorted(set(table.metrics) & set(own.costs())):
            raise InputError(f"{path} has a column {both[0]!r}, which a formula gives: leave it out or rename it")
    evaluator = NASBench101Evaluator(own, table, metric or None)
    if metric:
        check_name(metric, evaluator.metrics, "metric of nasbench101 (a table's columns need its path)")
    return evaluator
