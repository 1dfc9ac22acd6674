"""The network that NAS-Bench-201 trains for a cell (Dong and Yang, ICLR 2020, section 2.1)."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from nag_jax.system.errors import InputError

Edge = tuple[int, int, str]
"""Source and target among the cell's nodes 0 to 3, and the operation between them, as `NASBench201.cell_edges`."""


class CellNetwork(nn.Module):
    """A stem, three stages of the same cell at 16, 32 and 64 channels with a residual block between them, a classifier.

    Attributes:
        edges: the edges of the cell, sources before targets.
        channels: the number of channels in the first stage.
        cells: the number of cells per stage.
        num_classes: the number of classes that the classifier tells apart.
    """

    edges: tuple[Edge, ...]
    channels: int = 16
    cells: int = 5
    num_classes: int = 10

    def __post_init__(self):
        super().__post_init__()
        unknown = sorted({name for _, _, name in self.edges} - {"none", *_OPERATIONS})
        if unknown:
            raise InputError(f"unknown operation {unknown[0]!r} of a cell: use 'none' or one of {sorted(_OPERATIONS)}")

    @nn.compact
    def __call__(self, images, *, train: bool = False):
        """Class logits `[B, num_classes]` of images `[B, s, s, 3]`; with `train`, norms use their batch."""
        h = nn.Conv(self.channels, (3, 3), use_bias=False, name="stem")(images)
        h = _norm(train, "stem_norm")(h)
        for stage in range(3):
            width = self.channels * 2**stage
            if stage:
                h = ResidualBlock(width, name=f"reduction_{stage}")(h, train)
            for i in range(self.cells):
                h = Cell(self.edges, name=f"cell_{stage}_{i}")(h, train)
        h = nn.relu(_norm(train, "last_norm")(h)).mean(axis=(1, 2))
        return nn.Dense(self.num_classes, name="classifier")(h)


class Cell(nn.Module):
    """Four nodes, each the sum of what the edges into it carry; the last is the output.

    Attributes:
        edges: the edges of the cell, sources before targets.
    """

    edges: tuple[Edge, ...]

    @nn.compact
    def __call__(self, h, train: bool):
        """Maps h `[B, s, s, C]` to the same shape."""
        nodes = {0: h}
        for source, target, name in sorted(self.edges, key=lambda edge: edge[1]):
            nodes.setdefault(target, jnp.zeros_like(h))
            if name != "none":
                carried = _OPERATIONS[name](nodes[source], train, f"edge_{source}_{target}")
                nodes[target] = nodes[target] + carried
        return nodes[max(nodes)]


class ResidualBlock(nn.Module):
    """Halves the image: two convolutions, and the mean of 2 x 2 pixels through a third beside them.

    Attributes:
        width: output channels.
    """

    width: int

    @nn.compact
    def __call__(self, h, train: bool):
        """Maps h `[B, s, s, C]` to `[B, s / 2, s / 2, width]`."""
        residual = ReluConvNorm(self.width, 3, stride=2, name="first")(h, train)
        residual = ReluConvNorm(self.width, 3, name="second")(residual, train)
        shortcut = nn.avg_pool(h, (2, 2), strides=(2, 2))
        return residual + nn.Conv(self.width, (1, 1), use_bias=False, name="shortcut")(shortcut)


class ReluConvNorm(nn.Module):
    """ReLU, convolution padded by half its kernel, batch norm.

    Attributes:
        width: output channels.
        kernel: size.
        stride: the stride of the convolution.
    """

    width: int
    kernel: int
    stride: int = 1

    @nn.compact
    def __call__(self, h, train: bool):
        """Maps h `[B, s, s, C]` to `[B, s / stride, s / stride, width]`."""
        half = self.kernel // 2
        size = (self.kernel, self.kernel)
        convolution = nn.Conv(
            self.width, size, strides=self.stride, padding=((half, half), (half, half)), use_bias=False, name="conv"
        )
        return _norm(train, "norm")(convolution(nn.relu(h)))


def _norm(train: bool, name: str) -> nn.BatchNorm:
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5, name=name)


def _convolution(kernel: int) -> Callable:
    return lambda h, train, name: ReluConvNorm(h.shape[-1], kernel, name=name)(h, train)


def _mean_of_nine(h, train: bool, name: str):
    """The mean over 3 x 3 pixels, at the border over those that there are."""
    return nn.avg_pool(h, (3, 3), padding="SAME", count_include_pad=False)


_OPERATIONS: dict[str, Callable] = {
    "skip_connect": lambda h, train, name: h,
    "nor_conv_1x1": _convolution(1),
    "nor_conv_3x3": _convolution(3),
    "avg_pool_3x3": _mean_of_nine,
}
