"""The run of a front: its objectives with their kinds and bounds, and what pays for their values."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from nag_jax.evaluators import Evaluator
from nag_jax.objectives import Metric
from nag_jax.spaces.costs import Cost
from nag_jax.system import parallel
from nag_jax.system.errors import InputError, quoted
from nag_jax.tasks.known import FORMULA, MEASURED, PAID
from nag_jax.tasks.setting import Setting
from nag_jax.tasks.workdir import LEDGER

MEASUREMENTS = "measurements.db"
"""The ledger of what is measured, a currency of its own."""


@dataclasses.dataclass(kw_only=True)
class Run(Setting):
    """What the phases share.

    Attributes:
        metrics: the objectives, in order.
        kinds: what a value of each costs: paid, measured, or nothing, by a formula.
        costs: those of the space or the evaluator, by name.
        measuring: the evaluator of the measured ones; None where there are none.
        worst: bounds by place, higher is better.
    """

    metrics: tuple[Metric, ...]
    kinds: tuple[str, ...]
    costs: dict[str, Any]
    measuring: Evaluator | None
    worst: dict[int, float]

    @property
    def names(self) -> tuple[str, ...]:
        """The objectives' names."""
        return tuple(metric.name for metric in self.metrics)

    def of_kind(self, *kinds: str) -> list[int]:
        """The places of objectives of those kinds."""
        return [place for place, kind in enumerate(self.kinds) if kind in kinds]

    def values(self, tokens: np.ndarray, purpose: str, progress: Callable[[int, int], None] = lambda a, b: None):
        """Values `[B, M]` of tokens `[B, N]`, higher is better, paid for and measured where they aren't free."""
        found = np.full((len(tokens), len(self.metrics)), np.nan)
        for kind, pay in ((PAID, self.pay), (MEASURED, self.measured)):
            if places := self.of_kind(kind):
                found[:, places] = pay(tokens, purpose, progress)
        for place in self.of_kind(FORMULA):
            found[:, place] = self.metrics[place].sign * self.costs[self.names[place]].of(tokens)
        return found

    def pay(self, tokens: np.ndarray, purpose: str, progress: Callable[[int, int], None]) -> np.ndarray:
        """Values `[B, P]` of the paid objectives, by the ledger."""
        return self._label(self.evaluator, LEDGER, PAID, tokens, purpose, progress)

    def measured(self, tokens: np.ndarray, purpose: str, progress: Callable[[int, int], None]) -> np.ndarray:
        """Values `[B, Q]` of the measured objectives, by their own ledger."""
        assert self.measuring is not None, "something is measured"
        return self._label(self.measuring, MEASUREMENTS, MEASURED, tokens, purpose, progress)

    def _label(self, evaluator: Evaluator, name: str, kind: str, tokens, purpose, progress) -> np.ndarray:
        def label():
            with self.workdir.ledger(evaluator, name) as ledger:
                found = ledger.label(tokens, purpose, progress)
            places = self.of_kind(kind)
            return np.stack(
                [self.metrics[i].sign * np.asarray(found[self.names[i]], np.float64) for i in places], axis=1
            )

        return parallel.from_first(label)


def kind_of(name: str, evaluator: Evaluator, measuring: Evaluator | None, costs: dict[str, Any]) -> tuple[Metric, str]:
    """The metric of an objective, and its kind."""
    if measuring is not None and name in measuring.metrics:
        return measuring.metrics[name], MEASURED
    if name in costs:
        if not isinstance(costs[name], Cost):
            raise InputError(f"the cost {quoted(name)} doesn't add up over nodes, which a front needs: leave it out")
        return evaluator.metrics.get(name, Metric(name, direction="min")), FORMULA
    if name in evaluator.metrics:
        return evaluator.metrics[name], PAID
    known = sorted({*evaluator.metrics, *costs, *(measuring.metrics if measuring else ())})
    raise InputError(f"unknown objective {quoted(name)} of config.objectives: use some of {', '.join(known)}")
