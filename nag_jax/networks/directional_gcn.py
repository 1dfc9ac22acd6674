"""A graph convolution along and against the edges of the DAG, for predictors."""

import flax.linen as nn
import numpy as np

from nag_jax.networks.head import head
from nag_jax.networks.layers import TimeEmbedding
from nag_jax.system.errors import InputError

POOLING = ("mean", "nodes")


class DirectionalGCN(nn.Module):
    """Message passing along and against the edges of the DAG (An et al., ICLR 2024; Wen et al., ECCV 2020).

    A layer is `(relu(mean over successors and self of h W) + relu(mean over predecessors and self of h U)) / 2`.
    One graph at a time, to be vmapped.

    Attributes:
        adjacency: the DAG as nested tuples of bools `[N][N]`.
        width: the number of features of a node.
        num_layers: message-passing layers.
        head_width: hidden width of the head.
        pooling: `"mean"` over nodes, as published, or `"nodes"`: all of them, in order, so that positions count.
        residual: whether a layer after the first adds to its input; the published ones don't.
        noise_aware: whether the noise level is embedded and added after pooling.
        bias: whether message-passing layers have biases; the published ones don't.
        dropout: rate, in training.
        outputs: M, the values of an architecture.
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
    outputs: int = 1

    def __post_init__(self):
        super().__post_init__()
        if self.pooling not in POOLING:
            raise InputError(f"unknown pooling {self.pooling!r}: use one of {POOLING}")

    @nn.compact
    def __call__(self, x, condition, context, *, deterministic: bool = True):
        """Values `[M]` of one architecture x `[N, V]` at a scalar noise level, given a context `[C]` or None."""
        drop = nn.Dropout(self.dropout, deterministic=deterministic)
        h = (x + 1.0) / 2.0
        for i in range(self.num_layers):
            new = drop(0.5 * (self._messages(h, i, forward=True) + self._messages(h, i, forward=False)))
            h = h + new if self.residual and i else new
        pooled = h.mean(axis=0) if self.pooling == "mean" else h.reshape(-1)
        if self.noise_aware:
            pooled += TimeEmbedding(pooled.shape[-1], 4 * pooled.shape[-1], name="time")(condition)
        return head(pooled, context, self.head_width, drop, self.outputs)

    def _messages(self, h, i: int, *, forward: bool):
        update = nn.Dense(
            self.width,
            use_bias=self.bias,
            kernel_init=nn.initializers.variance_scaling(2.0, "fan_avg", "uniform"),
            name=f"{'forward' if forward else 'backward'}_{i}",
        )
        sees = np.array(self.adjacency) | np.eye(len(self.adjacency), dtype=bool)
        sees = sees if forward else sees.T
        # Graphs share one small DAG, so that a product with its means is twice as fast as sums over edges on CPUs.
        means = (sees / sees.sum(axis=1, keepdims=True)).astype(np.float32)
        return nn.relu(means @ update(h))
