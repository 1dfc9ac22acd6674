"""Vision transformers in Flax, of sizes that are known, or of the largest of which an input says what is used."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from nag_jax.spaces.vit.layers import Layer

EPSILON = 1e-6
"""Of layer norms, as in the published networks."""


class Used(NamedTuple):
    """What a layer uses of the sizes that it is made with; each is a number of any shape `[]`, which may be traced.

    Attributes:
        width: the width of tokens.
        heads: the number of heads.
        head_width: the width of a head's queries, keys and values.
        hidden: the width of the hidden layer.
        present: 1, or 0 for a layer that passes its input on.
    """

    width: Any
    heads: Any
    head_width: Any
    hidden: Any
    present: Any = 1


class VisionTransformerNetwork(nn.Module):
    """Patches, layers, the mean of the tokens, a classifier.

    Attributes:
        width: the width of tokens.
        layers: the layers in order.
        patch: height and width of a patch.
        num_classes: the number of classes that the classifier tells apart.
    """

    width: int
    layers: tuple[Layer, ...]
    patch: tuple[int, int]
    num_classes: int = 1000

    @nn.compact
    def __call__(self, images, used: tuple[Used, ...] | None = None, *, train: bool = False):
        """Class logits `[B, num_classes]` of images `[B, h, w, 3]`.

        Args:
            images: `[B, h, w, 3]`.
            used: what each layer uses of its sizes; None for all of them.
            train: whether it is trained, which changes nothing: there is no norm over batches and no dropout.
        """
        width = self.width if used is None else used[0].width
        patches = nn.Conv(
            self.width, self.patch, strides=self.patch, padding="VALID", kernel_init=_NORMAL, name="patches"
        )
        h = patches(images)
        h = h.reshape(len(h), -1, self.width)
        tokens = jnp.eye(h.shape[1], dtype=h.dtype)
        h = h + nn.Dense(self.width, use_bias=False, kernel_init=_NORMAL, name="positions")(tokens)[None]
        h = _kept(h, width)
        for i, layer in enumerate(self.layers):
            h = TransformerLayer(layer, name=f"layer_{i}")(h, None if used is None else used[i])
        h = LayerNorm(name="norm")(h, width).mean(axis=1)
        return nn.Dense(self.num_classes, kernel_init=_scaled(width), name="classifier")(h)


class TransformerLayer(nn.Module):
    """Attention and a hidden layer, each behind a norm and added to its input.

    Attributes:
        layer: its sizes, or the largest that it may use.
    """

    layer: Layer

    @nn.compact
    def __call__(self, h, used: Used | None = None):
        """Maps h `[B, n, C]` to the same shape; what isn't used of the channels stays 0."""
        heads, head_width, hidden = self.layer
        used = used or Used(h.shape[-1], heads, head_width, hidden)

        def added(branch):
            # A size that is known needs no mask, so that the network of one architecture computes nothing for it.
            return _kept(branch, used.width) * jnp.asarray(used.present, branch.dtype)

        h = h + added(
            Attention(heads, head_width, name="attention")(LayerNorm(name="attention_norm")(h, used.width), used)
        )
        inner = nn.Dense(hidden, kernel_init=_scaled(used.width), name="expand")(
            LayerNorm(name="hidden_norm")(h, used.width)
        )
        inner = _kept(nn.gelu(inner, approximate=False), used.hidden)
        return h + added(nn.Dense(h.shape[-1], kernel_init=_scaled(used.hidden), name="project")(inner))


class Attention(nn.Module):
    """Attention of all tokens to all.

    Attributes:
        heads: how many heads it has.
        head_width: the width of their queries, keys and values.
    """

    heads: int
    head_width: int

    @nn.compact
    def __call__(self, h, used: Used):
        """Maps h `[B, n, C]` to the same shape."""
        inner = self.heads * self.head_width

        def of_heads(name):
            found = nn.Dense(inner, kernel_init=_scaled(used.width), name=name)(h)
            return _kept(found.reshape(*h.shape[:2], self.heads, self.head_width), used.head_width)

        query, key, value = (of_heads(name) for name in ("query", "key", "value"))
        scores = jnp.einsum("bqhc,bkhc->bhqk", query, key).astype(jnp.float32)
        weights = jax.nn.softmax(scores * used.head_width**-0.5, axis=-1).astype(h.dtype)
        found = jnp.einsum("bhqk,bkhc->bqhc", weights, value)
        found = jnp.swapaxes(_kept(jnp.swapaxes(found, 2, 3), used.heads), 2, 3)
        out = nn.Dense(h.shape[-1], kernel_init=_scaled(used.heads * used.head_width), name="out")
        return out(found.reshape(*h.shape[:2], inner))


class LayerNorm(nn.Module):
    """The layer norm of the first channels, those that are used; the others are 0 before it and after it."""

    @nn.compact
    def __call__(self, h, width):
        """Maps h `[B, n, C]` to the same shape."""
        scale = self.param("scale", nn.initializers.ones, h.shape[-1:], jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, h.shape[-1:], jnp.float32)
        exact = h.astype(jnp.float32)
        centred = _kept(exact - exact.sum(axis=-1, keepdims=True) / width, width)
        variance = (centred**2).sum(axis=-1, keepdims=True) / width
        normed = centred * jax.lax.rsqrt(variance + EPSILON) * scale[None, None] + bias[None, None]
        return _kept(normed, width).astype(h.dtype)


_NORMAL = nn.initializers.normal(0.02)
"""How positions start, and the layer of the patches, as in the published networks."""


def _scaled(inputs):
    """Draws kernels for a number of inputs that are used, which may be traced."""

    def draw(key, shape, dtype):
        return jax.random.normal(key, shape, dtype) / jnp.sqrt(jnp.asarray(inputs, dtype))

    return draw


def _kept(h, size):
    """H `[..., C]` with 0 in all channels but the first `size`; itself where that is all of them."""
    if isinstance(size, int) and size == h.shape[-1]:
        return h
    channels = jnp.arange(h.shape[-1], dtype=jnp.int32).reshape((1,) * (h.ndim - 1) + (-1,))
    return jnp.where(channels < size, h, jnp.zeros((), h.dtype))
