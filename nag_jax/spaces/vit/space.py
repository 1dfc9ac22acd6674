"""The space of vision transformers, searched as AutoFormer does (Chen et al., ICCV 2021)."""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nag_jax.spaces.declared import DagSpace, chain, repeat
from nag_jax.spaces.vit import layers
from nag_jax.spaces.vit.costs import WidthCost
from nag_jax.spaces.vit.layers import Layer, Patches, hidden_width
from nag_jax.system.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nag_jax.spaces.any_network import AnyNetwork
    from nag_jax.spaces.blueprint import Blueprint

WIDTH = "width"
"""The node whose class is the width of the tokens."""


class Sizes(NamedTuple):
    """The sizes of one network.

    Attributes:
        width: the width of its tokens.
        layers: its layers in order.
    """

    width: int
    layers: tuple[Layer, ...]


class VisionTransformer(DagSpace):
    """Vision transformers of a width and a depth, whose layers each have their heads and their hidden layer.

    The defaults are AutoFormer's smallest space. Every width, depth and choice of a layer that is there is drawn
    equally often.

    Args:
        widths: the widths that tokens may have.
        depths: how many layers there may be.
        heads: how many heads a layer's attention may have.
        head_widths: the widths that queries, keys and values of a head may have.
        ratios: how many times as wide as tokens the hidden layer of a layer may be.
        patch: the side of a patch in pixels; images that are one pixel wide have patches that are, too.
        image_size: the height of images, a multiple of `patch`.
        image_width: the width of images that aren't square; 0 for those that are.
        num_classes: the number of classes that the classifier of `costs` and `blueprint` tells apart.

    Raises:
        InputError: a size isn't a whole number above 0, is given twice or is missing, or images aren't made of patches.

    Example:
        >>> space = VisionTransformer()
        >>> f"{space.size:.1e}"
        '1.1e+09'
        >>> small = VisionTransformer(depths=(1, 2), patch=4, image_size=32, num_classes=10)
        >>> small.to_native(small.all_tokens()[:1])
        ['width 192|layer x1|3 x 64|ratio 3.5']
    """

    drawn_as = "networks"

    def __init__(
        self,
        *,
        widths: Sequence[int] = (192, 216, 240),
        depths: Sequence[int] = (12, 13, 14),
        heads: Sequence[int] = (3, 4),
        head_widths: Sequence[int] = (64,),
        ratios: Sequence[float] = (3.5, 4.0),
        patch: int = 16,
        image_size: int = 224,
        image_width: int = 0,
        num_classes: int = 1000,
    ):
        given = {"widths": widths, "depths": depths, "heads": heads, "head_widths": head_widths, "ratios": ratios}
        for name, sizes in given.items():
            whole = name == "ratios" or all(isinstance(size, int) for size in sizes)
            if not sizes or len(set(sizes)) < len(sizes) or min(sizes) <= 0 or not whole:
                raise InputError(f"{name} of vit must be sizes above 0 that differ, found {list(sizes)}")
        image = (image_size, image_width or image_size)
        size = (patch, min(patch, image[1]))
        if min(*size, num_classes) < 1 or image[0] % size[0] or image[1] % size[1]:
            raise InputError(
                f"images of vit, {image[0]} x {image[1]} pixels, must be made of patches of {patch} x {patch}, and "
                "num_classes at least 1: choose another patch or image_size"
            )
        self.patches, self.num_outputs = Patches(size, image), num_classes
        widths_of = {f"width {width}": width for width in widths}
        attention = {f"{count} x {width}": (count, width) for count in heads for width in head_widths}
        ratio_of = {f"ratio {ratio:g}": float(ratio) for ratio in ratios}
        layer = {"attention": list(attention), "hidden": list(ratio_of)}
        super().__init__(
            "vit",
            **chain({WIDTH: list(widths_of)}, repeat("layer", layer, depths))._asdict(),
            uniform="choices",
            attributes={
                "width": widths_of,
                "heads": {name: count for name, (count, _) in attention.items()},
                "head width": {name: width for name, (_, width) in attention.items()},
                "ratio": ratio_of,
            },
        )

    @property
    def layer_nodes(self) -> list[tuple[int, int]]:
        """The nodes of the attention and of the hidden layer, of every layer that there may be."""
        return [(node, node + 1) for node in range(2, self.num_nodes, 2)]

    def sizes(self, tokens) -> Sizes:
        """The sizes of one network, tokens `[N]`."""
        (row,) = self._checked(np.asarray(tokens)[None])
        width = int(self.numbers("width")[row[0]])
        heads, head_widths, ratios = (self.numbers(name)[row] for name in ("heads", "head width", "ratio"))
        attention = zip(heads[heads > 0].tolist(), head_widths[heads > 0].tolist(), strict=True)
        made = [
            Layer(int(count), int(head_width), hidden_width(width, ratio))
            for (count, head_width), ratio in zip(attention, ratios[ratios > 0].tolist(), strict=True)
        ]
        return Sizes(width, tuple(made))

    def numbers(self, attribute: str) -> np.ndarray:
        """What an attribute of classes is of each, float64 `[V]`, 0 for those that lack it."""
        return np.array(self.class_attributes[attribute], np.float64)

    def costs(self) -> dict[str, WidthCost]:
        """Parameters, and multiply-accumulates of an image, exactly: `"params"`, `"macs"`.

        A multiply-accumulate is one of a product with weights, or of tokens with tokens; norms, biases, softmaxes and
        activations are not counted.
        """
        return self._costs

    def cost_lines(self, tokens) -> list[str]:
        """As `5.9 M parameters`, of each of tokens `[B, N]`: B lines."""
        return [f"{params / 1e6:.3g} M parameters" for params in self._costs["params"].of(tokens)]

    def draw(self, figure: "Figure", tokens, titles: Sequence[str]) -> None:
        """Draws networks one under another; see `Drawable`."""
        from nag_jax.spaces.vit.drawing import draw_networks

        draw_networks(figure, [self.sizes(row) for row in tokens], titles)

    def blueprint(self, tokens) -> "Blueprint":
        """The network of one architecture, tokens `[N]`; see `Buildable`."""
        from nag_jax.spaces.vit.blueprint import network_blueprint

        return network_blueprint(self.sizes(tokens), self.patches, self.num_outputs)

    def any_network(self, *, num_classes: int) -> "AnyNetwork":
        """The networks of all architectures; see `Trainable`."""
        from nag_jax.spaces.vit.any_network import any_transformer

        return any_transformer(self, num_classes=num_classes)

    @functools.cached_property
    def _costs(self) -> dict[str, WidthCost]:
        tokens, outputs = self.patches.tokens, self.num_outputs
        return {
            "params": self._cost(
                lambda width: layers.end_params(width, self.patches, outputs),
                layers.attention_params,
                layers.hidden_params,
            ),
            "macs": self._cost(
                lambda width: layers.end_macs(width, self.patches, outputs),
                lambda width, heads, head_width: layers.attention_macs(width, heads, head_width, tokens),
                lambda width, hidden: layers.hidden_macs(width, hidden, tokens),
            ),
        }

    def _cost(
        self, end: Callable[[int], int], attention: Callable[[int, int, int], int], hidden: Callable[[int, int], int]
    ) -> WidthCost:
        """The cost whose parts these functions give, of the width alone, and of it with what a node chooses."""
        chosen = list(zip(*(self.class_attributes[name] for name in ("heads", "head width", "ratio")), strict=True))

        def of_class(width: int, heads: float, head_width: float, ratio: float) -> int:
            if heads:
                return attention(width, int(heads), int(head_width))
            return hidden(width, hidden_width(width, ratio)) if ratio else 0

        constants = np.zeros(self.num_classes)
        tables = np.zeros((self.num_classes, self.num_nodes, self.num_classes))
        for token, width in enumerate(map(int, self.class_attributes["width"])):
            if width:
                constants[token] = end(width)
                added = np.array([of_class(width, *numbers) for numbers in chosen], np.float64)
                tables[token] = np.where(self.allowed, added, 0.0)
        return WidthCost(self.node_names.index(WIDTH), constants, tables)
