"""What a vision transformer is made of, and what its parts cost (Dosovitskiy et al., ICLR 2021).

Patches of the image become tokens, to which positions are added; layers of attention and of a hidden layer, each behind
a norm, change them; the mean of the normed tokens is classified.
"""

from typing import NamedTuple

IMAGE_CHANNELS = 3
_NORM = 2
"""Parameters of a layer norm per channel: a scale and an offset."""


class Layer(NamedTuple):
    """One layer.

    Attributes:
        heads: how many heads its attention has.
        head_width: the width of the queries, keys and values of a head.
        hidden: the width of the hidden layer.
    """

    heads: int
    head_width: int
    hidden: int


class Patches(NamedTuple):
    """How images become tokens.

    Attributes:
        size: height and width of a patch.
        image: height and width of images, multiples of those.
    """

    size: tuple[int, int]
    image: tuple[int, int]

    @property
    def tokens(self) -> int:
        """How many tokens an image has."""
        return (self.image[0] // self.size[0]) * (self.image[1] // self.size[1])

    @property
    def inputs(self) -> int:
        """How many numbers a patch has."""
        return self.size[0] * self.size[1] * IMAGE_CHANNELS


def attention_params(width: int, heads: int, head_width: int) -> int:
    """Parameters of attention with the norm before it, in a network whose tokens have that width."""
    inner = heads * head_width
    return _NORM * width + 3 * (width + 1) * inner + (inner + 1) * width


def attention_macs(width: int, heads: int, head_width: int, tokens: int) -> int:
    """Multiply-accumulates of attention: four products with weights, and two of tokens with tokens."""
    inner = heads * head_width
    return 4 * tokens * width * inner + 2 * tokens**2 * inner


def hidden_params(width: int, hidden: int) -> int:
    """Parameters of a hidden layer with the norm before it."""
    return _NORM * width + (width + 1) * hidden + (hidden + 1) * width


def hidden_macs(width: int, hidden: int, tokens: int) -> int:
    """Multiply-accumulates of a hidden layer."""
    return 2 * tokens * width * hidden


def end_params(width: int, patches: Patches, num_classes: int) -> int:
    """Parameters of the patches' layer, the positions, the last norm and the classifier."""
    return (patches.inputs + 1 + patches.tokens + _NORM) * width + (width + 1) * num_classes


def end_macs(width: int, patches: Patches, num_classes: int) -> int:
    """Multiply-accumulates of the patches' layer and of the classifier."""
    return patches.tokens * patches.inputs * width + width * num_classes


def hidden_width(width: int, ratio: float) -> int:
    """The width of the hidden layer in a network whose tokens have that width."""
    return round(width * ratio)
