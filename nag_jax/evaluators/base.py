"""What every evaluator is: the true value of an architecture, at a price."""

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np

from nag_jax.evaluators.names import check_name
from nag_jax.spaces import Space

Direction = Literal["max", "min"]
Split = Literal["train", "validation", "test", "none"]


@dataclass(frozen=True)
class Metric:
    """One quantity that an evaluator measures.

    Attributes:
        name: the key under which an evaluator returns it.
        unit: as printed beside its values, `"%"` or `"ms"`; empty where nobody said.
        direction: whether more (`"max"`) or less (`"min"`) is better.
        split: the data it was measured on; `"none"` where that has no meaning, as for a latency.

    Raises:
        InputError: the direction or the split is none of those.

    Example:
        >>> Metric("latency", unit="ms", direction="min").sign
        -1.0
    """

    name: str
    unit: str = ""
    direction: Direction = "max"
    split: Split = "none"

    def __post_init__(self):
        check_name(self.direction, get_args(Direction), f"direction of the metric {self.name!r}")
        check_name(self.split, get_args(Split), f"split of the metric {self.name!r}")

    @property
    def sign(self) -> float:
        """What makes its values higher is better: 1 or -1."""
        return 1.0 if self.direction == "max" else -1.0


def describe_metrics(
    names: Iterable[str],
    source: str,
    *,
    directions: Mapping[str, Direction] | None = None,
    units: Mapping[str, str] | None = None,
    splits: Mapping[str, Split] | None = None,
    guess_split: Callable[[str], Split] = lambda name: "none",
) -> dict[str, Metric]:
    """Metrics of which only a part is told, by name.

    Args:
        names: of the metrics.
        source: what has them, for messages.
        directions: by name; `"max"` by default.
        units: by name; empty by default.
        splits: by name.
        guess_split: the split of those that aren't in `splits`.

    Raises:
        InputError: a mapping names another metric, or gives what isn't valid.

    Example:
        >>> describe_metrics(["latency"], "the table", directions={"latency": "min"})["latency"].sign
        -1.0
    """
    names, directions, units, splits = list(names), directions or {}, units or {}, splits or {}
    for name in (*directions, *units, *splits):
        check_name(name, names, f"metric of {source}")
    return {
        name: Metric(name, units.get(name, ""), directions.get(name, "max"), splits.get(name, guess_split(name)))
        for name in names
    }


def objective(evaluator: "Evaluator", name: str = "") -> Metric | None:
    """The metric to search by: the one of that name, or the evaluator's own choice; None where that is none.

    Example:
        >>> from nag_jax import evaluators
        >>> objective(evaluators.make("analog_nasbench")).name
        'baseline'
    """
    name = name or getattr(evaluator, "objective", None) or ""
    return evaluator.metrics[name] if name else None


class Evaluator(Protocol):
    """Gives the true values of architectures. Only a ledger calls it, since every call is a payment."""

    @property
    def name(self) -> str:
        """The name in the registry."""
        ...

    @property
    def space(self) -> Space:
        """The space whose architectures it evaluates."""
        ...

    @property
    def metrics(self) -> dict[str, Metric]:
        """What it measures, by name; a call returns exactly these."""
        ...

    @property
    def batch_size(self) -> int:
        """How many architectures one call evaluates before the ledger stores them; 1 suits training runs."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identifies what the labels come from, so that a ledger never mixes two sources."""
        ...

    @property
    def num_distinct(self) -> int:
        """How many labels can be paid for: architectures that compute the same thing count as one."""
        ...

    def covers(self, tokens) -> np.ndarray:
        """Bool `[B]`: whether it can evaluate the architectures tokens `[B, N]`."""
        ...

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluates tokens int32 `[B, N]`: float64 `[B]` for each metric in its unit, NaN where it failed."""
        ...


class Outcome(NamedTuple):
    """What came of one architecture.

    Attributes:
        row: its place in the tokens that were asked for.
        labels: the value of each metric in its unit, NaN where it failed.
        reason: why it failed, in one line; empty where it didn't.

    Example:
        >>> Outcome(0, {"accuracy": float("nan")}, "it took more than 60 s").reason
        'it took more than 60 s'
    """

    row: int
    labels: dict[str, float]
    reason: str = ""


class StreamingEvaluator(Evaluator, Protocol):
    """An evaluator whose architectures take their own time, as training runs do.

    A ledger asks it for all it wants at once, and stores every outcome as it comes.
    """

    def outcomes(self, tokens: np.ndarray) -> Generator[Outcome]:
        """Evaluates tokens int32 `[B, N]`, in any order; closing the iterator stops what is still running."""
        ...
