"""A transformer over the nodes of the DAG with a mean at its end, for predictors."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from nag_jax.networks.head import head
from nag_jax.networks.layers import ATTENTION, Attention, Block, TimeEmbedding, dag_relations
from nag_jax.system.errors import InputError


class PooledTransformer(nn.Module):
    """A transformer over the nodes of the DAG with a mean over nodes at the end.

    Attributes:
        adjacency: the DAG as nested tuples of bools `[N][N]`.
        width: the number of features of a node; a multiple of `num_heads`.
        num_layers: transformer blocks.
        num_heads: attention heads.
        mlp_width: hidden width of a block.
        head_width: hidden width of the head.
        attention: whom a node sees; see `layers.ATTENTION`.
        noise_aware: whether the noise level is embedded and added to every node.
        dropout: rate, in training.
        outputs: M, the values of an architecture.
    """

    adjacency: tuple[tuple[bool, ...], ...]
    width: int = 32
    num_layers: int = 2
    num_heads: int = 4
    mlp_width: int = 64
    head_width: int = 64
    attention: str = "all"
    noise_aware: bool = False
    dropout: float = 0.0
    outputs: int = 1

    def __post_init__(self):
        super().__post_init__()
        if self.attention not in ATTENTION:
            raise InputError(f"unknown attention {self.attention!r}: use one of {sorted(ATTENTION)}")
        if self.width % self.num_heads:
            raise InputError(f"width {self.width} must be a multiple of num_heads {self.num_heads}")

    @nn.compact
    def __call__(self, x, condition, context, *, deterministic: bool = True):
        """Values `[M]` of one architecture x `[N, V]` at a scalar noise level, given a context `[C]` or None."""
        drop = nn.Dropout(self.dropout, deterministic=deterministic)
        relations = tuple(map(tuple, dag_relations(np.array(self.adjacency)).tolist()))
        h = nn.Dense(self.width, name="embed")((x + 1.0) / 2.0)
        h += self.param("node", nn.initializers.normal(0.3), (len(self.adjacency), self.width), jnp.float32)
        if self.noise_aware:
            h += TimeEmbedding(self.width, 4 * self.width, name="time")(condition)[None]

        def attention():
            return Attention(self.num_heads, relations, ATTENTION[self.attention], True, self.dropout, name="attention")

        h = h[None]
        for i in range(self.num_layers):
            h = Block(attention, self.mlp_width, self.dropout, name=f"block_{i}")(h, deterministic)
        return head(h[0].mean(axis=0), context, self.head_width, drop, self.outputs)
