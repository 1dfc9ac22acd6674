"""Settings of predictors and of the labels that they learn from."""

import dataclasses

from nag_jax.fitting.recipe import Recipe
from nag_jax.settings.names import ATTENTION, NORMALIZATIONS, PREDICTORS
from nag_jax.system.fields import COUNT, FRACTION, NOT_NEGATIVE, RATE, one_of, option

_WIDTH = option(32, "The number of features of a node.", COUNT)
_HEAD_WIDTH = option(64, "The number of hidden features between pooling and value.", COUNT)
_NOISE_AWARE = option(False, "Whether the network is told the noise level, as the published one is.")
_DROPOUT = option(0.0, "The share of features that training leaves out.", RATE)


@dataclasses.dataclass(frozen=True)
class Labels:
    """The labels that generation pays for."""

    training: int = option(200, "How many random architectures are labelled for the predictor.", NOT_NEGATIVE)
    final: int = option(10, "How many of the generated architectures are labelled, the predictor's best.", COUNT)


@dataclasses.dataclass(frozen=True)
class DirectionalGCN:
    """The graph convolutional network, whose layers pass messages both ways."""

    width: int = _WIDTH
    num_layers: int = option(4, "The number of graph convolutions.", COUNT)
    head_width: int = _HEAD_WIDTH
    pooling: str = option(
        "nodes", "What the value is read off: all nodes in order, or their mean.", one_of("nodes", "mean")
    )
    residual: bool = option(True, "Whether a layer adds to its input.")
    noise_aware: bool = _NOISE_AWARE
    bias: bool = option(True, "Whether layers have a bias.")
    dropout: float = _DROPOUT


@dataclasses.dataclass(frozen=True)
class PooledTransformer:
    """The transformer, whose nodes are pooled."""

    width: int = _WIDTH
    num_layers: int = option(2, "The number of transformer blocks.", COUNT)
    num_heads: int = option(4, "The number of attention heads of a block; they divide the width.", COUNT)
    mlp_width: int = option(64, "The number of hidden features of a block's perceptron.", COUNT)
    head_width: int = _HEAD_WIDTH
    attention: str = option("all", "Whom a node sees: all nodes, its relatives, or its successors.", ATTENTION)
    noise_aware: bool = _NOISE_AWARE
    dropout: float = _DROPOUT


@dataclasses.dataclass(frozen=True)
class Predictor:
    """The predictor of the objective; the block of its name counts."""

    name: str = option("directional_gcn", "The network.", PREDICTORS)
    members: int = option(2, "The number of networks of the ensemble.", COUNT)
    labels: str = option("tail", "How labels are normalised.", NORMALIZATIONS)
    view: str = option(
        "denoised",
        "What the predictor is shown in training: clean, noised or denoised architectures.",
        one_of("clean", "noised", "denoised"),
    )
    soft_share: float = option(0.5, "The share of denoised estimates in the denoised view.", FRACTION)
    directional_gcn: DirectionalGCN = DirectionalGCN()
    pooled_transformer: PooledTransformer = PooledTransformer()
    training: Recipe = Recipe(
        num_steps=600,
        batch_size=64,
        learning_rate=1e-2,
        warmup_steps=60,
        decay="cosine",
        clip_norm=1.0,
        weight_decay=0.01,
        ema_decay=0.99,
        chunk_steps=100,
        checkpoint_every=600,
    )
