"""The ladder that the settings of successive halving describe, and what they let it spend."""

import math
from collections.abc import Iterator

from nag_jax.evaluators.base import FULL
from nag_jax.evaluators.trained import TrainedEvaluator
from nag_jax.objectives import Objectives
from nag_jax.settings.train import Halving
from nag_jax.strategies import curves
from nag_jax.strategies.halving import Ladder, Limits, Rung

RANKS = {"last_value": curves.last_value, "power_law": curves.power_law}


def make_ladder(given: Halving, evaluator: TrainedEvaluator, objectives: Objectives) -> Ladder:
    """The ladder of the evaluator's epochs.

    Args:
        given: the settings.
        evaluator: trains.
        objectives: what is compared.
    """
    return Ladder(
        rungs=tuple(stages(given, evaluator)),
        factor=given.factor,
        objectives=objectives,
        resumes=evaluator.resumes,
        rank=RANKS[given.rank],
    )


def stages(given: Halving, evaluator: TrainedEvaluator) -> Iterator[Rung]:
    """The stages, of which the last is full training; without a strategy each has its number of architectures."""
    count, reached, number, full = given.candidates, given.first_epochs, 1, evaluator.epochs(FULL)
    asynchronous = bool(given.strategy)
    while (count > 1 or asynchronous) and reached < full:
        yield Rung(f"stage {number}", evaluator.fidelity(reached), reached, None if asynchronous else count)
        count, reached, number = max(1, count // given.factor), reached * given.factor, number + 1
    yield Rung(f"stage {number}", evaluator.fidelity(full), full, None if asynchronous else count)


def make_limits(given: Halving) -> Limits:
    """What may be spent; a limit of 0 is none."""
    return Limits(given.candidates, given.epochs or math.inf, given.seconds or math.inf)


def expected(given: Halving, ladder: Ladder) -> list[int]:
    """How many architectures are expected to reach each rung, by the number of candidates and that of epochs."""
    each = sum(ladder.epochs(level) / given.factor**level for level in range(len(ladder.rungs)))
    counts = [min(given.candidates, max(1, int(given.epochs / each))) if given.epochs else given.candidates]
    for rung in ladder.rungs[1:]:
        counts.append(max(1, counts[-1] // given.factor) if rung.count is None else min(counts[-1], rung.count))
    return counts
