"""Constraints on costs, as a config writes them: checked at once, as a filter, and as guidance."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.guidance.band import MomentsFn, cost_band, log_wall
from nag_jax.guidance.guide import Guide, chain
from nag_jax.guidance.listed import MOST_LISTED, listed_only
from nag_jax.objectives import Metric
from nag_jax.spaces import NodeSpace
from nag_jax.spaces.costs import AnyCost, check_bands, write
from nag_jax.system.errors import InputError, quoted
from nag_jax.system.once import jitted, once

_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_FORM = re.compile(rf"(?:{_NUMBER}\s*<=\s*)?([A-Za-z]\w*)(?:\s*(<=|>=)\s*{_NUMBER})?", re.ASCII)
_DRAWS = 4096
LogChances = Callable[[jax.Array, Mapping[str, Any]], jax.Array]
"""(x `[B, N, V]`, args) -> log-chances `[B]`."""


class Constraint(NamedTuple):
    """A band of a cost.

    Attributes:
        metric: the cost's name.
        low: least value, minus infinity for none.
        high: greatest value, infinity for none.
    """

    metric: str
    low: float
    high: float

    def __str__(self) -> str:
        return write(*self)


def parse(text: str) -> list[Constraint]:
    """Reads constraints joined by `;`.

    Raises:
        InputError: one is none of `macs <= 300e6`, `macs >= 200e6` and `200e6 <= macs <= 220e6`, a number is
            infinite, or a band is empty.

    Example:
        >>> [str(constraint) for constraint in parse("200e6 <= macs <= 220e6; params <= 5e6")]
        ['2e+08 <= macs <= 2.2e+08', 'params <= 5e+06']
    """
    found = []
    for part in filter(None, map(str.strip, text.split(";"))):
        form = _FORM.fullmatch(part)
        before, metric, sign, after = form.groups() if form else (None, "", None, None)
        if not metric or (before is None and after is None) or (before is not None and sign == ">="):
            raise InputError(
                f"constraint {quoted(part)} isn't understood: write 'macs <= 300e6', 'macs >= 200e6' or "
                "'200e6 <= macs <= 220e6', and ';' between several"
            )
        if any(number and math.isinf(float(number)) for number in (before, after)):
            raise InputError(f"constraint {quoted(part)} must have finite numbers: lower them, or leave that side out")
        low, high = float(before or "-inf"), float("inf")
        if after is not None:
            low, high = (float(after), high) if sign == ">=" else (low, float(after))
        if low >= high:
            raise InputError(f"constraint {quoted(part)} holds for no value: the left number must be the lesser one")
        found.append(Constraint(metric, low, high))
    return found


class Constraints:
    """Some constraints on the costs of a space.

    Args:
        space: the space of the architectures.
        costs: all costs that there are, by name.
        constraints: any number.

    Raises:
        InputError: a constraint names no cost, or no architecture keeps to all of them; the message has the reachable
            range.
    """

    def __init__(self, space: NodeSpace, costs: Mapping[str, AnyCost], constraints: Sequence[Constraint]):
        for constraint in constraints:
            if constraint.metric not in costs:
                known = ", ".join(costs) or "(none: nothing that adds up over layers is known)"
                raise InputError(
                    f"constraint {quoted(str(constraint))}: unknown cost {constraint.metric!r}, use one of {known}"
                )
        check_bands(space, costs, constraints)
        self.constraints = list(constraints)
        self._space = space
        self._costs = costs
        self._spreads = self._measure() if constraints else {}

    def __bool__(self) -> bool:
        return bool(self.constraints)

    def hold(self, tokens) -> np.ndarray:
        """Bool `[B]`: which architectures, tokens `[B, N]` of the space, keep to all of them."""
        good = np.ones(len(tokens), bool)
        for metric, low, high in self.constraints:
            values = self._costs[metric].of(tokens)
            good &= (values >= low) & (values <= high)
        return good

    def bands(self) -> np.ndarray:
        """What `guide` is given, float32 `[C, 2]`: low and high, in units of each cost's spread."""
        scaled = [(low / self._spreads[name], high / self._spreads[name]) for name, low, high in self.constraints]
        return np.array(scaled, np.float32).reshape(-1, 2)

    def guide(self) -> Guide | None:
        """The guidance by all of them, which is given `bands()` as `args["bands"]`; None where there are none.

        It is exact where the architectures that keep to them are few enough to list.
        """
        return _guide(self) if self.constraints else None

    def few(self) -> np.ndarray | None:
        """All architectures that keep to all of them, tokens `[S, N]`; None where they are too many to list."""
        return self._space.within(self.hold, MOST_LISTED)

    @property
    def num_classes(self) -> int:
        """V, the classes of a node."""
        return self._space.num_classes

    def log_chances(self) -> LogChances | None:
        """(x `[B, N, V]` of clean architectures, args) -> the log-chances `[B]` that all of them hold; None for none.

        Narrow, so that they are as good as walls, but they have a slope, by which what lies outside finds back in.
        """
        return _log_chances(self) if self.constraints else None

    def relaxed_cost(self, metric: str, x) -> jax.Array:
        """A cost `[B]` of x `[B, N, V]`, in units of its spread."""
        return self._costs[metric].relaxed(x) / self._spreads[metric]

    def moments_of(self, metric: str) -> MomentsFn:
        """Mean and variance of a cost, in units of its spread, as functions of class probabilities."""
        cost, spread = self._costs[metric], self._spreads[metric]
        return lambda p: cost.moments(self._space, p, spread)

    def _measure(self) -> dict[str, float]:
        """Standard deviations of the costs among random architectures."""
        tokens = np.asarray(jitted(self._space.random, static_argnums=1)(jax.random.key(0), _DRAWS))
        names = {constraint.metric for constraint in self.constraints}
        return {name: float(self._costs[name].of(tokens).std()) or 1.0 for name in names}


@once
def _guide(constraints: Constraints) -> Guide:
    few = constraints.few()
    if few is not None:
        return listed_only(few, constraints.num_classes)
    parts = [
        cost_band(moments=constraints.moments_of(constraint.metric), row=row)
        for row, constraint in enumerate(constraints.constraints)
    ]
    return chain(*parts)


@once
def _log_chances(constraints: Constraints) -> LogChances:
    def log_chances(x, args):
        walls = [
            log_wall(constraints.relaxed_cost(constraint.metric, x), *args["bands"][row])
            for row, constraint in enumerate(constraints.constraints)
        ]
        return jnp.stack(walls).sum(axis=0)

    return log_chances


def read_worst(text: str, metrics: Sequence[Metric], field: str) -> dict[int, float]:
    """The worst values that count, higher is better, by the places of their metrics.

    Args:
        text: bounds, as `"accuracy >= 80; latency <= 12"`.
        metrics: the objectives.
        field: the field of a config that the text is of, for errors.

    Raises:
        InputError: a bound is of no objective, or isn't its worst.

    Example:
        >>> read_worst("latency <= 12", [Metric("accuracy"), Metric("latency", direction="min")], "config.aims.bounds")
        {1: -12.0}
    """
    found, names = {}, [metric.name for metric in metrics]
    for constraint in parse(text):
        if constraint.metric not in names:
            raise InputError(f"{field} names {quoted(constraint.metric)}: use some of {', '.join(names)}")
        place = names.index(constraint.metric)
        sign = metrics[place].sign
        worst, other = (constraint.low, constraint.high) if sign > 0 else (-constraint.high, -constraint.low)
        if not np.isfinite(worst) or np.isfinite(other):
            wanted = ">=" if sign > 0 else "<="
            raise InputError(
                f"the bound {quoted(str(constraint))} must be the worst that counts: write it with {wanted}"
            )
        found[place] = worst
    return found
