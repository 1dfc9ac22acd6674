"""The evaluator of a study that is told its values: it says what is measured, and measures nothing itself."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from nag_jax.objectives.metric import Metric, describe_metrics
from nag_jax.spaces import Space
from nag_jax.spaces.capabilities import num_distinct
from nag_jax.system.errors import InputError


class Told:
    """Whatever somebody else measures, in the metrics' own units.

    Args:
        space: the space of the architectures.
        objectives: `"max"` or `"min"` by the name of each metric.

    Raises:
        InputError: there is no metric, or a direction is neither.

    Example:
        >>> from nag_jax import spaces
        >>> Told(spaces.make("nasbench201"), {"latency": "min"}).metrics["latency"].sign
        -1.0
    """

    name = "told"
    batch_size = 1

    def __init__(self, space: Space, objectives: Mapping[str, str]):
        if not objectives:
            raise InputError("a study needs objectives: name them, as objectives={'accuracy': 'max', 'latency': 'min'}")
        self.space = space
        directions: Any = dict(objectives)  # checked as metrics are made of them
        self.metrics: dict[str, Metric] = describe_metrics(objectives, "the study", directions=directions)
        self.objective = next(iter(objectives))
        self.fingerprint = json.dumps(dict(objectives))

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Refuses: the values come from elsewhere."""
        raise InputError("this study has no evaluator: tell it values, or name one, as study.optimize(evaluator, 100)")

    def covers(self, tokens) -> np.ndarray:
        """Bool `[B]`: True for every architecture of the space."""
        return np.asarray(self.space.contains(tokens))

    @property
    def num_distinct(self) -> int:
        """How many labels can be told: architectures that compute the same thing count as one."""
        return num_distinct(self.space)
