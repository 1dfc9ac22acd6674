"""Predictors: learned models of an objective. Higher is better, in units of the normalised label.

A network here is written for one architecture; `make_predictor` batches it and `ensemble` stacks members.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import jraph
import numpy as np

from nag_jax.errors import InputError
from nag_jax.models.layers import (
    ATTENTION,
    Attention,
    Block,
    TimeEmbedding,
    dag_relations,
)

POOLING = ("mean", "nodes")


class Predictor(NamedTuple):
    """A learned model of an objective.

    Attributes:
        init: key -> params.
        apply: (params, x `[B, N, V]`, t `[B]`, context) -> `[B, K]`, one column a member of an ensemble. The context
            is None, or what is known of the data set, `[C]`, or of each architecture's data set, `[B, C]`. Keyword
            `dropout_key` turns dropout on.
    """

    init: Callable
    apply: Callable


class DirectionalGCN(nn.Module):
    """Message passing along and against the edges of the DAG (An et al., ICLR 2024; Wen et al., ECCV 2020).

    A layer is `(relu(mean over successors and self of h W) + relu(mean over predecessors and self of h U)) / 2`.
    One graph at a time: `jraph.GraphConvolution` on the graph and on its reverse, to be vmapped.

    Attributes:
        adjacency: the DAG as nested tuples of bools `[N][N]`.
        width: of the node states.
        num_layers: message-passing layers.
        head_width: hidden width of the head.
        pooling: `"mean"` over nodes, as published, or `"nodes"`: all of them, in order, so that positions count.
        residual: whether a layer after the first adds to its input; the published ones don't.
        noise_aware: whether the noise level is embedded and added after pooling.
        bias: whether message-passing layers have biases; the published ones don't.
        dropout: rate, in training.
    """

    adjacency: tuple[tuple[bool, ...], ...]
    width: int = 64
    num_layers: int = 4
    head_width: int = 64
    pooling: str = "nodes"
    residual: bool = True
    noise_aware: bool = False
    bias: bool = True
    dropout: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        if self.pooling not in POOLING:
            raise InputError(f"unknown pooling {self.pooling!r}: use one of {POOLING}")

    @nn.compact
    def __call__(self, x, condition, context, *, deterministic: bool = True):
        """Value `[1]` of one architecture x `[N, V]` at a scalar noise level, given a context `[C]` or None."""
        drop = nn.Dropout(self.dropout, deterministic=deterministic)
        h = (x + 1.0) / 2.0
        for i in range(self.num_layers):
            new = drop(0.5 * (self._messages(h, i, forward=True) + self._messages(h, i, forward=False)))
            h = h + new if self.residual and i else new
        pooled = h.mean(axis=0) if self.pooling == "mean" else h.reshape(-1)
        if self.noise_aware:
            pooled += TimeEmbedding(pooled.shape[-1], 4 * pooled.shape[-1], name="time")(condition)
        return _head(pooled, context, self.head_width, drop)

    def _messages(self, h, i: int, *, forward: bool):
        update = nn.Dense(
            self.width,
            use_bias=self.bias,
            kernel_init=nn.initializers.variance_scaling(2.0, "fan_avg", "uniform"),
            name=f"{'forward' if forward else 'backward'}_{i}",
        )
        sources, targets = np.nonzero(np.array(self.adjacency) | np.eye(len(self.adjacency), dtype=bool))
        senders, receivers = (targets, sources) if forward else (sources, targets)
        graph = jraph.GraphsTuple(
            nodes=h,
            edges=None,
            senders=jnp.asarray(senders),
            receivers=jnp.asarray(receivers),
            globals=None,
            n_node=jnp.array([len(h)]),
            n_edge=jnp.array([len(senders)]),
        )
        aggregate: Any = jraph.segment_mean  # its own stubs don't accept it
        convolution = jraph.GraphConvolution(update, aggregate_nodes_fn=aggregate, symmetric_normalization=False)
        return nn.relu(jnp.asarray(convolution(graph).nodes))


class PooledTransformer(nn.Module):
    """A transformer over the nodes of the DAG with a mean over nodes at the end.

    Attributes:
        adjacency: the DAG as nested tuples of bools `[N][N]`.
        width: of the node stream; a multiple of `num_heads`.
        num_layers: transformer blocks.
        num_heads: attention heads.
        mlp_width: hidden width of a block.
        head_width: hidden width of the head.
        attention: whom a node sees; see `layers.ATTENTION`.
        noise_aware: whether the noise level is embedded and added to every node.
        dropout: rate, in training.
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

    def __post_init__(self):
        super().__post_init__()
        if self.attention not in ATTENTION:
            raise InputError(f"unknown attention {self.attention!r}: use one of {sorted(ATTENTION)}")
        if self.width % self.num_heads:
            raise InputError(f"width {self.width} must be a multiple of num_heads {self.num_heads}")

    @nn.compact
    def __call__(self, x, condition, context, *, deterministic: bool = True):
        """Value `[1]` of one architecture x `[N, V]` at a scalar noise level, given a context `[C]` or None."""
        drop = nn.Dropout(self.dropout, deterministic=deterministic)
        relations = tuple(map(tuple, dag_relations(np.array(self.adjacency)).tolist()))
        h = nn.Dense(self.width, name="embed")((x + 1.0) / 2.0)
        h += self.param("node", nn.initializers.normal(0.3), (len(self.adjacency), self.width))
        if self.noise_aware:
            h += TimeEmbedding(self.width, 4 * self.width, name="time")(condition)[None]

        def attention():
            return Attention(self.num_heads, relations, ATTENTION[self.attention], True, self.dropout, name="attention")

        h = h[None]
        for i in range(self.num_layers):
            h = Block(attention, self.mlp_width, self.dropout, name=f"block_{i}")(h, deterministic)
        return _head(h[0].mean(axis=0), context, self.head_width, drop)


def _head(pooled, context, width: int, drop):
    """Two dense layers on what is known of the architecture and of the data set."""
    if context is not None:
        pooled = jnp.concatenate([pooled, context])
    h = nn.silu(nn.Dense(width, name="hidden")(drop(pooled)))
    return nn.Dense(1, name="value")(h)


def make_predictor(network: nn.Module, shape: tuple[int, int], *, condition=lambda t: t, context=None) -> Predictor:
    """Batches a network of one architecture.

    Args:
        network: called as (x `[N, V]`, condition, context).
        shape: (N, V).
        condition: t `[B]` -> the noise level that the network embeds.
        context: an example of the context, for its shape.
    """

    def init(key):
        return network.init(key, jnp.zeros(shape), jnp.ones(()), context)

    def apply(params, x, t, context=None, *, dropout_key=None):
        def one(x, level, context, i):
            rngs = None if dropout_key is None else {"dropout": jax.random.fold_in(dropout_key, i)}
            return network.apply(params, x, level, context, deterministic=dropout_key is None, rngs=rngs)

        each = 0 if context is not None and context.ndim == 2 else None
        return jax.vmap(one, in_axes=(0, 0, each, 0))(x, condition(t), context, jnp.arange(x.shape[0]))

    return Predictor(init, apply)


def ensemble(predictor: Predictor, size: int) -> Predictor:
    """`size` members from different initialisations, one column each; parameters are stacked.

    The mean over columns is the estimate, their spread its uncertainty (Lakshminarayanan et al., NeurIPS 2017).
    """

    def init(key):
        return jax.vmap(predictor.init)(jax.random.split(key, size))

    def apply(params: Any, x, t, context=None, *, dropout_key=None):
        def member(numbered):
            params, i = numbered
            key = None if dropout_key is None else jax.random.fold_in(dropout_key, i)
            return predictor.apply(params, x, t, context, dropout_key=key)[:, 0]

        # A loop, not vmap: batched over members, XLA's gathers and scatters on CPU take twice as long.
        return jax.lax.map(member, (params, jnp.arange(size))).T

    return Predictor(init, apply)
