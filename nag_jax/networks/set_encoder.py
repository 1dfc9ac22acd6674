"""Data-set encoders: from the set of a data set's feature vectors to one embedding.

An encoder is written for one data set; `jax.vmap` batches it. Neither the order of the classes nor that of the items of
a class counts, and what is masked doesn't count at all.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from nag_jax.networks.conv_features import ConvFeatures
from nag_jax.system.errors import InputError
from nag_jax.system.options import check_options


class Encoder(NamedTuple):
    """A learned embedding of data sets.

    Attributes:
        init: key -> params.
        apply: (params, features `[C, I, F]` or pixels `[C, I, H, W, 3]`, mask `[C, I]`) -> embedding `[D]`.
    """

    init: Callable
    apply: Callable


class AttentionBlock(nn.Module):
    """Multi-head attention without layer norm: MAB of Lee et al. (ICML 2019), as MetaD2A uses it.

    With q, k, v dense in the queries and keys: `O = q + softmax(q k^T / sqrt(width)) v` by head, out `O + relu(W O)`.
    The scale is by the full width, not by a head's, as published.
    """

    width: int
    num_heads: int

    @nn.compact
    def __call__(self, queries, keys, mask):
        """Maps queries `[..., Q, A]`, keys `[..., K, B]` and mask `[..., K]`, True for keys that count."""
        heads = (self.num_heads, self.width // self.num_heads)
        q = nn.DenseGeneral(heads, name="query")(queries)
        k = nn.DenseGeneral(heads, name="key")(keys)
        v = nn.DenseGeneral(heads, name="value")(keys)
        logits = jnp.einsum("...qhd,...khd->...hqk", q, k) / self.width**0.5
        weights = nn.softmax(jnp.where(mask[..., None, None, :], logits, -1e9))
        out = (q + jnp.einsum("...hqk,...khd->...qhd", weights, v)).reshape(*queries.shape[:-1], self.width)
        return out + nn.relu(nn.Dense(self.width, name="out")(out))


class SetPool(nn.Module):
    """From a set to one vector: self-attention blocks, attention of one learned query to all, and a dense layer."""

    width: int
    num_heads: int
    num_blocks: int

    @nn.compact
    def __call__(self, items, mask):
        """Vectors `[..., width]` of sets of items `[..., M, F]` with mask `[..., M]`."""
        h = items
        for i in range(self.num_blocks):
            h = AttentionBlock(self.width, self.num_heads, name=f"self_{i}")(h, h, mask)
        seed = self.param("seed", nn.initializers.xavier_uniform(), (1, self.width), jnp.float32)
        query = jnp.broadcast_to(seed, (*h.shape[:-2], 1, self.width))
        pooled = AttentionBlock(self.width, self.num_heads, name="pool")(query, h, mask)
        return nn.Dense(self.width, name="out")(pooled[..., 0, :])


class SetTransformer(nn.Module):
    """The hierarchical set transformer of MetaD2A and DiffusionNAG: items within a class, then classes.

    Attributes:
        width: the number of features of the embedding and of everything inside; published 56.
        num_heads: attention heads; published 4.
        num_blocks: self-attention blocks before each pooling; published 2.
        input_scale: what features are multiplied with; sqrt(F) brings unit vectors to entries of unit size.
        image_width: the width of the `ConvFeatures` that images pass first.
    """

    width: int = 56
    num_heads: int = 4
    num_blocks: int = 2
    input_scale: float = 1.0
    image_width: int = 16

    def __post_init__(self):
        super().__post_init__()
        if self.width % self.num_heads:
            raise InputError(f"width {self.width} must be a multiple of num_heads {self.num_heads}")

    @nn.compact
    def __call__(self, features, mask):
        """Embedding `[width]`."""
        h = _item_features(features, self.input_scale, self.image_width)
        options = self.width, self.num_heads, self.num_blocks
        classes = SetPool(*options, name="items")(h, mask)
        return SetPool(*options, name="classes")(classes, mask.any(axis=-1))


class Mean(nn.Module):
    """The cheap alternative: the mean over each class's items, the mean over classes, then two dense layers.

    Attributes:
        width: the number of features of the embedding.
        hidden: the number of features of the layer before the embedding.
        input_scale: what features are multiplied with; sqrt(F) brings unit vectors to entries of unit size.
        image_width: the width of the `ConvFeatures` that images pass first.
    """

    width: int = 56
    hidden: int = 64
    input_scale: float = 1.0
    image_width: int = 16

    @nn.compact
    def __call__(self, features, mask):
        """Embedding `[width]`."""
        h = _item_features(features, self.input_scale, self.image_width)
        pooled = _masked_mean(_masked_mean(h, mask), mask.any(axis=-1))
        return nn.Dense(self.width, name="out")(nn.silu(nn.Dense(self.hidden, name="hidden")(pooled)))


def _item_features(features, scale: float, image_width: int):
    """Item features `[C, I, F]`; images `[C, I, H, W, 3]` pass a convolutional network."""
    return scale * (ConvFeatures(image_width, name="images")(features) if features.ndim == 5 else features)


def _masked_mean(h, mask):
    """Means `[..., F]` over the entries of `[..., M, F]` that mask `[..., M]` names; 0 where it names none."""
    weights = mask.astype(h.dtype)[..., None]
    return (weights * h).sum(axis=-2) / jnp.maximum(weights.sum(axis=-2), 1.0)


ENCODERS = {"mean": Mean, "set_transformer": SetTransformer}


def make(name: str, shape: tuple[int, ...], **options) -> Encoder:
    """Makes the encoder of that name.

    Args:
        name: a key of `ENCODERS`.
        shape: the shape of one item, `(F,)` or `(H, W, 3)`.
        **options: fields of the network.

    Raises:
        InputError: no encoder has that name, it has no such option, or items have neither shape.

    Example:
        >>> encoder = make("mean", (384,), width=8)
        >>> params = encoder.init(jax.random.key(0))
        >>> encoder.apply(params, jnp.ones((10, 1, 384)), jnp.ones((10, 1), bool)).shape
        (8,)
    """
    encoder = check_options("data-set encoder", name, ENCODERS, options, given=("parent", "name"))
    if len(shape) not in (1, 3):
        raise InputError(f"an item of a data set must have the shape [F] or [H, W, 3], found {list(shape)}")
    network = encoder(**options)

    def init(key):
        return network.init(key, jnp.zeros((1, 1, *shape), jnp.float32), jnp.ones((1, 1), bool))

    def apply(params, features, mask) -> jax.Array:
        out = network.apply(params, features, mask)
        assert isinstance(out, jax.Array)
        return out

    return Encoder(init, apply)
