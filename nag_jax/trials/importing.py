"""Old labels as trials: a table of architectures and values that somebody has paid for already."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nag_jax.evaluators import table_file
from nag_jax.evaluators.table_formats import read
from nag_jax.system.errors import InputError, quoted
from nag_jax.trials.ledger import Ledger
from nag_jax.trials.trial import FULL, Trial, now

if TYPE_CHECKING:
    import pandas as pd

IMPORTED = "imported"
"""The purpose of imported labels."""
_FIDELITY, _SEED, _COST = "fidelity", "seed", "cost"
"""Columns that say more of a trial, where no metric has that name."""


class Imported(NamedTuple):
    """What an import did.

    Attributes:
        stored: trials that the ledger has now and had not before.
        known: rows that were left out, because what they are about has a trial, or had one in a row before.

    Example:
        >>> Imported(stored=10, known=2).known
        2
    """

    stored: int
    known: int


def import_labels(
    ledger: Ledger, source: "str | Path | pd.DataFrame", *, origin: str = "", purpose: str = IMPORTED
) -> Imported:
    """Stores old labels as trials of a ledger, all or none of them; nothing is evaluated.

    The table has a column `arch` of the space's strings and one for each metric of the ledger's evaluator, where an
    empty cell is a failed trial. It may have the columns `fidelity`, `seed` and `cost` (seconds) besides.

    Args:
        ledger: the ledger of the evaluator that would have given these labels.
        source: a CSV or Parquet file, or a data frame.
        origin: whence they come; by default the file's name.
        purpose: what `Ledger.paid_by_purpose` counts them under.

    Raises:
        InputError: the file can't be read, a column is missing or isn't numbers, or a string isn't an architecture.

    Example:
        >>> import pandas as pd
        >>> from nag_jax import evaluators
        >>> evaluator = evaluators.make("nas_bench_graph", dataset="cora", metric="validation")
        >>> old = pd.DataFrame({"arch": ["0012|gcn|gat|fc|skip"], **dict.fromkeys(evaluator.metrics, 0.5)})
        >>> with Ledger.open(None, evaluator) as ledger:
        ...     import_labels(ledger, old, origin="last year"), ledger.trials()[0].origin
        (Imported(stored=1, known=0), 'last year')
    """
    if isinstance(source, str | Path):
        name, (frame, place) = str(source), read(Path(source))
    else:
        name, frame, place = "the data frame", source, "row {} (from 0)".format
    frame = table_file.tidy(frame, name)
    if frame.empty:
        return Imported(0, 0)
    trials = _trials(ledger, frame, name, place, origin=origin or Path(name).name, purpose=purpose)
    stored = ledger.add(trials)
    return Imported(stored, len(trials) - stored)


def _trials(
    ledger: Ledger, frame: "pd.DataFrame", name: str, place: Callable[[int], str], *, origin: str, purpose: str
) -> Sequence[Trial]:
    """A trial a row."""
    frame = table_file.name_architectures(frame, ledger.space, name)
    if missing := [metric for metric in ledger.metrics if metric not in frame]:
        raise InputError(
            f"{name} has no column for {missing}, which the evaluator measures: add them, or use an evaluator that "
            "measures no more than the table has"
        )
    values = {metric: table_file.numeric_columns(frame, metric, name, place)[metric] for metric in ledger.metrics}
    tokens = table_file.read_architectures(frame, ledger.space, name, place)
    keys, natives, time = ledger.space.canonical(tokens).tolist(), ledger.space.to_native(tokens), now()
    more = _Columns(frame, name, place, {_FIDELITY, _SEED, _COST} - set(ledger.metrics))
    return [
        Trial(
            key=keys[row],
            architecture=natives[row],
            values={
                metric: float(column[row]) if np.isfinite(column[row]) else np.nan for metric, column in values.items()
            },
            purpose=purpose,
            time=time,
            fidelity=more.fidelity(row),
            seed=more.seed(row),
            cost=more.cost(row),
            origin=origin,
        )
        for row in range(len(frame))
    ]


class _Columns:
    """The columns of a table that a trial can do without."""

    def __init__(self, frame: "pd.DataFrame", name: str, place: Callable[[int], str], known: set[str]):
        self._columns = {column: frame[column].tolist() for column in known if column in frame}
        self._name, self._place = name, place

    def fidelity(self, row: int) -> str:
        found = self._of(_FIDELITY, row)
        return FULL if found is None else str(found)

    def seed(self, row: int) -> int:
        found = self._of(_SEED, row)
        if found is None:
            return 0
        if not (isinstance(found, int | float) and found == int(found) and abs(found) < 2**63):
            raise self._wrong(_SEED, row, "a whole number")
        return int(found)

    def cost(self, row: int) -> float | None:
        found = self._of(_COST, row)
        if found is None:
            return None
        if not (isinstance(found, int | float) and 0 <= found < float("inf")):
            raise self._wrong(_COST, row, "seconds")
        return float(found)

    def _of(self, column: str, row: int):
        found = self._columns[column][row] if column in self._columns else None
        return None if found != found else found  # NaN, as of an empty cell

    def _wrong(self, column: str, row: int, expected: str) -> InputError:
        found = quoted(self._columns[column][row])
        return InputError(
            f"{self._name}, {self._place(row)}: expected {expected} in the column {column!r}, found {found}"
        )
