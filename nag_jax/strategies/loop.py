"""The loop around a strategy: it asks, the ledger pays, it is told; resumable at every label."""

from collections.abc import Callable, Sequence

import jax
import numpy as np

from nag_jax.evaluators import Metric
from nag_jax.strategies.base import Strategy
from nag_jax.system import interrupts
from nag_jax.system.errors import InputError
from nag_jax.trials import Ledger

INITIAL, SEARCH = "initial design", "search"
"""Purposes of labels in the ledgers."""


def is_over(values: Sequence[float], metric: Metric, *, budget: int, goal: float | None = None) -> bool:
    """Whether a search is over that paid for these values of the metric: the budget is spent, or the goal reached.

    Example:
        >>> is_over([90.1, 94.4], Metric("accuracy", unit="%"), budget=10, goal=94.0)
        True
    """
    if len(values) >= budget:
        return True
    return goal is not None and bool(np.any(metric.sign * np.asarray(values) >= metric.sign * goal))


def search_labels(
    key: jax.Array,
    strategy: Strategy,
    ledger: Ledger,
    metric: Metric,
    *,
    budget: int,
    initial: int,
    design: Callable[[int], np.ndarray],
    batch_size: int = 1,
    goal: float | None = None,
    purposes: tuple[str, str] = (INITIAL, SEARCH),
    progress: Callable[[int], None] = lambda paid: None,
) -> np.ndarray:
    """Pays for labels until the search is over, going on from what the ledger holds.

    Batches are told in the ledger's order, which parallel workers decide; the rest of one that a kill cut short is
    asked for again, with the same key and state, so that it's the same.

    Args:
        key: of the search.
        strategy: what to label next.
        ledger: of this search alone.
        metric: the objective.
        budget: labels in all, those that the ledger holds already included.
        initial: labels of the initial design.
        design: n -> tokens `[n, N]` of the initial design, as far as it isn't stored.
        batch_size: labels between two decisions.
        goal: value at which the search is over, or None.
        purposes: of the labels of the initial design and of the others.
        progress: called with the number of labels paid for.

    Returns:
        Values `[M]` of the metric in the order of payment, NaN for failed trials.

    Raises:
        InputError: the strategy finds nothing new before the search is over.
    """
    stored = ledger.trials()
    state, values = strategy.init(key), []
    while not is_over(values, metric, budget=budget, goal=goal):
        interrupts.check()
        told = len(values)
        wanted = min(batch_size, budget - told) if told else initial
        if told + wanted > len(stored):
            if told:
                tokens, state = strategy.ask(jax.random.fold_in(key, told), state, wanted)
            else:
                tokens = design(wanted)
            already = len(stored)
            ledger.label(tokens, purposes[bool(told)], lambda paid, _, already=already: progress(already + paid))
            stored += ledger.trials(after=already)
        batch = stored[told : told + wanted]
        labels = np.array([trial.values[metric.name] for trial in batch])
        tokens = ledger.space.from_native([trial.architecture for trial in batch])
        state = strategy.tell(state, tokens, metric.sign * labels)
        values += labels.tolist()
        progress(len(values))
        if len(batch) < wanted:
            raise InputError(f"the strategy found nothing new after {len(values)} labels: lower the budget")
    return np.array(values)
