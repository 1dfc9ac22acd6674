"""The loop around a strategy: it asks, the ledger pays, it is told; resumable at every label."""

from collections.abc import Callable, Sequence

import numpy as np

from nag_jax.objectives import Objectives
from nag_jax.strategies.course import Course
from nag_jax.system import interrupts
from nag_jax.system.errors import InputError
from nag_jax.trials import EVALUATOR, Labels, Ledger

INITIAL, SEARCH = "initial design", "search"
"""Purposes of labels in the ledgers."""


def is_over(
    worth: Sequence[float] | np.ndarray, objectives: Objectives, *, budget: int, goal: float | None = None
) -> bool:
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
    course: Course,
    ledger: Ledger,
    *,
    budget: int,
    goal: float | None = None,
    purposes: tuple[str, str] = (INITIAL, SEARCH),
    origin: str = EVALUATOR,
    progress: Callable[[int], None] = lambda paid: None,
) -> np.ndarray:
    """Pays for labels until the search is over, going on from what the ledger holds.

    Batches are told in the ledger's order, which parallel workers decide; the rest of one that a kill cut short is
    asked for again, with the same key and state, so that it's the same.

    Args:
        course: the search, before its first label.
        ledger: the ledger of this search alone.
        budget: labels in all, those that the ledger holds already included.
        goal: what a label is worth at which the search is over, or None; see `Objectives.worth`.
        purposes: the purposes of the labels of the initial design and of the others.
        origin: who proposes: the name of the strategy.
        progress: called with the number of labels paid for.

    Returns:
        What the labels are worth, `[T]`, in the order of payment, NaN for failed trials; of the only objective the
        values, in its unit.

    Raises:
        InputError: the strategy finds nothing new before the search is over.
    """
    labels, course = Labels(ledger), course.start()
    while not is_over(course.worth, course.objectives, budget=budget, goal=goal):
        interrupts.check()
        told = course.told
        wanted = min(course.batch, budget - told) if told else course.batch
        if told + wanted > len(labels.read()):
            already = len(labels.read())
            tokens, course = course.ask(wanted, ledger.pending_tokens())
            ledger.label(
                tokens,
                purposes[bool(told)],
                lambda paid, _, already=already: progress(already + paid),
                origin=origin,
            )
        course = course.tell(labels.read()[told : told + wanted])
        progress(course.told)
        if course.told < told + wanted:
            raise InputError(f"the strategy found nothing new after {course.told} labels: lower the budget")
    return course.worth
