"""What a study proposes, and how it reads what it is told."""

import dataclasses
import math
from collections.abc import Mapping

from nag_jax.system.errors import InputError, quoted, shown
from nag_jax.trials import Trial


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proposal:
    """An architecture that a study proposes, pending until the study is told what came of it, or the lease is over.

    Attributes:
        architecture: the native string.
        predicted: what is expected of each objective, in its unit; empty where the strategy has no surrogate, or too
            few labels.
        spread: the standard deviations of what is expected.
        free: the values of metrics that a formula gives.
        origin: who proposes it: the name of the strategy.
        lease: until when nobody else is given it, ISO 8601 in UTC.

    Example:
        >>> Proposal(architecture="a cell", origin="bo_nag", lease="").predicted
        {}
    """

    architecture: str
    predicted: dict[str, float] = dataclasses.field(default_factory=dict)
    spread: dict[str, float] = dataclasses.field(default_factory=dict)
    free: dict[str, float] = dataclasses.field(default_factory=dict)
    origin: str
    lease: str


Architecture = str | Proposal | Trial
"""What a study can be told of: a native string, or what has one."""


def read_values(values: float | Mapping[str, float], metrics: Mapping[str, object]) -> dict[str, float]:
    """What a study is told of an architecture that was evaluated: a number for each metric, or of the only one alone.

    Raises:
        InputError: one is missing, isn't a finite number or no metric of the study.

    Example:
        >>> read_values(93, {"accuracy": None})
        {'accuracy': 93.0}
    """
    if not isinstance(values, Mapping):
        if len(metrics) != 1:
            raise InputError(f"expected a value for each of {list(metrics)}, found {quoted(values)}")
        values = {next(iter(metrics)): values}
    found = read_numbers(values, "use study.fail(trial, reason) where there is none")
    if unknown := sorted(found.keys() - metrics.keys()):
        raise InputError(f"the study has no metrics {quoted(unknown)}: tell it {sorted(metrics)}")
    if missing := sorted(metrics.keys() - found.keys()):
        raise InputError(f"no value of {missing}: tell all of {sorted(metrics)}, or study.fail(trial, reason)")
    return {name: found[name] for name in metrics}


def read_numbers(values: Mapping[str, float], mends: str) -> dict[str, float]:
    """Finite numbers by name.

    Raises:
        InputError: one isn't finite, or no number.
    """
    found = {}
    for name, value in values.items():
        try:
            found[str(name)] = float(value)
        except (TypeError, ValueError):
            found[str(name)] = math.nan
        if not math.isfinite(found[str(name)]):
            raise InputError(f"{shown(name)} must be a finite number, found {quoted(value)}: {mends}")
    return found
