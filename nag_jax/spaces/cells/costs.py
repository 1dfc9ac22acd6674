"""Costs of cells whose vertices cost what their operation does at the place where the wiring puts them."""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.cells.layout import FIRST_OP, OFF, ON, Layout
from nag_jax.spaces.cells.topologies import Topologies
from nag_jax.spaces.nodes import NodeSpace

_LEAST = 1e-12
"""Smallest probability that is divided by: what is conditioned on a class of less doesn't count."""
_matmul = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)


@dataclasses.dataclass(frozen=True, eq=False)
class CellCost:
    """A cost that is, given the topology, a constant and one term per vertex, which its operation decides.

    Attributes:
        layout: the layout of the cells.
        topologies: all that there are.
        constants: what a cell of each topology costs apart from its operations, float64 `[T]`.
        terms: what an operation at a vertex adds, float64 `[T, M - 2, K]`; 0 where the vertex is absent.
    """

    layout: Layout
    topologies: Topologies
    constants: np.ndarray
    terms: np.ndarray

    def of(self, tokens) -> np.ndarray:
        """Costs float64 `[B]` of tokens `[B, N]`."""
        tokens = np.asarray(tokens)
        rows = self._rows(self.layout.wired(tokens))
        ops = self.layout.operations(tokens)
        there = np.where(ops < 0, 0.0, self.terms[rows[:, None], np.arange(self.layout.slots), np.maximum(ops, 0)])
        return self.constants[rows] + there.sum(axis=1)

    def relaxed(self, x) -> jax.Array:
        """Costs float32 `[B]` of cells without noise, x `[B, N, V]`, in the scale of `NodeSpace.encode`. Jittable."""
        layout, places = self.layout, 1 << np.arange(len(self.layout.pairs), dtype=np.int32)
        names = (self.topologies.wired @ places).astype(np.int32)
        order = np.argsort(names)
        wired = (x[:, layout.pair_nodes, ON] > 0).astype(jnp.int32)
        found = jnp.searchsorted(jnp.asarray(names[order]), (wired * places[None]).sum(axis=-1))
        rows = jnp.asarray(order.astype(np.int32))[jnp.minimum(found, len(order) - 1)]
        ops = (x[:, layout.slot_nodes, FIRST_OP : layout.absent] + 1.0) / 2.0
        terms, constants = (jnp.asarray(each, jnp.float32) for each in (self.terms, self.constants))
        return constants[rows] + (terms[rows] * ops).sum(axis=(1, 2))

    def moments(self, space: NodeSpace, p, scale: float) -> tuple[jax.Array, jax.Array]:
        """Mean and variance of the cost over a scale, given the class of one node: each `[B, N, V]`. Jittable.

        Topologies are weighed as if the class probabilities were evidence about independent nodes. That is exact where
        they are 0 or 1, and so at the end of sampling. Of what a vertex' operation adds, its covariance with the
        wiring is left out.

        Args:
            space: the space of the cells.
            p: class probabilities `[B, N, V]`.
            scale: unit of the result, as the spread of the cost.
        """
        layout, (constants, terms, products, parts) = self.layout, self._arrays(scale)
        kinds = len(layout.ops)
        ops = p[:, layout.slot_nodes, FIRST_OP : layout.absent]
        ops = ops / jnp.maximum(ops.sum(axis=-1, keepdims=True), _LEAST)  # where the vertex is there
        covariance = ops[..., None] * (np.eye(kinds, dtype=np.float32)[None, None] - ops[..., None, :])
        mean = _matmul(_flat(ops), terms.T) + constants[None]  # of each topology
        square = mean**2 + _matmul(_flat(covariance), products.T)
        weights = jax.nn.softmax(_matmul(_log_shares(layout, p), parts.T), axis=-1)
        shares = jnp.maximum(_matmul(weights, parts), _LEAST)
        means = _matmul(weights * mean, parts) / shares
        variances = jnp.maximum(_matmul(weights * square, parts) / shares - means**2, 0.0)
        present = slice(2 * len(layout.pairs), 2 * len(layout.pairs) + layout.slots)
        own = _matmul(weights, terms).reshape(ops.shape) / shares[:, present, None]
        own -= (ops * own).sum(axis=-1, keepdims=True)
        rest = variances[:, present] - (ops * own**2).sum(axis=-1)
        means = _to_nodes(layout, means, means[:, present, None] + own)
        variances = _to_nodes(layout, variances, jnp.broadcast_to(jnp.maximum(rest, 0.0)[..., None], ops.shape))
        return means + self._centre / scale, variances

    def reachable(self, space: NodeSpace, others: Sequence[tuple["CellCost", float, float]] = ()):
        """The least and greatest cost of cells whose other costs lie in their bands, or None if there are none; exact.

        Args:
            space: the space of the cells.
            others: (cost, low, high) of every other constraint.
        """
        values, inside = self.every(), True
        for other, low, high in others:
            inside = inside & (other.every() >= low) & (other.every() <= high)
        values = values[np.broadcast_to(inside, values.shape)]
        return (float(values.min()), float(values.max())) if len(values) else None

    def every(self) -> np.ndarray:
        """The costs of all graphs, topology by topology, float64."""
        parts = []
        for interior in range(self.layout.slots + 1):
            rows = self.topologies.interior == interior
            costs = self.constants[rows]
            for slot in range(interior):
                costs = (costs[:, None] + np.repeat(self.terms[rows, slot], len(costs) // rows.sum(), axis=0)).reshape(
                    -1
                )
            parts.append(costs)
        return np.concatenate(parts)

    def _rows(self, wired: np.ndarray) -> np.ndarray:
        """The topologies that pairs bool `[B, P]` are."""
        places = 1 << np.arange(wired.shape[1], dtype=np.int64)
        names = self.topologies.wired @ places
        order = np.argsort(names)
        return order[np.searchsorted(names[order], wired @ places)]

    @property
    def _centre(self) -> float:
        """What costs are measured from, since their squares have 24 bits."""
        return float(np.median(self.constants) + self.terms.mean(axis=2).sum(axis=1).mean())

    def _arrays(self, scale: float) -> tuple[np.ndarray, ...]:
        """Constants, terms, products of two terms of a vertex, and parts (see `_log_shares`), float32 `[T, ...]`."""
        terms = self.terms / scale
        products = terms[..., :, None] * terms[..., None, :]
        wired, present = self.topologies.wired, _present(self.layout, self.topologies)
        parts = np.concatenate([wired, ~wired, present, ~present], axis=1)
        arrays = ((self.constants - self._centre) / scale, _flat(terms), _flat(products), parts)
        return tuple(array.astype(np.float32) for array in arrays)


def _flat(values):
    return values.reshape(len(values), -1)


def _present(layout: Layout, topologies: Topologies) -> np.ndarray:
    """Which vertices between input and output a topology has, bool `[T, M - 2]`."""
    return np.arange(layout.slots) < topologies.interior[:, None]


def _log_shares(layout: Layout, p) -> jax.Array:
    """Logarithms of the probabilities of parts `[B, 2 P + 2 (M - 2)]`: pairs on, off, vertices there, not there."""
    pairs, absent = p[:, layout.pair_nodes], p[:, layout.slot_nodes, layout.absent]
    there = p[:, layout.slot_nodes, FIRST_OP : layout.absent].sum(axis=-1)
    return jnp.log(jnp.maximum(jnp.concatenate([pairs[..., ON], pairs[..., OFF], there, absent], axis=1), _LEAST))


def _to_nodes(layout: Layout, of_parts, of_ops) -> jax.Array:
    """Values `[B, N, V]` from those of parts (see `_log_shares`), and those of operations `[B, M - 2, K]`."""
    pairs, slots = len(layout.pairs), layout.slots
    on, off, _, absent = jnp.split(of_parts, np.cumsum([pairs, pairs, slots]), axis=1)
    values = jnp.zeros((len(of_parts), *layout.allowed.shape), jnp.float32)
    values = values.at[:, layout.pair_nodes, ON].set(on).at[:, layout.pair_nodes, OFF].set(off)
    values = values.at[:, layout.slot_nodes, layout.absent].set(absent)
    return values.at[:, layout.slot_nodes, FIRST_OP : layout.absent].set(of_ops)
