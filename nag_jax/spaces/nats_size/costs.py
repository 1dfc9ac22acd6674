"""Costs of a chain: what two neighbours add depends on the classes of both."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.nats_size import layers


@dataclasses.dataclass(frozen=True, eq=False)
class ChainCost:
    """A cost that is a sum over neighbours in a chain of N nodes, of a space small enough to list.

    Attributes:
        tables: what nodes i and i + 1 add by their classes, float64 `[N - 1, V, V]`.
    """

    tables: np.ndarray

    def of(self, tokens) -> np.ndarray:
        """Costs float64 `[B]` of tokens `[B, N]`; exact for whole numbers."""
        tokens = np.asarray(tokens)
        return self.tables[np.arange(len(self.tables)), tokens[:, :-1], tokens[:, 1:]].sum(axis=1)

    def relaxed(self, x) -> jax.Array:
        """Costs float32 `[B]` of relaxed x `[B, N, V]`; of class probabilities, the expected costs."""
        p, tables = (x + 1.0) / 2.0, jnp.asarray(self.tables, jnp.float32)
        return jnp.einsum("bnu,nuv,bnv->b", p[:, :-1], tables, p[:, 1:])

    def moments(self, space: Any, p, scale: float) -> tuple[jax.Array, jax.Array]:
        """Mean and variance of the cost over a scale, given the class of one node: each `[B, N, V]`. Jittable.

        Exact for independent nodes: given one, what lies before it and what lies after it are independent.

        Args:
            space: the space of the architectures.
            p: class probabilities `[B, N, V]`.
            scale: unit of the result, as the spread of the cost.
        """
        tables = jnp.asarray(self.tables / scale, jnp.float32)
        before = _moments(p, tables)
        after = [part[:, ::-1] for part in _moments(p[:, ::-1], jnp.swapaxes(tables[::-1], 1, 2))]
        return before[0] + after[0], before[1] + after[1]

    def reachable(
        self, space: Any, others: Sequence[tuple["ChainCost", float, float]] = ()
    ) -> tuple[float, float] | None:
        """The least and greatest cost where other costs lie in their bands, or None if there are none; exact.

        Args:
            space: the space of the architectures.
            others: (cost, low, high) of every other constraint.
        """
        tokens = space.all_tokens()
        for other, low, high in others:
            found = other.of(tokens)
            tokens = tokens[(found >= low) & (found <= high)]
        costs = self.of(tokens)
        return (float(costs.min()), float(costs.max())) if len(costs) else None


def _moments(p, tables) -> tuple[jax.Array, jax.Array]:
    """Mean and variance `[B, N, V]` of what lies before each node, given its class."""
    mean, square = jnp.zeros_like(p[:, 0]), jnp.zeros_like(p[:, 0])
    means, variances = [mean], [square]
    for node, table in enumerate(tables):
        weights = p[:, node, :, None]  # of the class before
        sums = mean[:, :, None] + table[None]
        square = (weights * ((square - mean**2)[:, :, None] + sums**2)).sum(axis=1)
        mean = (weights * sums).sum(axis=1)
        means.append(mean)
        variances.append(jnp.maximum(square - mean**2, 0.0))
    return jnp.stack(means, axis=1), jnp.stack(variances, axis=1)


def network_costs(widths: Sequence[int]) -> dict[str, ChainCost]:
    """Parameters, and multiply-accumulates on CIFAR-10, exactly: `"params"` and `"macs"`.

    Parameters include the scales and offsets of batch norms. A multiply-accumulate is one of a convolution or of the
    classifier.
    """
    return {
        "params": _chain(widths, lambda convolution: convolution.params, layers.end_params),
        "macs": _chain(widths, lambda convolution: convolution.macs, layers.end_macs),
    }


def _chain(widths: Sequence[int], cost: Callable[[Any], int], end: Callable[[int], int]) -> ChainCost:
    def between(layer: int, inputs: int, outputs: int) -> int:
        found = sum(map(cost, layers.convolutions(layer, inputs, outputs)))
        if layer == 1:
            found += cost(layers.stem(inputs)) + sum(map(cost, layers.convolutions(0, inputs, inputs)))
        return found + end(outputs) if layer == layers.NUM_LAYERS - 1 else found

    tables = [[[between(layer, a, b) for b in widths] for a in widths] for layer in range(1, layers.NUM_LAYERS)]
    return ChainCost(np.array(tables, np.float64))
