"""The loop around a strategy: it asks, the ledger pays, it is told; resumable at every label."""

from collections.abc import Callable, Sequence

import jax
import numpy as np

from nag_jax.objectives import Objectives
from nag_jax.strategies.base import Strategy
from nag_jax.system import interrupts
from nag_jax.system.errors import InputError
from nag_jax.trials import Ledger

INITIAL, SEARCH = "initial design", "search"
"""Purposes of labels in the ledgers."""


def is_over(worth: Sequence[float], objectives: Objectives, *, budget: int, goal: float | None = None) -> bool:
    """Whether a search is over whose labels are worth so much: the budget is spent, or the goal reached.

    Example:
        >>> from nag_jax.objectives import Metric
        >>> is_over([90.1, 94.4], Objectives((Metric("accuracy", unit="%"),)), budget=10, goal=94.0)
        True
    """
    if len(worth) >= budget:
        return True
    sign = objectives.metric.sign
    return goal is not None and bool(np.any(sign * np.asarray(worth) >= sign * goal))


def search_labels(
    key: jax.Array,
    strategy: Strategy,
    ledger: Ledger,
    objectives: Objectives,
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
        key: the key of the search's randomness.
        strategy: what to label next.
        ledger: the ledger of this search alone.
        objectives: the metrics that count; the strategy is told their values.
        budget: labels in all, those that the ledger holds already included.
        initial: labels of the initial design.
        design: n -> tokens `[n, N]` of the initial design, as far as it isn't stored.
        batch_size: labels between two decisions.
        goal: what a label is worth at which the search is over, or None; see `Objectives.worth`.
        purposes: the purposes of the labels of the initial design and of the others.
        progress: called with the number of labels paid for.

    Returns:
        What the labels are worth, `[T]`, in the order of payment, NaN for failed trials; of the only objective the
        values, in its unit.

    Raises:
        InputError: the strategy finds nothing new before the search is over.
    """
    stored = ledger.trials()
    state, worth = strategy.init(key), []
    while not is_over(worth, objectives, budget=budget, goal=goal):
        interrupts.check()
        told = len(worth)
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
        values = objectives.of_each(trial.values for trial in batch)
        tokens = ledger.space.from_native([trial.architecture for trial in batch])
        state = strategy.tell(state, tokens, values)
        worth += objectives.worth(values).tolist()
        progress(len(worth))
        if len(batch) < wanted:
            raise InputError(f"the strategy found nothing new after {len(worth)} labels: lower the budget")
    return np.array(worth)
