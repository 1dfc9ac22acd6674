"""The graph transformer behind the score: one network for the denoiser and for the published raw score."""

import math

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from nag_jax.networks.layers import (
    ATTENTION,
    Attention,
    Block,
    TimeEmbedding,
    dag_depths,
    dag_relations,
    position_table,
)
from nag_jax.system.errors import InputError

DTYPES = ("float32", "bfloat16")


class GraphTransformer(nn.Module):
    """A transformer whose tokens are the nodes of a fixed DAG.

    With the options of `configs/nb201.py:paper` it is the published score network (An et al., ICLR 2024, appendix),
    with 3,989,575 parameters on NAS-Bench-201.

    Attributes:
        adjacency: the DAG as nested tuples of bools `[N][N]`, nodes in topological order.
        num_classes: V.
        width: the number of features of a node; a multiple of `num_heads`.
        num_blocks: transformer blocks.
        num_heads: attention heads.
        mlp_width: hidden width of a block.
        attention: whom a node sees: its `"successors"`, its `"relatives"` (ancestors and descendants) or `"all"`.
        relation_bias: adds a learned bias a head and relation of the DAG to the attention logits.
        position: `"sinusoid"` of the node's index, as published, or `"dag"`: learned embeddings of the node, of its
            depth and of its distance to the output.
        head: `"linear"` on the last block, starting at zero, or `"concat"`, as published: two hidden layers of twice
            the width of all blocks' normalised outputs together.
        dropout: rate, in training.
        coordinates: where each node stands, `[N][C]`, as a space may know it: with more than one, `"dag"` embeds each
            beside, and `"sinusoid"` is of the last one instead of the index.
        dtype: the type of activations and products, `"float32"`, or `"bfloat16"` for accelerators; parameters,
            attention weights and outputs are float32 with both.
    """

    adjacency: tuple[tuple[bool, ...], ...]
    num_classes: int
    width: int = 64
    num_blocks: int = 2
    num_heads: int = 4
    mlp_width: int = 128
    attention: str = "relatives"
    relation_bias: bool = True
    position: str = "dag"
    head: str = "linear"
    dropout: float = 0.0
    coordinates: tuple[tuple[int, ...], ...] = ()
    dtype: str = "float32"

    def __post_init__(self):
        super().__post_init__()
        known = {"attention": ATTENTION, "position": ("sinusoid", "dag"), "head": ("linear", "concat"), "dtype": DTYPES}
        for field, choices in known.items():
            if getattr(self, field) not in choices:
                raise InputError(f"unknown {field} {getattr(self, field)!r}: use one of {sorted(choices)}")
        if self.width % (2 * self.num_heads):
            raise InputError(f"width {self.width} must be a multiple of twice num_heads {self.num_heads}")

    @nn.compact
    def __call__(self, x, condition, *, deterministic: bool = True):
        """Outputs `[B, N, V]`.

        Args:
            x: noised rows `[B, N, V]`.
            condition: noise level `[B]`, in units that the caller chose.
            deterministic: False in training, which then needs a `dropout` key.
        """
        relations = tuple(map(tuple, dag_relations(np.array(self.adjacency)).tolist()))
        h = nn.Dense(self.width, dtype=self.dtype, name="embed")(x) * math.sqrt(self.width)
        h = nn.Dropout(self.dropout)(h, deterministic=deterministic)
        h += self._positions().astype(self.dtype)
        h += TimeEmbedding(self.width, 4 * self.width, self.dtype, name="time")(condition)[:, None]

        def attention():
            return Attention(
                self.num_heads,
                relations,
                ATTENTION[self.attention],
                self.relation_bias,
                self.dropout,
                self.dtype,
                name="attention",
            )

        outputs = []
        for i in range(self.num_blocks):
            h = Block(attention, self.mlp_width, self.dropout, self.dtype, name=f"block_{i}")(h, deterministic)
            outputs.append(nn.LayerNorm(dtype=self.dtype, name=f"norm_{i}")(h) if self.head == "concat" else h)
        if self.head == "linear":
            h = nn.LayerNorm(dtype=self.dtype, name="norm")(outputs[-1])
            return nn.Dense(self.num_classes, kernel_init=nn.initializers.zeros, name="head")(h.astype(jnp.float32))
        h = jnp.concatenate(outputs, axis=-1)
        hidden = 2 * h.shape[-1]
        h = nn.elu(nn.Dense(hidden, dtype=self.dtype, name="head_0")(h))
        h = nn.elu(nn.Dense(hidden, dtype=self.dtype, name="head_1")(h))
        return nn.Dense(self.num_classes, name="head")(h.astype(jnp.float32))

    def _positions(self):
        n = len(self.adjacency)
        coordinates = np.array(self.coordinates or [[node] for node in range(n)])
        if self.position == "sinusoid":
            return position_table(n, self.width)[coordinates[:, -1]][None]
        init = nn.initializers.normal(1.0)
        depths = dag_depths(np.array(self.adjacency))
        node = self.param("node", init, (n, self.width), jnp.float32)
        depth = self.param("depth", init, (n, self.width), jnp.float32)
        height = self.param("height", init, (n, self.width), jnp.float32)
        places = node + depth[depths[:, 0]] + height[depths[:, 1]]
        if coordinates.shape[1] > 1:
            for i, column in enumerate(coordinates.T):
                places += self.param(f"coordinate_{i}", init, (column.max() + 1, self.width), jnp.float32)[column]
        return places[None]
