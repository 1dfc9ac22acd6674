"""Successive halving: many architectures trained for a little, the best of them for longer, and so on."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from nag_jax.evaluators.trained import TrainedEvaluator
from nag_jax.objectives import Objectives
from nag_jax.settings.train import Halving
from nag_jax.system.errors import InputError
from nag_jax.trials import Ledger


class Stage(NamedTuple):
    """One stage of successive halving.

    Attributes:
        purpose: what its labels are paid for, in the ledger.
        count: how many architectures are trained.
        epochs: how many epochs each of them has in the end.
    """

    purpose: str
    count: int
    epochs: int


def stages(given: Halving, epochs: int) -> list[Stage]:
    """The stages, of which the last is one full training.

    Args:
        given: the settings.
        epochs: how many epochs a full training has.

    Example:
        >>> [stage[1:] for stage in stages(Halving(candidates=18, first_epochs=2, factor=3), 54)]
        [(18, 2), (6, 6), (2, 18), (1, 54)]
    """
    return list(_stages(given, epochs))


def _stages(given: Halving, epochs: int) -> Iterator[Stage]:
    count, reached, number = given.candidates, given.first_epochs, 1
    while count > 1 and reached < epochs:
        yield Stage(f"stage {number}", count, reached)
        count, reached, number = max(1, count // given.factor), reached * given.factor, number + 1
    yield Stage(f"stage {number}", count, epochs)


def halve(
    ledger: Ledger,
    evaluator: TrainedEvaluator,
    objectives: Objectives,
    tokens: np.ndarray,
    steps: list[Stage],
    *,
    seed: int,
    progress: Callable[[int, int], None],
) -> np.ndarray:
    """Trains architectures in stages, and returns the one that is best in the last, tokens `[W]`.

    Args:
        ledger: the ledger of the evaluator.
        evaluator: trains.
        objectives: what is compared.
        tokens: architectures that differ, `[B, W]`; equal ones stay in this order.
        steps: the stages.
        seed: the evaluator's seed.
        progress: called with the labels that are there and those of all stages.

    Raises:
        InputError: all trainings of a stage failed.
    """
    total, done = sum(stage.count for stage in steps), 0
    for stage in steps:
        tokens = tokens[: stage.count]

        def report(paid: int, _: int, before: int = done) -> None:
            progress(before + paid, total)

        labels = ledger.label(tokens, stage.purpose, report, fidelity=evaluator.fidelity(stage.epochs), seed=seed)
        worth = objectives.utilities(objectives.of(labels))
        order = np.argsort(-worth, kind="stable")
        tokens = tokens[order[np.isfinite(worth[order])]]
        if not len(tokens):
            reasons = {trial.reason for trial in ledger.trials() if trial.reason} or {"no value is finite"}
            raise InputError(f"all {stage.count} trainings of {stage.purpose} failed: {sorted(reasons)[0]}")
        done += stage.count
        progress(done, total)
    return tokens[0]
