"""NATS-Bench's size space (Dong et al., TPAMI 2021): the widths of five layers, eight for each."""

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nag_jax.spaces.nats_size.costs import ChainCost, network_costs
from nag_jax.spaces.nats_size.layers import NUM_LAYERS
from nag_jax.spaces.nodes import NodeSpace, check_inside
from nag_jax.system.errors import InputError, quoted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nag_jax.spaces.blueprint import Blueprint

WIDTHS = tuple(range(8, 65, 8))
"""Channels that a layer may have."""
_PLACES = len(WIDTHS) ** np.arange(NUM_LAYERS - 1, -1, -1)
_PATTERN = re.compile(r"\d{1,2}(:\d{1,2})*", re.ASCII)


class NATSSize(NodeSpace):
    """The 32,768 networks that differ in the widths of their five layers: a node is a layer, its class the width.

    The first, third and fifth layer are cells, all the same, the second and fourth halve the image. No two compute the
    same thing.

    Example:
        >>> space = NATSSize()
        >>> space.costs()["params"].of(space.from_native(["8:8:8:8:8"])).tolist()
        [11714.0]
    """

    name = "nats_size"
    class_names = tuple(map(str, WIDTHS))
    class_attributes = {"width": tuple(map(float, WIDTHS))}  # noqa: RUF012
    drawn_as = "networks"

    def __init__(self):
        self.allowed = np.ones((NUM_LAYERS, len(WIDTHS)), bool)
        self.adjacency = np.eye(NUM_LAYERS, k=1, dtype=bool)

    @property
    def size(self) -> int:
        """32,768."""
        return len(WIDTHS) ** NUM_LAYERS

    @property
    def num_canonical(self) -> int:
        """32,768."""
        return self.size

    @property
    def node_names(self) -> tuple[str, ...]:
        """`"layer 1"` to `"layer 5"`."""
        return tuple(f"layer {i + 1}" for i in range(NUM_LAYERS))

    def widths(self, tokens) -> np.ndarray:
        """Channels int `[B, 5]` of the layers of tokens `[B, 5]`.

        Raises:
            InputError: tokens are not of the space.
        """
        tokens = np.asarray(tokens)
        inside = np.all((tokens >= 0) & (tokens < len(WIDTHS)), axis=1)
        check_inside(tokens, inside, "a network of NATS-Bench")
        return np.array(WIDTHS)[tokens]

    def to_native(self, tokens) -> list[str]:
        """The benchmark's strings, as `8:16:24:32:64`."""
        return [":".join(map(str, row)) for row in self.widths(tokens).tolist()]

    def from_native(self, architectures: list[str]) -> np.ndarray:
        """Tokens `[B, 5]` of the benchmark's strings; see `NodeSpace.from_native`."""
        rows = [self._read(row, architecture) for row, architecture in enumerate(architectures)]
        return np.array(rows, np.int32).reshape(-1, NUM_LAYERS)

    def canonical(self, tokens) -> np.ndarray:
        """Keys int64 `[B]`: the lexicographic index, since no two networks compute the same thing."""
        self.widths(tokens)
        return np.asarray(tokens).astype(np.int64) @ _PLACES

    def connected(self, tokens) -> np.ndarray:
        """Bool `[B]`: True, for every layer passes something on."""
        return np.ones(len(tokens), bool)

    def costs(self) -> dict[str, ChainCost]:
        """Parameters and multiply-accumulates on CIFAR-10, exactly: `"params"`, `"macs"`; see `network_costs`."""
        return self._costs

    def cost_lines(self, tokens) -> list[str]:
        """As `0.15 M parameters`, of each of tokens `[B, 5]`: B lines."""
        return [f"{params / 1e6:.2f} M parameters" for params in self._costs["params"].of(tokens)]

    def draw(self, figure: "Figure", tokens, titles: Sequence[str]) -> None:
        """Draws networks as bars, side by side; see `Drawable`."""
        from nag_jax.spaces.nats_size.drawing import draw_networks

        draw_networks(figure, self.widths(tokens).tolist(), titles)

    def blueprint(self, tokens) -> "Blueprint":
        """The network of one architecture, tokens `[5]`; see `Buildable`."""
        from nag_jax.spaces.nats_size.blueprint import size_blueprint

        return size_blueprint(tuple(self.widths(np.asarray(tokens)[None])[0].tolist()))

    @functools.cached_property
    def _costs(self) -> dict[str, ChainCost]:
        return network_costs(WIDTHS)

    def _read(self, row: int, architecture: str) -> list[int]:
        widths = [int(width) for width in architecture.split(":")] if _PATTERN.fullmatch(architecture) else []
        if len(widths) != NUM_LAYERS or not set(widths) <= set(WIDTHS):
            raise InputError(
                f"row {row}: {quoted(architecture)} is not a network of NATS-Bench; expected {NUM_LAYERS} widths of "
                f"{list(WIDTHS)}, as '8:16:24:32:64'"
            )
        return [WIDTHS.index(width) for width in widths]
