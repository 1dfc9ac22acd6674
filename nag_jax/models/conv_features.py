"""A small convolutional network that turns images into features and is trained with what uses them."""

import flax.linen as nn


class ConvFeatures(nn.Module):
    """Three convolutions, the later two of stride 2, then the mean over places.

    Attributes:
        width: of the first convolution; each later one doubles it, so there are `4 * width` features.
    """

    width: int = 16

    @nn.compact
    def __call__(self, images):
        """Features `[..., 4 * width]` of images `[..., H, W, channels]`."""
        h = images.reshape(-1, *images.shape[-3:])
        for i in range(3):
            strides = (1, 1) if i == 0 else (2, 2)
            h = nn.relu(nn.Conv(self.width * 2**i, (3, 3), strides, name=f"conv_{i}")(h))
        return h.mean(axis=(1, 2)).reshape(*images.shape[:-3], -1)
