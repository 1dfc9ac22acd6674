"""The outcome of one search: what was labelled, and the best of it."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from nag_jax.evaluators import Metric
from nag_jax.system.errors import InputError
from nag_jax.tasks.kept import Kept
from nag_jax.tasks.pool import best_of
from nag_jax.trials import Ledger

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True, eq=False)
class Found(Kept):
    """What a search paid for, in order. Made by `search`.

    Attributes:
        architectures: what was labelled, in the space's own notation.
        values: the architectures' values of the objective, in its unit, `[M]`; NaN for failed trials.
        labels: the architectures' values of all metrics of the evaluator, by name, `[M]` each.
        metric: the objective.
        best: the architecture with the best value; None where all failed.
        best_value: its value, or NaN.
        labels_paid: labels in the ledger by purpose.

    Example:
        >>> from nag_jax import evaluator, search, space
        >>> graphs = space("nasbench_graph")
        >>> cora = evaluator("nas_bench_graph", graphs, dataset="cora", metric="validation")
        >>> found = search(graphs, cora, strategy="random_search", budget=10, progress=False)
        >>> len(found), sorted(found.labels), found.best in found.architectures
        (10, ['latency', 'parameters', 'test', 'validation'], True)
    """

    architectures: list[str] = dataclasses.field(repr=False)
    values: np.ndarray = dataclasses.field(repr=False)
    labels: dict[str, np.ndarray] = dataclasses.field(repr=False)
    metric: Metric
    best: str | None
    best_value: float
    labels_paid: dict[str, int]

    def best_so_far(self) -> np.ndarray:
        """The best value after each label `[M]`; NaN before the first that didn't fail."""
        best = np.fmax.accumulate(self.metric.sign * self.values)
        return self.metric.sign * best

    def __len__(self) -> int:
        return len(self.architectures)

    def to_pandas(self) -> "pd.DataFrame":
        """A data frame of a row per label, in order, which `nag_jax.evaluator` takes for a table.

        Its columns are `arch`, the metrics by their names, and the objective's `best_so_far`.
        """
        import pandas as pd

        return pd.DataFrame({"arch": self.architectures, **self.labels, "best_so_far": self.best_so_far()})


def read_found(book: Ledger, values: np.ndarray, metric: Metric, names: list[str]) -> Found:
    """What a search found that paid for the first labels of a ledger.

    Args:
        book: the ledger.
        values: those of the objective that the search was told, in its unit, `[M]`.
        metric: the objective.
        names: the names of the metrics to list.
    """
    trials = book.trials()[: len(values)]
    architectures = [trial.architecture for trial in trials]
    labels = {name: np.array([trial.values[name] for trial in trials]) for name in names}
    best, best_value = best_of(architectures, values, metric)
    return Found(architectures, values, labels, metric, best, best_value, book.paid_by_purpose())


@contextmanager
def owned(book: Ledger, purpose: str) -> Iterator[None]:
    """Holds a ledger that has no labels but those of one search, for as long as that takes.

    Raises:
        InputError: it holds labels of something else, or does so once another search has ended.
    """

    def check():
        if others := book.paid_by_purpose().keys() - {purpose}:
            raise InputError(f"{book.path} holds labels of something else, {sorted(others)}: give this search its own")

    check()
    with book.alone():
        check()
        yield
