"""Drawings of vision transformers: a bar per layer, as high as its hidden layer is wide, in the colour of its heads."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from nag_jax.spaces.drawing import stacked
from nag_jax.system.style import COLORS

if TYPE_CHECKING:
    from nag_jax.spaces.vit.space import Sizes


def draw_networks(figure: Figure, networks: Sequence["Sizes"], titles: Sequence[str]) -> None:
    """Draws networks one under another.

    Args:
        figure: an empty one.
        networks: the sizes of each network.
        titles: one line above each network.
    """
    kinds = sorted({layer[:2] for sizes in networks for layer in sizes.layers})
    colors = {kind: COLORS[1 + i % (len(COLORS) - 1)] for i, kind in enumerate(kinds)}
    rows = stacked(figure, titles, width=6.4, below=0.9)
    for axes, sizes in zip(rows, networks, strict=True):
        hidden = [layer.hidden for layer in sizes.layers]
        axes.bar(range(1, len(hidden) + 1), hidden, 0.8, color=[colors[layer[:2]] for layer in sizes.layers])
        axes.axhline(sizes.width, color="0.3", linewidth=0.8)
    rows[-1].set_xlabel("layer")
    rows[len(rows) // 2].set_ylabel("hidden width; line: tokens' width")
    handles = [Patch(color=colors[kind], label=f"{kind[0]} heads of {kind[1]}") for kind in kinds]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4))
