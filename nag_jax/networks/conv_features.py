"""A small convolutional network that turns images into features and is trained with what uses them."""

import flax.linen as nn
import jax.numpy as jnp


class ConvFeatures(nn.Module):
    """Three 3x3 convolutions, the later two of stride 2, then the mean over places.

    Convolutions are products of matrices with each place's neighbourhood: inside a scanned training loop on the CPU,
    XLA takes 45 times as long for the gradient of a convolution (images of 32 pixels).

    Attributes:
        width: channels of the first convolution; each later one doubles them, so there are `4 * width` features.
    """

    width: int = 16

    @nn.compact
    def __call__(self, images):
        """Features `[..., 4 * width]` of images `[..., H, W, channels]`."""
        h = images.reshape(-1, *images.shape[-3:])
        for i in range(3):
            h = nn.relu(nn.Dense(self.width * 2**i, name=f"conv_{i}")(_neighbourhoods(h, stride=1 if i == 0 else 2)))
        return h.mean(axis=(1, 2)).reshape(*images.shape[:-3], -1)


def _neighbourhoods(images, *, stride: int):
    """The 3x3 places around every `stride`-th one, zero outside: `[B, ceil(H / stride), ceil(W / stride), 9 C]`."""
    height, width = images.shape[1:3]
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifts = [padded[:, i : i + height : stride, j : j + width : stride] for i in range(3) for j in range(3)]
    return jnp.concatenate(shifts, axis=-1)
