"""The network of NATS-Bench's size space, of the blocks of NAS-Bench-201's (Dong et al., TPAMI 2021, section 3.1)."""

import flax.linen as nn

from nag_jax.spaces.nasbench201.network import ReluConvNorm, ResidualBlock, batch_norm
from nag_jax.spaces.nats_size.layers import CLASSES, halves


class SizeNetwork(nn.Module):
    """A stem, five layers of their own widths, a classifier.

    Attributes:
        widths: the channels of the layers.
        num_classes: the number of classes that the classifier tells apart.
    """

    widths: tuple[int, ...]
    num_classes: int = CLASSES

    @nn.compact
    def __call__(self, images, *, train: bool = False):
        """Class logits `[B, num_classes]` of images `[B, s, s, 3]`; with `train`, norms use their batch."""
        h = nn.Conv(self.widths[0], (3, 3), use_bias=False, name="stem")(images)
        h = batch_norm(train, "stem_norm")(h)
        for layer, width in enumerate(self.widths):
            block = ResidualBlock if halves(layer) else SizeCell
            h = block(width, name=f"layer_{layer}")(h, train)
        h = nn.relu(batch_norm(train, "last_norm")(h)).mean(axis=(1, 2))
        return nn.Dense(self.num_classes, name="classifier")(h)


class SizeCell(nn.Module):
    """The cell of all networks: the best of NAS-Bench-201, whose first node may have another width.

    Attributes:
        width: the number of output channels.
    """

    width: int

    @nn.compact
    def __call__(self, h, train: bool):
        """Maps h `[B, s, s, C]` to `[B, s, s, width]`."""

        def edge(source, target):
            return ReluConvNorm(self.width, 3, name=f"edge_{source}_{target}")

        first = edge(0, 1)(h, train)
        second = edge(0, 2)(h, train) + edge(1, 2)(first, train)
        carried = h
        if h.shape[-1] != self.width:
            carried = nn.Conv(self.width, (1, 1), use_bias=False, name="edge_0_3")(h)
            carried = batch_norm(train, "edge_0_3_norm")(carried)
        return carried + edge(1, 3)(first, train) + edge(2, 3)(second, train)
