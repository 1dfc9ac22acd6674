"""Augmentation of a batch of examples; everything is jittable and takes its randomness from a key."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from nag_jax.training.recipe import Augmentation


class Batch(NamedTuple):
    """Examples to fit to.

    Attributes:
        inputs: float32 `[B, h, w, 3]`, normalised, so that the mean is 0.
        targets: float32 `[B, K]`, the weights of the classes.
    """

    inputs: jax.Array
    targets: jax.Array


def augment(key: jax.Array, batch: Batch, how: Augmentation) -> Batch:
    """The batch, shifted, mirrored, cut out and mixed, as far as is asked for.

    Example:
        >>> batch = Batch(jnp.ones((2, 4, 4, 3)), jnp.eye(2))
        >>> augment(jax.random.key(0), batch, Augmentation(cutout=2)).inputs.shape
        (2, 4, 4, 3)
    """
    shift_key, flip_key, cut_key, mix_key = jax.random.split(key, 4)
    inputs, targets = batch
    if how.crop:
        inputs = _shifted(shift_key, inputs, how.crop)
    if how.flip:
        mirrored = jax.random.bernoulli(flip_key, 0.5, (len(inputs), 1, 1, 1))
        inputs = jnp.where(mirrored, inputs[:, :, ::-1], inputs)
    if how.cutout:
        inputs = _cut_out(cut_key, inputs, how.cutout)
    return _mixed(mix_key, Batch(inputs, targets), how.mixup) if how.mixup else Batch(inputs, targets)


def _shifted(key: jax.Array, inputs: jax.Array, most: int) -> jax.Array:
    """Every image moved by up to `most` pixels along each axis that has more than one; what is new is the mean."""
    _, height, width, channels = inputs.shape
    around = [most if size > 1 else 0 for size in (height, width)]
    padded = jnp.pad(inputs, ((0, 0), *((n, n) for n in around), (0, 0)))
    starts = jax.random.randint(key, (len(inputs), 2), 0, 2 * jnp.array([around]) + 1, jnp.int32)

    def crop(image, start):
        return jax.lax.dynamic_slice(image, (start[0], start[1], 0), (height, width, channels))

    return jax.vmap(crop)(padded, starts)


def _cut_out(key: jax.Array, inputs: jax.Array, side: int) -> jax.Array:
    """A square around a random pixel becomes the mean (DeVries and Taylor, 2017)."""
    sizes = inputs.shape[1:3]
    centres = jax.random.randint(key, (len(inputs), 2), 0, jnp.array([sizes]), jnp.int32)
    inside = [
        jnp.abs(jnp.arange(size, dtype=jnp.int32)[None] + (1 - side % 2) / 2 - centres[:, axis, None]) < side / 2
        for axis, size in enumerate(sizes)
    ]
    return jnp.where((inside[0][:, :, None] & inside[1][:, None, :])[..., None], 0.0, inputs)


def _mixed(key: jax.Array, batch: Batch, alpha: float) -> Batch:
    """Every example mixed with that of the next row, by one share for the batch (Zhang et al., ICLR 2018)."""
    share = jax.random.beta(key, alpha, alpha)
    return Batch(*(share * part + (1.0 - share) * jnp.roll(part, 1, axis=0) for part in batch))
