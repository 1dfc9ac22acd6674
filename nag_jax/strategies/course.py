"""The course of a search: a strategy with all that it was told, in its batches, and what it proposes next."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Self

import jax
import numpy as np

from nag_jax.objectives import Objectives
from nag_jax.spaces import NodeSpace
from nag_jax.strategies.base import Strategy
from nag_jax.trials import Trial


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Course:
    """Where a search is, which follows from its trials alone: nothing else is stored of one.

    The first batch is the initial design, and the others are what the strategy decided on at once.

    Attributes:
        key: the key of the search's randomness.
        strategy: what to label next.
        space: the space of the architectures.
        objectives: the metrics that count; the strategy is told their values.
        initial: the number of labels of the initial design.
        design: n -> tokens `[n, N]` of the initial design.
        batch_size: the number of labels between two decisions.
        state: the strategy's state.
        worth: what the labels are worth that the strategy was told, `[T]`; see `Objectives.worth`.
    """

    key: jax.Array
    strategy: Strategy
    space: NodeSpace
    objectives: Objectives
    initial: int
    design: Callable[[int], np.ndarray]
    batch_size: int = 1
    state: Any = None
    worth: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0))

    def start(self) -> Self:
        """The course before the first label."""
        return dataclasses.replace(self, state=self.strategy.init(self.key))

    @property
    def told(self) -> int:
        """How many labels the strategy was told."""
        return len(self.worth)

    @property
    def batch(self) -> int:
        """How many labels the next batch has."""
        return self.batch_size if self.told else self.initial

    def tell(self, trials: Sequence[Trial]) -> Self:
        """The course after one more batch."""
        if not len(trials):
            return self
        values = self.objectives.of_each(trial.values for trial in trials)
        tokens = self.space.from_native([trial.architecture for trial in trials])
        worth = np.concatenate([self.worth, self.objectives.worth(values)])
        return dataclasses.replace(self, state=self.strategy.tell(self.state, tokens, values), worth=worth)

    def follow(self, trials: Sequence[Trial]) -> Self:
        """The course after all of its trials that make whole batches; those that it was told come first."""
        course = self
        while len(trials) >= course.told + course.batch:
            course = course.tell(trials[course.told : course.told + course.batch])
        return course

    def ask(self, n: int, pending: np.ndarray | None = None, *, at: int | None = None) -> tuple[np.ndarray, Self]:
        """What to label next, and the course after it was asked: tokens `[m, N]`, m <= n; see `Strategy.ask`.

        Args:
            n: the number of architectures.
            pending: architectures that are being labelled, tokens `[P, N]`.
            at: how many labels were asked for before, by which the randomness of this ask is chosen; by default as
                many as were told.
        """
        if at is None and not self.told:
            return self.design(n), self
        # A strategy that was written before there was anything pending has three arguments.
        more = () if pending is None or not len(pending) else (pending,)
        key = jax.random.fold_in(self.key, self.told if at is None else at)
        tokens, state = self.strategy.ask(key, self.state, n, *more)
        return tokens, dataclasses.replace(self, state=state)
