"""Tables with fidelities: columns of trainings of several lengths, and what each would have taken."""

from collections.abc import Generator, Mapping
from typing import NamedTuple

import numpy as np

from nag_jax.evaluators.base import FULL, Described, Outcome
from nag_jax.evaluators.table import TableEvaluator
from nag_jax.system.errors import InputError
from nag_jax.system.names import check_name


class Column(NamedTuple):
    """A fidelity of a table.

    Attributes:
        name: the column that has its values.
        seconds: what a trial of it counts as having taken.
    """

    name: str
    seconds: float


class StagedTable(Described):
    """A table whose objective is there after trainings of several lengths, at simulated seconds.

    The objective is its only metric: the others would tell, for the price of a short training, what came of a long one.
    A longer training is another one in a table, so nothing is resumed.

    Args:
        table: the table; its objective is what full fidelity gives.
        seconds: what a trial of full fidelity counts as having taken.
        columns: the other fidelities by name.

    Raises:
        InputError: the table lacks a column, or full fidelity is given another one.

    Example:
        >>> from nag_jax import evaluators
        >>> table = evaluators.make("analog_nasbench")
        >>> StagedTable(table, 200.0, {"quantised": Column("ptq", 1.0)}).fidelities
        ('full', 'quantised')
    """

    name = "staged_table"
    resumes = False

    def __init__(self, table: TableEvaluator, seconds: float, columns: Mapping[str, Column]):
        for column in columns.values():
            check_name(column.name, table.metrics, "column of the table")
        if FULL in columns:
            raise InputError(f"the fidelity {FULL!r} is the table's objective, {table.objective}: name another")
        self._of = table
        self._table = table._table
        self._columns = {FULL: Column(table.objective, seconds), **columns}
        self.space = table.space
        self.objective = table.objective
        self.metrics = {table.objective: table.metrics[table.objective]}
        self.batch_size = table.batch_size
        self.num_distinct = table.num_distinct
        self.fidelities = tuple(self._columns)
        self.fingerprint = f"{table.fingerprint} {sorted(self._columns.items())}"
        self.covers = table.covers

    def __call__(self, tokens: np.ndarray, *, fidelity: str = FULL, seed: int = 0) -> dict[str, np.ndarray]:
        """Looks up tokens `[B, N]`, whatever the seed; see `Evaluator`."""
        del seed
        return {self.objective: self._of(tokens)[self._columns[fidelity].name]}

    def outcomes(self, tokens: np.ndarray, *, fidelity: str = FULL, seed: int = 0) -> Generator[Outcome]:
        """What tokens `[B, N]` have, with the seconds of the fidelity; see `StreamingEvaluator`."""
        for row, value in enumerate(self(tokens, fidelity=fidelity, seed=seed)[self.objective]):
            yield Outcome(row, {self.objective: float(value)}, cost=self._columns[fidelity].seconds)
