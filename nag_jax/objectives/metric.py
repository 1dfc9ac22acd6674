"""Metrics: one measured quantity each, with its unit, direction and split."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from nag_jax.system.errors import quoted
from nag_jax.system.names import check_name

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
        check_name(self.direction, get_args(Direction), f"direction of the metric {quoted(self.name)}")
        check_name(self.split, get_args(Split), f"split of the metric {quoted(self.name)}")

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
