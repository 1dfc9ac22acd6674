"""Layers that the networks share."""

import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

RELATIONS = ("self", "child", "descendant", "parent", "ancestor", "unrelated")
ATTENTION = {
    "successors": ("child",),
    "relatives": ("self", "child", "descendant", "parent", "ancestor"),
    "all": RELATIONS,
}
"""Which relations of the DAG each attention pattern lets a node look at."""


def dag_relations(adjacency: np.ndarray) -> np.ndarray:
    """Relation of every pair of nodes, as an index into `RELATIONS`, int `[N, N]`: what column j is to row i."""
    adjacency = np.asarray(adjacency, bool)
    n = len(adjacency)
    reach = adjacency.copy()
    for k in range(n):
        reach |= reach[:, k : k + 1] & reach[k : k + 1, :]
    relations = np.full((n, n), RELATIONS.index("unrelated"))
    relations[reach] = RELATIONS.index("descendant")
    relations[reach.T] = RELATIONS.index("ancestor")
    relations[adjacency] = RELATIONS.index("child")
    relations[adjacency.T] = RELATIONS.index("parent")
    np.fill_diagonal(relations, RELATIONS.index("self"))
    return relations


def dag_depths(adjacency: np.ndarray) -> np.ndarray:
    """Longest distances from any source and to any sink of the DAG, int `[N, 2]`; nodes in topological order."""
    adjacency = np.asarray(adjacency, bool)
    n = len(adjacency)
    depths = np.zeros((n, 2), np.int32)
    for j in range(n):
        depths[j, 0] = max((depths[i, 0] + 1 for i in range(n) if adjacency[i, j]), default=0)
    for i in reversed(range(n)):
        depths[i, 1] = max((depths[j, 1] + 1 for j in range(n) if adjacency[i, j]), default=0)
    return depths


def sinusoid(values, width: int) -> jax.Array:
    """Sine and cosine features `[..., width]` of values `[...]`, frequencies from 1 down to 1e-4; width even."""
    half = width // 2
    frequencies = jnp.exp(-jnp.log(jnp.float32(1e4)) * jnp.arange(half, dtype=jnp.float32) / (half - 1))
    angles = jnp.multiply.outer(jnp.asarray(values, jnp.float32), frequencies)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def position_table(n: int, width: int) -> jax.Array:
    """The fixed table `[n, width]` of Vaswani et al. (2017), sines on even and cosines on odd columns."""
    angles = jnp.arange(n, dtype=jnp.float32)[:, None] / 10000 ** (jnp.arange(0, width, 2, jnp.float32) / width)[None]
    return jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1).reshape(n, width)


class TimeEmbedding(nn.Module):
    """Two dense layers over the sinusoid of a noise level `[B]`: `[B, width]`."""

    width: int
    hidden: int
    dtype: str = "float32"

    @nn.compact
    def __call__(self, condition):
        """Embeds condition `[B]`."""
        h = nn.Dense(self.hidden, dtype=self.dtype)(sinusoid(condition, self.width))
        return nn.Dense(self.width, dtype=self.dtype)(nn.silu(h))


class Attention(nn.Module):
    """Multi-head self-attention over nodes, masked and optionally biased by the relations of the DAG.

    A node that may look at nobody looks at all alike, as in the published network.
    """

    num_heads: int
    relations: tuple[tuple[int, ...], ...]
    visible: tuple[str, ...]
    relation_bias: bool
    dropout: float
    dtype: str = "float32"

    @nn.compact
    def __call__(self, h, deterministic: bool):
        """Maps h `[B, N, width]` to the same shape; weights are float32 whatever the dtype."""
        width = h.shape[-1]
        relations = np.array(self.relations)
        mask = np.isin(relations, [RELATIONS.index(name) for name in self.visible])
        qkv = nn.DenseGeneral((3, self.num_heads, width // self.num_heads), dtype=self.dtype)(h)
        q, k, v = qkv[..., 0, :, :], qkv[..., 1, :, :], qkv[..., 2, :, :]
        logits = jnp.einsum("bihd,bjhd->bhij", q, k).astype(jnp.float32) / math.sqrt(width // self.num_heads)
        if self.relation_bias:
            bias = self.param("relation_bias", nn.initializers.zeros, (self.num_heads, len(RELATIONS)), jnp.float32)
            one_hot = np.arange(len(RELATIONS))[:, None, None] == relations[None]
            logits += jnp.tensordot(bias, one_hot.astype(np.float32), 1)[None]  # a gather's gradient is slow on CPU
        weights = jax.nn.softmax(jnp.where(mask[None, None], logits, -1e9), axis=-1)
        weights = nn.Dropout(self.dropout)(weights, deterministic=deterministic).astype(v.dtype)
        mixed = jnp.einsum("bhij,bjhd->bihd", weights, v)
        return nn.Dense(width, dtype=self.dtype)(mixed.reshape(h.shape))


class Block(nn.Module):
    """A pre-norm transformer block."""

    attention: Callable[[], Attention]
    mlp_width: int
    dropout: float
    dtype: str = "float32"

    @nn.compact
    def __call__(self, h, deterministic: bool):
        """Maps h `[B, N, width]` to the same shape."""
        drop = nn.Dropout(self.dropout, deterministic=deterministic)
        h = h + drop(self.attention()(nn.LayerNorm(dtype=self.dtype)(h), deterministic))
        inner = nn.relu(nn.Dense(self.mlp_width, dtype=self.dtype)(nn.LayerNorm(dtype=self.dtype)(h)))
        return h + drop(nn.Dense(h.shape[-1], dtype=self.dtype)(drop(inner)))
