"""Pools: what was generated, counted, ranked and labelled."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from nag_jax.evaluators import Metric
from nag_jax.generators.contract import Samples
from nag_jax.objectives.fronts import around, choose, non_dominated
from nag_jax.spaces import Space
from nag_jax.spaces.distinct import distinct_rows
from nag_jax.spaces.rows import Rows
from nag_jax.system.errors import InputError
from nag_jax.tasks.kept import Kept
from nag_jax.trials import Ledger

if TYPE_CHECKING:
    import pandas as pd

TRAINING, FINAL = "training", "final"
"""Purposes in ledgers: of the labels that a predictor learns from, and of those of the best that were generated."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pool(Kept):
    """Generated architectures, each once. Made by `generate`.

    Attributes:
        architectures: what was generated, in the space's own notation; best by the predictor first, where there is one.
        times_generated: how often each was, int `[D]`.
        predictions: the predictor's, in the metric's own unit and direction, `[D]`; NaN without one.
        values: the labels of those that were paid for, in the metric's unit, `[D]`; NaN for the others.
        metric: the objective, or None.
        best: the best of those that were paid for, or None.
        best_value: its value, or NaN.
        labels_paid: labels in the ledger by purpose.
        num_samples: samples that were drawn, invalid ones included.

    Example:
        >>> from nag_jax import fit, generate, space
        >>> model = fit(space("nasbench201"), num_steps=1, network={"width": 8}, progress=False)
        >>> pool = generate(model, num_samples=8, num_steps=2, progress=False)
        >>> pool.num_samples, pool.best, pool.labels_paid
        (8, None, {})
    """

    architectures: list[str] = dataclasses.field(repr=False)
    times_generated: np.ndarray = dataclasses.field(repr=False)
    predictions: np.ndarray = dataclasses.field(repr=False)
    values: np.ndarray = dataclasses.field(repr=False)
    metric: Metric | None
    best: str | None
    best_value: float
    labels_paid: dict[str, int]
    num_samples: int

    def __len__(self) -> int:
        return len(self.architectures)

    def front(self, *costs: np.ndarray, n: int | None = None) -> np.ndarray:
        """Rows int64 `[F]` of the architectures that no other beats in prediction and in costs, best prediction first.

        Args:
            *costs: a cost of each architecture, `[D]`, less is better.
            n: that many rows at most, those that add most hypervolume, one after the other; by default all.

        Raises:
            InputError: there are no predictions, or there isn't a cost of each.

        Example:
            >>> from nag_jax.objectives import Metric
            >>> cells, nans = ["a", "b", "c"], np.full(3, np.nan)
            >>> pool = Pool(cells, np.ones(3), np.array([9.0, 8.0, 7.0]), nans, Metric("acc"), None, np.nan, {}, 3)
            >>> pool.front(np.array([5.0, 2.0, 3.0])).tolist()
            [0, 1]
        """
        if self.metric is None or not np.isfinite(self.predictions).any():
            raise InputError("a front is of predictions, and this pool has none: generate toward an objective")
        if wrong := [len(cost) for cost in costs if len(cost) != len(self)]:
            raise InputError(f"expected costs of {len(self):,} architectures, found {wrong[0]:,}: give one of each")
        values = np.stack([self.metric.sign * self.predictions, *(-np.asarray(cost, np.float64) for cost in costs)], 1)
        rows = non_dominated(values)
        if n is not None and len(rows):
            rows = rows[choose(values[rows], around(values[rows]), n)]
        return rows[np.argsort(-values[rows, 0], kind="stable")]

    def to_pandas(self) -> "pd.DataFrame":
        """A data frame of a row per architecture, which `nag_jax.evaluator` takes for a table.

        Its columns are `arch`, `times_generated`, `predicted`, and the labels under the metric's name.
        """
        import pandas as pd

        columns = {"arch": self.architectures, "times_generated": self.times_generated, "predicted": self.predictions}
        return pd.DataFrame(columns if self.metric is None else columns | {self.metric.name: self.values})


def make_pool(
    space: Space,
    samples: Samples,
    predict: Callable[[np.ndarray], np.ndarray] | None = None,
    book: Ledger | None = None,
    metric: Metric | None = None,
    in_units: Callable[[np.ndarray], np.ndarray] = lambda predictions: predictions,
) -> Pool:
    """The valid architectures of samples, each once, with what is known of them.

    Args:
        space: the space that they were sampled in.
        samples: what a generator's sampler returned.
        predict: tokens `[B, N]` -> predictions `[B]`, higher is better; None for no predictor.
        book: the ledger of the labels, None where nothing was paid for.
        metric: the objective, None likewise.
        in_units: predictions `[B]` -> in the metric's own unit and direction.
    """
    tokens, counts, predictions = tally(samples.tokens[samples.valid], predict)
    values = np.full(len(tokens), np.nan)
    best, best_value, paid = None, np.nan, {}
    architectures = space.to_native(tokens)
    if book is not None and metric is not None:
        known = {trial.key: trial.values[metric.name] for trial in book.trials()}
        values = np.array([known.get(key, np.nan) for key in space.canonical(tokens).tolist()])
        best, best_value = best_of(architectures, values, metric)
        paid = book.paid_by_purpose()
    predictions = in_units(predictions)
    return Pool(architectures, counts, predictions, values, metric, best, best_value, paid, len(samples.tokens))


def best_of(architectures: list[str], values: np.ndarray, metric: Metric) -> tuple[str | None, float]:
    """The architecture with the best of the values `[M]`, and that; None and NaN where none is finite."""
    if not np.isfinite(values).any():
        return None, np.nan
    i = int(np.nanargmax(metric.sign * values))
    return architectures[i], float(values[i])


def rank(space: Space, tokens: np.ndarray, predictions: np.ndarray, *, exclude=None) -> np.ndarray:
    """Rows of a pool in the order of the predictions, best first, each thing that is computed once.

    Args:
        space: the space of the pool.
        tokens: valid architectures `[B, N]`.
        predictions: `[B]`, higher is better.
        exclude: keys of `space.canonical` to leave out, as those of architectures already labelled.
    """
    keys = space.canonical(tokens)
    order = np.argsort(-predictions, kind="stable")
    order = order[distinct_rows(keys[order])]
    return order if exclude is None else order[~np.isin(keys[order], exclude)]


def tally(
    tokens: np.ndarray, predict: Callable[[np.ndarray], np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each architecture of a pool once, best by the predictor first.

    Args:
        tokens: valid architectures `[B, N]`.
        predict: tokens `[B, N]` -> predictions `[B]`, higher is better; None for no predictor.

    Returns:
        Tokens `[D, N]`, how often each is in the pool `[D]`, and their predictions `[D]`, NaN without a predictor.

    Example:
        >>> cells = np.array([[0, 1], [0, 2], [0, 2]])
        >>> [column.tolist() for column in tally(cells, lambda tokens: tokens[:, 1].astype(float))]
        [[[0, 2], [0, 1]], [2, 1], [2.0, 1.0]]
    """
    unique, counts = np.unique(tokens, axis=0, return_counts=True)
    if predict is None or not len(unique):
        return unique, counts, np.full(len(unique), np.nan)
    predictions = predict(unique)
    order = np.argsort(-predictions, kind="stable")
    return unique[order], counts[order], predictions[order]


def rank_new(
    space: Space,
    samples: Samples,
    predict: Callable[[np.ndarray], np.ndarray],
    *,
    may_be_labelled: Callable[[np.ndarray], np.ndarray],
    labelled: np.ndarray,
    rows: Rows | None = None,
) -> np.ndarray:
    """The generated architectures that can be labelled, each once, best by the predictor first: tokens `[m, N]`.

    Args:
        space: the space of the pool.
        samples: the pool.
        predict: tokens `[B, N]` -> predictions `[B]`, higher is better.
        may_be_labelled: tokens `[B, N]` -> bool `[B]`.
        labelled: architectures that have a label, tokens `[L, N]`; they and what computes the same are left out.
        rows: where few of a large space can be labelled, those; what was generated stands for the nearest one.

    Raises:
        InputError: there is none.
    """
    tokens, known = samples.tokens[samples.valid], space.canonical(labelled)
    tokens = tokens if rows is None else rows.nearest(tokens, known)
    tokens = tokens[may_be_labelled(tokens)]
    order = rank(space, tokens, predict(tokens), exclude=known) if len(tokens) else []
    if not len(order):
        raise InputError(
            "no generated architecture is valid, within the constraints, known to the evaluator and still without "
            "a label: raise num_samples, lower labels.training, or train the score network longer"
        )
    return tokens[order]
