"""A search that was checked, as its seeds share it, and what came of it."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from nag_jax.objectives import Metric, Objectives
from nag_jax.strategies import loop
from nag_jax.system.keys import stream_key
from nag_jax.tasks.learn import Run
from nag_jax.tasks.setting import Setting
from nag_jax.trials import Trial


@dataclasses.dataclass(kw_only=True)
class Search(Setting):
    """What all seeds share.

    Attributes:
        objectives: the metrics that count, and their utility.
        reported: the metric that reports are in.
        second: the metric that makes a hypervolume with the objective, or None.
        goal: what a label is worth at which a seed is over, or None where it goes on to the budget.
        source: the run that strategies with a prior learn it in, or None.
    """

    objectives: Objectives
    reported: Metric
    second: Metric | None
    goal: float | None
    source: Run | None

    @property
    def metric(self) -> Metric:
        """What is searched by: the objective, or the utility of several."""
        return self.objectives.metric

    def may_be_labelled(self, tokens: np.ndarray) -> np.ndarray:
        """Bool `[B]`: whether tokens `[B, N]` of the space are known to the evaluator and keep to the constraints."""
        return self.evaluator.covers(tokens) & self.constraints.hold(tokens)

    def ledger_name(self, strategy: str, seed: int) -> str:
        """Where in the workdir the labels of a strategy's seed are."""
        return f"{strategy}/{seed}.db"

    @property
    def seeds(self) -> range:
        """All seeds of every strategy."""
        return range(self.config.seed, self.config.seed + self.config.seeds)

    def initial(self, strategy: str) -> int:
        """How many labels a strategy's seed begins with."""
        return self.config.strategies[strategy].initial or self.config.search.initial

    def trials(self, strategy: str) -> dict[int, list[Trial]]:
        """What was paid for, by seed; opens no ledger to write."""
        return {seed: self.workdir.trials(self.evaluator, self.ledger_name(strategy, seed)) for seed in self.seeds}

    def seed_key(self, seed: int, stream: str) -> jax.Array:
        """The key of a named stream of one seed."""
        return stream_key(seed, stream)

    def is_over(self, trials: Sequence[Trial]) -> bool:
        """Whether a seed is over that paid for these trials, in order."""
        worth = self.objectives.worth(self.objectives.of_each(trial.values for trial in trials))
        return loop.is_over(worth.tolist(), self.objectives, budget=self.config.search.budget, goal=self.goal)


class Searched(NamedTuple):
    """What came of a search: everything is in the ledgers.

    Attributes:
        run: the run, checked.
    """

    run: Search
