"""The layers of NATS-Bench's size space, and what they cost (Dong et al., TPAMI 2021, section 3.1)."""

from collections.abc import Iterator
from typing import NamedTuple

NUM_LAYERS = 5
"""Layers between the stem and the classifier, each of its own width."""
CLASSES = 10
"""What the classifier tells apart on CIFAR-10."""
_INPUTS, _IMAGE = 3, 32
_NORM = 2
"""Parameters of a batch norm per channel: a scale and an offset."""


class Convolution(NamedTuple):
    """A convolution without a bias: its kernel, its channels, the side of its output, and whether a norm follows."""

    kernel: int
    inputs: int
    outputs: int
    side: int
    normed: bool = True

    @property
    def params(self) -> int:
        """Parameters, those of the norm included."""
        return self.kernel**2 * self.inputs * self.outputs + _NORM * self.outputs * self.normed

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        return self.kernel**2 * self.inputs * self.outputs * self.side**2


def halves(layer: int) -> bool:
    """Whether a layer is a residual block that halves the image, and not a cell: the second and the fourth are."""
    return layer % 2 == 1


def side_after(layer: int) -> int:
    """The side of a layer's output; -1 is the stem."""
    return _IMAGE >> ((layer + 1) // 2)


def stem(width: int) -> Convolution:
    """The stem, as wide as the first layer."""
    return Convolution(3, _INPUTS, width, _IMAGE)


def convolutions(layer: int, inputs: int, outputs: int) -> Iterator[Convolution]:
    """Those of a layer.

    A cell is the benchmark's best of NAS-Bench-201: its nodes read the input, the input and the first node, and both
    nodes, by convolutions of 3 x 3; the last adds the input itself, through one of 1 x 1 where it is of another width.
    """
    side = side_after(layer)
    if halves(layer):
        yield Convolution(3, inputs, outputs, side)
        yield Convolution(3, outputs, outputs, side)
        yield Convolution(1, inputs, outputs, side, normed=False)
        return
    yield from [Convolution(3, inputs, outputs, side)] * 2
    yield from [Convolution(3, outputs, outputs, side)] * 3
    if inputs != outputs:
        yield Convolution(1, inputs, outputs, side)


def end_params(width: int) -> int:
    """Parameters of the last norm and of the classifier."""
    return _NORM * width + CLASSES * (width + 1)


def end_macs(width: int) -> int:
    """Multiply-accumulates of the classifier."""
    return CLASSES * width
