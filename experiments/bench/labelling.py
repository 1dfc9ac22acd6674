"""Strategies on a table that lies there whole: no ledger, for benchmarks of thousands of searches."""

from collections.abc import Callable

import jax
import numpy as np

from nag_jax.strategies import Strategy


def label_rows(
    strategy: Strategy,
    key: jax.Array,
    first: np.ndarray,
    tokens: np.ndarray,
    values: np.ndarray,
    rows_of: Callable[[np.ndarray], np.ndarray],
    *,
    budget: int,
    batch: int = 1,
) -> np.ndarray:
    """Rows of the table in the order in which a strategy labels them.

    Args:
        strategy: decides.
        key: what is random follows from it and from the number of labels.
        first: the rows that it begins with.
        tokens: the architectures of the table, `[A, N]`.
        values: their values, `[A, M]`, higher is better.
        rows_of: tokens int32 `[B, N]` -> the rows `[B]` that have their values.
        budget: labels in all.
        batch: labels between two decisions.
    """
    rows = first
    state = strategy.tell(strategy.init(key), tokens[rows], values[rows])
    while len(rows) < budget:
        asked, state = strategy.ask(jax.random.fold_in(key, len(rows)), state, min(batch, budget - len(rows)))
        new = rows_of(np.ascontiguousarray(asked, np.int32))
        state = strategy.tell(state, asked, values[new])  # as it was asked, which may be a row's twin
        rows = np.concatenate([rows, new])
    return rows
