"""An evaluator that calls a Python function of the user's own, as one that trains a network."""

from collections.abc import Callable, Mapping

import numpy as np

from nag_jax.evaluators.fingerprint import of_function
from nag_jax.objectives.metric import Direction, Metric, Split, describe_metrics
from nag_jax.spaces import Space
from nag_jax.spaces.capabilities import num_distinct
from nag_jax.system.errors import InputError, quoted

Function = Callable[[str], float | Mapping[str, float]]
"""An architecture in the space's own notation -> its value, or a value for each metric; NaN for a failed trial."""


class FunctionEvaluator:
    """Calls a function architecture by architecture; the ledger stores each value before the next call.

    Made by `from_function`, which describes the attributes.
    """

    name = "function"
    batch_size = 1

    def __init__(self, function: Function, space: Space, metrics: dict[str, Metric], objective: str, fingerprint: str):
        self.space = space
        self.metrics = metrics
        self.objective = objective
        self.fingerprint = fingerprint
        self._function = function

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluates tokens `[B, N]`: float64 `[B]` for each metric; what the function raises is raised.

        Raises:
            InputError: the function returned something else than it should.
        """
        rows = [self._evaluate(native) for native in self.space.to_native(tokens)]
        return {name: np.array([row[name] for row in rows], np.float64) for name in self.metrics}

    def covers(self, tokens) -> np.ndarray:
        """Bool `[B]`: True for every architecture of the space."""
        return np.asarray(self.space.contains(tokens))

    @property
    def num_distinct(self) -> int:
        """How many labels can be paid for."""
        return num_distinct(self.space)

    def _evaluate(self, native: str) -> dict[str, float]:
        found = self._function(native)
        row = found if isinstance(found, Mapping) else {self.objective: found}
        try:
            return {name: float(row[name]) for name in self.metrics}
        except (KeyError, TypeError, ValueError) as error:
            expected = " or ".join(["a number"] * (len(self.metrics) == 1) + [f"a mapping with {list(self.metrics)}"])
            raise InputError(
                f"the function returned {quoted(found)} for {quoted(native)}: return {expected}, NaN for a failed trial"
            ) from error


def from_function(
    function: Function,
    *,
    space: Space,
    metric: str = "value",
    further: tuple[str, ...] = (),
    directions: Mapping[str, Direction] | None = None,
    units: Mapping[str, str] | None = None,
    splits: Mapping[str, Split] | None = None,
    fingerprint: str | None = None,
) -> FunctionEvaluator:
    """Makes the evaluator of a function.

    Args:
        function: an architecture in the space's own notation -> its value, or a mapping with a value for each metric.
            NaN is a failed trial, which counts as paid for; an exception ends the search, and what was paid stays in
            the ledger.
        space: the space of the architectures.
        metric: what to search by.
        further: other metrics, which the mapping has too.
        directions: `"max"` or `"min"` by metric; `"max"` by default.
        units: the units of metrics by name; empty by default.
        splits: the splits of metrics by name; `"none"` by default.
        fingerprint: identifies what the labels come from, so that a ledger's file never mixes two sources. By default
            all that can be seen of the function, see `fingerprint.of_function`: its code, and whatever it refers to.

    Raises:
        InputError: a mapping names what isn't a metric, or the function refers to what can't be seen into.

    Example:
        >>> from nag_jax import spaces
        >>> space = spaces.make("nasbench_graph")
        >>> evaluator = from_function(lambda arch: arch.count("gcn"), space=space, metric="convolutions")
        >>> evaluator(space.from_native(["0012|gcn|gat|fc|gcn"]))["convolutions"].item()
        2.0
    """
    metrics = describe_metrics((metric, *further), "the function", directions=directions, units=units, splits=splits)
    return FunctionEvaluator(function, space, metrics, metric, fingerprint or of_function(function))
