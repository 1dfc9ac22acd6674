"""Costs that add up over nodes: exact for architectures, linear and so differentiable in relaxed x."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linprog

from nag_jax.spaces.nodes import NodeSpace
from nag_jax.system.errors import InputError


class AnyCost(Protocol):
    """A cost that constraints can be put on, whatever it is made of."""

    def of(self, tokens) -> np.ndarray:
        """Costs float64 `[B]` of tokens `[B, N]`."""
        ...

    def relaxed(self, x) -> jax.Array:
        """Costs float32 `[B]` of architectures without noise, x `[B, N, V]`. Jittable."""
        ...

    def moments(self, space: Any, p, scale: float) -> tuple[jax.Array, jax.Array]:
        """Mean and variance of the cost over a scale, given the class of one node; see `Cost.moments`."""
        ...

    def reachable(self, space: Any, others: Sequence[tuple[Any, float, float]] = ()) -> tuple[float, float] | None:
        """The least and greatest cost where other costs lie in their bands; see `reachable`."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Cost:
    """A cost that is a constant and one term per node, which its class alone decides.

    Attributes:
        constant: what every architecture costs.
        table: what a node costs by its class, float64 `[N, V]`; whole numbers up to 2^31 in sum stay exact.
    """

    constant: float
    table: np.ndarray

    def of(self, tokens) -> np.ndarray:
        """Costs float64 `[B]` of tokens `[B, N]`."""
        return np.asarray(_total(self._exact_table, np.asarray(tokens, np.int32)), np.float64) + self.constant

    def relaxed(self, x) -> jax.Array:
        """Costs float32 `[B]` of relaxed x `[B, N, V]`; of class probabilities, the expected costs."""
        return self.constant + jnp.tensordot((x + 1.0) / 2.0, jnp.asarray(self.table, jnp.float32), 2)

    def moments(self, space: NodeSpace, p, scale: float) -> tuple[jax.Array, jax.Array]:
        """Mean and variance of the cost over a scale, given the class of one node: each `[B, N, V]`. Jittable.

        Args:
            space: the space of the architectures.
            p: class probabilities `[B, N, V]`; see `NodeSpace.conditional_moments`.
            scale: unit of the result, as the spread of the cost.
        """
        mean, variance = space.conditional_moments(p, np.asarray(self.table / scale, np.float32))
        return mean + self.constant / scale, variance

    def reachable(
        self, space: NodeSpace, others: Sequence[tuple["Cost", float, float]] = ()
    ) -> tuple[float, float] | None:
        """See `reachable`."""
        return reachable(space, self, others)

    @property
    def _exact_table(self) -> np.ndarray:
        whole = np.array_equal(self.table, np.round(self.table))
        return self.table.astype(np.int32 if whole else np.float32)


@jax.jit
def _total(table, tokens):
    return table[jnp.arange(table.shape[0], dtype=jnp.int32)[None], tokens].sum(axis=1)


def reachable(
    space: NodeSpace, cost: Cost, others: Sequence[tuple[Cost, float, float]] = ()
) -> tuple[float, float] | None:
    """The least and greatest cost of architectures whose other costs lie in their bands, or None if there are none.

    A linear program over class probabilities, so with other costs the range may be a little too wide: what is outside
    can't be reached, and what is inside nearly always can. Without others it is exact.

    Args:
        space: the space of the architectures.
        cost: the cost whose range is asked for.
        others: (cost, low, high) of every other constraint.
    """
    nodes, classes = np.nonzero(space.allowed)
    equal = (nodes[None] == np.arange(space.num_nodes)[:, None]).astype(float)
    rows, bounds = [row[nodes, classes] for row in space.inequalities()], [0.0] * len(space.inequalities())
    for other, low, high in others:
        scale = max(1.0, float(np.abs(other.table).max()))
        coefficients = other.table[nodes, classes] / scale
        for sign, bound in ((1.0, high), (-1.0, low)):
            if np.isfinite(bound):
                rows.append(sign * coefficients)
                bounds.append(sign * (bound - other.constant) / scale)
    ends = []
    for sign in (1.0, -1.0):
        found = linprog(
            sign * cost.table[nodes, classes] / max(1.0, float(np.abs(cost.table).max())),
            A_ub=np.array(rows) if rows else None,
            b_ub=bounds if rows else None,
            A_eq=equal,
            b_eq=np.ones(space.num_nodes),
            bounds=(0.0, 1.0),
        )
        if not found.success:
            return None
        ends.append(cost.constant + float(cost.table[nodes, classes] @ found.x))
    return ends[0], ends[1]


def check_bands(space: NodeSpace, costs: Mapping[str, AnyCost], bands: Sequence[tuple[str, float, float]]) -> None:
    """Raises InputError where no architecture can have costs in all of the bands (name, low, high)."""
    for i, (name, low, high) in enumerate(bands):
        others = [(costs[other], lower, upper) for other, lower, upper in bands[:i]]
        least, most = costs[name].reachable(space, others) or (np.inf, -np.inf)
        if low > most * (1 + 1e-9) or high < least * (1 - 1e-9):
            given = " and ".join(write(*band) for band in bands[:i])
            raise InputError(
                f"no network of {space.name} has {write(name, low, high)}{' besides ' + given if given else ''}: "
                f"{name} reaches from {least:.6g} to {most:.6g}{' there' if given else ''}; widen the constraint"
            )


def write(name: str, low: float, high: float) -> str:
    """A band as a constraint is written: `macs <= 3e+08`, `2e+08 <= macs <= 2.2e+08`."""
    if not np.isfinite(low):
        return f"{name} <= {high:.6g}"
    return f"{low:.6g} <= {name} <= {high:.6g}" if np.isfinite(high) else f"{name} >= {low:.6g}"
