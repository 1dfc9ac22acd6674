"""Objectives: the metrics that count, in order, and the utility that makes one number of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nag_jax.objectives.metric import Metric
from nag_jax.objectives.utility import Utility, identity, of_trials
from nag_jax.system.errors import InputError, quoted

UTILITY = "utility"
"""The name that reports give to the utility of several objectives."""


@dataclass(frozen=True)
class Objectives:
    """The metrics that count, in order; M of them. Values `[..., M]` are higher is better throughout.

    Attributes:
        metrics: the metrics.
        utility: makes one number of their values; by default the value of the only one.

    Raises:
        InputError: a metric comes twice, or the utility isn't of so many.

    Example:
        >>> latency = Metric("latency", unit="ms", direction="min")
        >>> Objectives((latency,)).of({"latency": [3.0, 5.0], "size": [1.0, 1.0]}).tolist()
        [[-3.0], [-5.0]]
        >>> Objectives((latency,)).worth(np.array([[-3.0], [np.nan]])).tolist()
        [3.0, nan]
    """

    metrics: tuple[Metric, ...]
    utility: Utility = field(default_factory=identity)

    def __post_init__(self):
        taken = [*self.names, *([] if self.is_single else [UTILITY])]
        if repeated := {name for name in taken if taken.count(name) > 1}:
            raise InputError(f"{quoted(repeated.pop())} comes twice among the objectives and their utility: rename it")
        self.utility(np.zeros((1, len(self)), np.float32))

    def __len__(self) -> int:
        return len(self.metrics)

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics' names."""
        return tuple(metric.name for metric in self.metrics)

    @property
    def is_single(self) -> bool:
        """Whether there is one objective, which is its own utility."""
        return self.utility is identity()

    @property
    def metric(self) -> Metric:
        """What is searched by, as reports call it: the only objective, or the utility of them."""
        return self.metrics[0] if self.is_single else Metric(UTILITY)

    def of(self, labels: Mapping[str, Any]) -> np.ndarray:
        """Values float64 `[B, M]` of labels `[B]` by metric, in the metrics' units."""
        return np.stack([metric.sign * np.asarray(labels[metric.name], np.float64) for metric in self.metrics], axis=-1)

    def of_each(self, labels: Iterable[Mapping[str, Any]]) -> np.ndarray:
        """Values float64 `[B, M]` of the labels of one architecture after the other."""
        rows = list(labels)
        return self.of({name: [row[name] for row in rows] for name in self.names})

    def in_units(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Values `[..., M]` in the metrics' own units, `[...]` by name."""
        return {metric.name: metric.sign * values[..., i] for i, metric in enumerate(self.metrics)}

    def utilities(self, values: np.ndarray) -> np.ndarray:
        """The utility float64 `[...]` of values `[..., M]`; NaN where a value is not finite, as in a failed trial."""
        return of_trials(self.utility, values)

    def worth(self, values: np.ndarray) -> np.ndarray:
        """The utility float64 `[...]` of values `[..., M]` in the unit and direction of `metric`."""
        return self.metric.sign * self.utilities(values)
