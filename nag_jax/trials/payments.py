"""Payments: what a ledger asks of an evaluator, and what comes of it, in the pieces that are stored at once."""

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from nag_jax.evaluators.base import Evaluator, Outcome, StreamingEvaluator, finished
from nag_jax.system import interrupts
from nag_jax.system.errors import InputError
from nag_jax.trials.trial import EVALUATOR, FULL


@dataclass(frozen=True)
class Order:
    """What is asked of an evaluator.

    Attributes:
        tokens: architectures that differ, `[B, N]`.
        keys: their canonical keys, `[B]`.
        purpose: what they are paid for.
        fidelity: how thoroughly they are evaluated.
        seed: the evaluator's seed.
        origin: who proposed them.
    """

    tokens: np.ndarray
    keys: np.ndarray
    purpose: str
    fidelity: str
    seed: int
    origin: str = EVALUATOR

    def __getitem__(self, rows) -> "Order":
        return replace(self, tokens=self.tokens[rows], keys=self.keys[rows])

    def __len__(self) -> int:
        return len(self.keys)

    def check(self, evaluator: Evaluator) -> None:
        """Raises InputError unless the evaluator has the fidelity, and seeds where another than 0 is asked for."""
        fidelities = getattr(evaluator, "fidelities", None)
        if self.options and (fidelities is None or self.fidelity not in fidelities):
            has = "no fidelities and seeds" if fidelities is None else f"the fidelities {list(fidelities)}"
            raise InputError(
                f"the evaluator {evaluator.name!r} has {has}, asked for fidelity {self.fidelity!r} and seed "
                f"{self.seed}: ask for what it has"
            )

    @property
    def options(self) -> dict[str, Any]:
        """What the evaluator is told besides; nothing where it is as all evaluators do it."""
        is_plain = (self.fidelity, self.seed) == (FULL, 0)
        return {} if is_plain else {"fidelity": self.fidelity, "seed": self.seed}


def outcomes_of(evaluator: Evaluator, order: Order) -> Generator[list[Outcome]]:
    """What comes of an order, in the pieces that are paid for, and have to be stored, at once."""
    if not len(order):
        return
    if hasattr(evaluator, "outcomes"):
        yield from _streamed(cast(StreamingEvaluator, evaluator), order)
        return
    for start in range(0, len(order), evaluator.batch_size):
        piece = order[start : start + evaluator.batch_size]
        began = time.perf_counter()
        with interrupts.let_through():
            values = _evaluate(evaluator, piece)
        cost = (time.perf_counter() - began) / len(piece)
        yield [
            Outcome(start + i, {name: float(column[i]) for name, column in values.items()}, cost=cost)
            for i in range(len(piece))
        ]


def _streamed(evaluator: StreamingEvaluator, order: Order) -> Generator[list[Outcome]]:
    """Outcomes one by one; where that is interrupted, those that have come by then once more."""
    with closing(evaluator.outcomes(order.tokens, **order.options)) as outcomes:
        try:
            while True:
                with interrupts.let_through():
                    outcome = next(outcomes, None)
                if outcome is None:
                    return
                yield [outcome]
        except KeyboardInterrupt:
            yield [*finished(outcomes)]
            raise


def _evaluate(evaluator: Evaluator, order: Order) -> dict[str, np.ndarray]:
    """One call of the evaluator, held to its contract."""
    found = evaluator(order.tokens, **order.options)
    values = {name: np.asarray(column, np.float64) for name, column in found.items()}
    shapes = {name: column.shape for name, column in values.items()}
    if shapes != dict.fromkeys(evaluator.metrics, (len(order),)):
        raise TypeError(
            f"the evaluator {evaluator.name!r} must return {len(order)} values for each of "
            f"{list(evaluator.metrics)}, returned {shapes}"
        )
    return values
