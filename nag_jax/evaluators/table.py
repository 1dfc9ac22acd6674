"""An evaluator that looks its labels up in a table."""

from collections.abc import Callable

import numpy as np

from nag_jax.evaluators.base import Described
from nag_jax.evaluators.lookup import ArchitectureTable
from nag_jax.objectives.metric import Metric, find_metric
from nag_jax.spaces import Space
from nag_jax.system.errors import InputError, quoted


class TableEvaluator(Described):
    """Looks up the labels of architectures that somebody has already measured.

    The values themselves leave it only through a call, which a ledger makes and counts, and through the
    reporting view. What it says for free is which architectures it has.

    Attributes:
        name: the name in the registry.
        space: the space whose architectures it has.
        metrics: what a call returns.
        objective: the metric that the caller asked for, checked to exist.
        batch_size: architectures in one call.
        fingerprint: SHA-256 of the content.
        rows: the number of rows that the source has.
    """

    batch_size = 1024

    def __init__(
        self,
        *,
        name: str,
        space: Space,
        source: str,
        tokens: np.ndarray,
        columns: dict[str, np.ndarray],
        metrics: dict[str, Metric],
        objective: str,
        allow_failed: bool = False,
        one_a_class: bool = False,
        average_twins: bool = False,
        place: Callable[[int], str] = "row {}".format,
        rows: int | None = None,
    ):
        """Makes a table of arrays and checks it.

        Args:
            name: the name in the registry.
            space: the space whose architectures these are.
            source: the file or package that they come from, for messages.
            tokens: `[R, N]`, one row per architecture.
            columns: `[R]` for each metric.
            metrics: what the columns are.
            objective: the metric to search by.
            allow_failed: whether a label may be NaN, which makes a failed trial.
            one_a_class: whether a row holds for all architectures that compute the same thing.
            average_twins: whether architectures that compute the same thing get the mean of their labels, which takes
                out what differs by training noise alone.
            place: where in the source row i stands, for messages.
            rows: the number of rows that the source has, where some were put together.

        Raises:
            InputError: the objective is not among the metrics, the table is empty, an architecture comes
                twice, or a label is infinite or, unless `allow_failed`, NaN.
        """
        objective = find_metric(metrics, objective, f"metric of {source}")
        if not len(tokens):
            raise InputError(f"{source} has no rows: expected an architecture a row")
        self.name = name
        self.space = space
        self.metrics = metrics
        self.objective = objective
        self.rows = len(tokens) if rows is None else rows
        self._table = ArchitectureTable(space, source, tokens, columns, one_a_class=one_a_class)
        _check_distinct(self._table, place)
        for metric in metrics:
            _check_labels(self._table, metric, allow_failed, place)
        if average_twins:
            self._table.average_twins()
        self.fingerprint = self._table.fingerprint()

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Looks up tokens `[B, N]`: float64 `[B]` for each metric; NaN where the trial failed.

        Raises:
            InputError: the table doesn't have one of the architectures.
        """
        rows = self._table.known_rows(tokens)
        return {metric: self._table.columns[metric][rows] for metric in self.metrics}

    def _about_architectures(self) -> str:
        count = len(self._table.tokens)
        rows = "" if self.rows == count else f"{self.rows:,} rows for "
        source = "" if self._table.source == self.name else f"{self._table.source}, "
        return f"{source}{rows}{count:,} architectures of {self.space.name!r}"

    def covers(self, tokens) -> np.ndarray:
        """Bool `[B]`: whether the table has the architectures tokens `[B, N]`."""
        return self._table.rows(tokens) >= 0

    def architectures(self) -> np.ndarray:
        """Tokens int32 `[R, N]` of all architectures of the table, without their labels."""
        return self._table.tokens.copy()

    @property
    def num_distinct(self) -> int:
        """How many labels can be paid for: architectures that compute the same thing count as one."""
        return len(np.unique(self.space.canonical(self._table.tokens)))


def _check_distinct(table: ArchitectureTable, place: Callable[[int], str]) -> None:
    repetition = table.first_repetition()
    if repetition is not None:
        again, before = repetition
        native = table.space.to_native(table.tokens[again : again + 1])[0]
        raise InputError(
            f"{table.source}, {place(again)}: {quoted(native)} is already on {place(before)}; keep one row per "
            "architecture, or set average_repeats=True for the means of those that come again"
        )


def _check_labels(table: ArchitectureTable, metric: str, allow_failed: bool, place: Callable[[int], str]) -> None:
    values = table.columns[metric]
    bad = np.isinf(values) if allow_failed else ~np.isfinite(values)
    if not bad.any():
        return
    row = int(np.argmax(bad))
    mend = "fill it in, delete the row, or set allow_failed=True to count empty cells as failed trials"
    raise InputError(
        f"{table.source}, {place(row)}: the label {quoted(metric)} is {values[row]}, expected a finite number "
        f"(rows like that: {int(bad.sum())}); {mend}"
    )
