"""An evaluator that calls a Python function of the user's own, as one that trains a network."""

import logging
import math
import time
from collections.abc import Callable, Generator, Mapping

import numpy as np

from nag_jax.evaluators.base import OfWholeSpace, Outcome
from nag_jax.evaluators.fingerprint import of_function
from nag_jax.objectives.metric import Direction, Metric, Split, describe_metrics
from nag_jax.spaces import Space
from nag_jax.system.errors import InputError, describe_exception, quoted

Function = Callable[[str], float | Mapping[str, float]]
"""An architecture in the space's own notation -> its value, or a value for each metric; NaN for a failed trial."""

_log = logging.getLogger(__name__)


class FunctionEvaluator(OfWholeSpace):
    """Calls a function architecture by architecture; the ledger stores each outcome before the next call.

    Made by `from_function`, which describes the attributes.
    """

    name = "function"
    batch_size = 1

    def __init__(
        self,
        function: Function,
        space: Space,
        metrics: dict[str, Metric],
        objective: str,
        fingerprint: str,
        catch: bool = True,
    ):
        self.space = space
        self.metrics = metrics
        self.objective = objective
        self.fingerprint = fingerprint
        self.catch = catch
        self._function = function

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluates tokens `[B, N]`: float64 `[B]` for each metric, NaN where a trial failed.

        Raises:
            InputError: the function returned something else than it should.
        """
        rows = [outcome.labels for outcome in self.outcomes(tokens)]
        return {name: np.array([row[name] for row in rows], np.float64) for name in self.metrics}

    def outcomes(self, tokens: np.ndarray) -> Generator[Outcome]:
        """Evaluates tokens `[B, N]` in their order, and yields what came of each.

        Raises:
            InputError: the function returned something else than it should.
        """
        for row, native in enumerate(self.space.to_native(tokens)):
            began = time.perf_counter()
            labels, reason = self._evaluate(native)
            yield Outcome(row, labels, reason, cost=time.perf_counter() - began)

    def _evaluate(self, native: str) -> tuple[dict[str, float], str]:
        """Labels of one architecture, and why they are missing."""
        try:
            found = self._function(native)
        except Exception as error:
            if not self.catch:
                raise
            reason = describe_exception(error)
            _log.error("the trial of %s failed: %s", native, reason.partition("\n")[0])
            return dict.fromkeys(self.metrics, math.nan), reason
        row = found if isinstance(found, Mapping) else {self.objective: found}
        try:
            return {name: float(row[name]) for name in self.metrics}, ""
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
    catch: bool = True,
) -> FunctionEvaluator:
    """Makes the evaluator of a function.

    Args:
        function: an architecture in the space's own notation -> its value, or a mapping with a value for each metric.
            NaN is a failed trial, which counts as paid for.
        space: the space of the architectures.
        metric: what to search by.
        further: other metrics, which the mapping has too.
        directions: `"max"` or `"min"` by metric; `"max"` by default.
        units: the units of metrics by name; empty by default.
        splits: the splits of metrics by name; `"none"` by default.
        fingerprint: identifies what the labels come from, so that a ledger's file never mixes two sources. By default
            all that can be seen of the function, see `fingerprint.of_function`: its code, and whatever it refers to.
        catch: whether an exception in the function is a failed trial, whose reason holds the traceback; False lets it
            end the search, and what was paid stays in the ledger.

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
    return FunctionEvaluator(function, space, metrics, metric, fingerprint or of_function(function), catch)
