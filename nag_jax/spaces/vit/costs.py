"""Costs of networks whose width is one choice: what another choice adds depends on the width."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.costs import Cost, reachable


@dataclasses.dataclass(frozen=True, eq=False)
class WidthCost:
    """A cost that adds up over nodes once the class of one of them, the width, is known.

    Attributes:
        node: the number of the node whose class is the width; it is always there.
        constants: what every architecture costs by its width, float64 `[V]`.
        tables: what a node adds by the width and by its own class, float64 `[V, N, V]`.
    """

    node: int
    constants: np.ndarray
    tables: np.ndarray

    def of(self, tokens) -> np.ndarray:
        """Costs float64 `[B]` of tokens `[B, N]`; exact for whole numbers."""
        tokens = np.asarray(tokens)
        width = tokens[:, self.node]
        return self.constants[width] + self.tables[width[:, None], np.arange(tokens.shape[1]), tokens].sum(axis=1)

    def relaxed(self, x) -> jax.Array:
        """Costs float32 `[B]` of relaxed x `[B, N, V]`; of class probabilities, the expected costs."""
        p = (x + 1.0) / 2.0
        width = p[:, self.node]
        added = jnp.einsum("bw,wnv,bnv->b", width, jnp.asarray(self.tables, jnp.float32), p)
        return width @ jnp.asarray(self.constants, jnp.float32) + added

    def moments(self, space: Any, p, scale: float) -> tuple[jax.Array, jax.Array]:
        """Mean and variance of the cost over a scale, given the class of one node: each `[B, N, V]`. Jittable.

        Exact where the space's own moments are: the mixture over widths of those of each width.

        Args:
            space: the space of the architectures.
            p: class probabilities `[B, N, V]`.
            scale: unit of the result, as the spread of the cost.
        """
        widths = np.nonzero(space.allowed[self.node])[0]
        found = []
        for width in widths.tolist():
            known = p.at[:, self.node].set(jnp.eye(p.shape[-1], dtype=p.dtype)[None, width])
            found.append(self._at(width).moments(space, known, scale))
        means, variances = (jnp.stack(parts) for parts in zip(*found, strict=True))
        weights = jnp.moveaxis(p[:, self.node, widths], -1, 0)[:, :, None, None]
        weights = weights / jnp.maximum(weights.sum(axis=0, keepdims=True), 1e-12)
        mean = (weights * means).sum(axis=0)
        variance = (weights * (variances + (means - mean[None]) ** 2)).sum(axis=0)
        # Of the width itself, each class has the moments of its own.
        mean = mean.at[:, self.node, widths].set(means[np.arange(len(widths)), :, self.node, widths].T)
        own = variances[np.arange(len(widths)), :, self.node, widths].T
        return mean, variance.at[:, self.node, widths].set(own)

    def reachable(
        self, space: Any, others: Sequence[tuple["WidthCost", float, float]] = ()
    ) -> tuple[float, float] | None:
        """The least and greatest cost where other costs lie in their bands, or None if there are none.

        Of each width it is what `costs.reachable` finds.

        Args:
            space: the space of the architectures.
            others: (cost, low, high) of every other constraint.
        """
        ends = []
        for width in np.nonzero(space.allowed[self.node])[0].tolist():
            allowed = space.allowed.copy()
            allowed[self.node] = np.arange(allowed.shape[1]) == width
            part: Any = _Part(allowed, space.inequalities())
            bands = [(other._at(width), low, high) for other, low, high in others]
            if (found := reachable(part, self._at(width), bands)) is not None:
                ends += found
        return (min(ends), max(ends)) if ends else None

    def _at(self, width: int) -> Cost:
        """The cost of the networks of one width."""
        return Cost(float(self.constants[width]), self.tables[width])


class _Part(NamedTuple):
    """The networks of one width, as far as `costs.reachable` asks for them."""

    allowed: np.ndarray
    rows: list[np.ndarray]

    @property
    def num_nodes(self) -> int:
        return len(self.allowed)

    def inequalities(self) -> list[np.ndarray]:
        return self.rows
