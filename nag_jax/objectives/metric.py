"""Metrics: one measured quantity each, with its unit, direction and split."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from nag_jax.system.errors import InputError, quoted
from nag_jax.system.names import check_name

Direction = Literal["max", "min"]


Split = Literal["train", "validation", "test", "none"]

_SPLITS: dict[str, Split] = {
    **dict.fromkeys(("valid", "validation", "val"), "validation"),
    "test": "test",
    **dict.fromkeys(("train", "training"), "train"),
}
"""What words of a metric's name say."""


@dataclass(frozen=True)
class Metric:
    """One quantity that an evaluator measures.

    Attributes:
        name: the key under which an evaluator returns it.
        unit: what is printed beside its values, as `"%"` or `"ms"`; empty where nobody said.
        direction: whether more (`"max"`) or less (`"min"`) is better.
        split: the data it was measured on; `"none"` where that has no meaning, as for a latency.
        title: what people call it, where its name is a code; see `label`.

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
    title: str = field(default="", repr=False, compare=False)

    def __post_init__(self):
        check_name(self.direction, get_args(Direction), f"direction of the metric {quoted(self.name)}")
        check_name(self.split, get_args(Split), f"split of the metric {quoted(self.name)}")

    @property
    def sign(self) -> float:
        """What makes its values higher is better: 1 or -1."""
        return 1.0 if self.direction == "max" else -1.0

    @property
    def label(self) -> str:
        """What it is called where people read it."""
        return self.title or self.name


def find_metric(metrics: Mapping[str, Metric], name: str, what: str) -> str:
    """The name of the metric that somebody asked for, by its name, its title, or the last word of its title.

    Args:
        metrics: the metrics that there are, by name.
        name: asked for.
        what: what is asked for, for the message.

    Raises:
        InputError: there is none, or more than one whose title ends so.

    Example:
        >>> find_metric({"baseline": Metric("baseline", title="CIFAR-10 accuracy")}, "accuracy", "metric")
        'baseline'
    """
    if name not in metrics:
        titled = [key for key, each in metrics.items() if name and name in (each.title, each.title.split(" ")[-1])]
        if len(titled) == 1:
            return titled[0]
    check_name(name, metrics, what)
    return name


def describe_metrics(
    names: Iterable[str],
    source: str,
    *,
    directions: Mapping[str, Direction] | None = None,
    units: Mapping[str, str] | None = None,
    splits: Mapping[str, Split] | None = None,
    guess_split: Callable[[str], Split] = lambda name: "none",
    known: Mapping[str, Metric] | None = None,
) -> dict[str, Metric]:
    """Metrics of which only a part is told, by name.

    Args:
        names: the names of the metrics.
        source: what has them, for messages.
        directions: the directions of metrics by name; `"max"` by default.
        units: the units of metrics by name; empty by default.
        splits: the splits of metrics by name.
        guess_split: the split of those that aren't in `splits`.
        known: what is known of some of them anyway, which the others add to.

    Raises:
        InputError: a mapping names another metric, or gives what isn't valid.

    Example:
        >>> describe_metrics(["latency"], "the table", directions={"latency": "min"})["latency"].sign
        -1.0
    """
    names, directions, units, splits = list(names), directions or {}, units or {}, splits or {}
    for name in (*directions, *units, *splits):
        check_name(name, names, f"metric of {source}")
    found = {name: (known or {}).get(name) or Metric(name, split=guess_split(name)) for name in names}
    return {
        name: dataclasses.replace(
            metric,
            unit=units.get(name, metric.unit),
            direction=directions.get(name, metric.direction),
            split=splits.get(name, metric.split),
        )
        for name, metric in found.items()
    }


def parse_metrics(text: str) -> list[Metric]:
    """Reads metrics in words.

    Raises:
        InputError: one has no name or more than four parts, or there is no such direction or split.

    Example:
        >>> parse_metrics("latency:min:ms")
        [Metric(name='latency', unit='ms', direction='min', split='none')]
    """
    found = []
    for part in filter(None, map(str.strip, text.split(","))):
        name, direction, unit, split, *rest = [*map(str.strip, part.split(":")), "", "", ""]
        if not name or any(rest):
            raise InputError(f"metric {part!r} isn't understood: write NAME:DIRECTION:UNIT:SPLIT, as 'latency:min:ms'")
        check_name(direction or "max", ("max", "min"), f"direction of the metric {name!r}")
        check_name(split or "none", ("train", "validation", "test", "none"), f"split of the metric {name!r}")
        found.append(Metric(name, unit, direction or "max", split or guess_split(name)))  # pyright: ignore[reportArgumentType]
    return found


def guess_split(name: str) -> Split:
    """What the last of a metric's name's whole words that says something tells of the data that it was measured on.

    Example:
        >>> guess_split("cifar10-valid_ori-test"), guess_split("latest_acc")
        ('test', 'none')
    """
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
    found = [_SPLITS[word.lower()] for word in words if word.lower() in _SPLITS]
    return found[-1] if found else "none"  # pyright: ignore[reportReturnType]
