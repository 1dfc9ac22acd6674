"""Drawings of NATS-Bench's networks: a bar per layer, as high as it is wide."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from nag_jax.spaces.drawing import stacked
from nag_jax.spaces.nats_size.layers import NUM_LAYERS, halves
from nag_jax.system.style import COLORS


def draw_networks(figure: Figure, networks: Sequence[Sequence[int]], titles: Sequence[str]) -> None:
    """Draws networks one under another.

    Args:
        figure: an empty one.
        networks: the widths of the five layers of each network.
        titles: one line above each network.
    """
    rows = stacked(figure, titles, width=4.8, below=0.6)
    colors = [COLORS[2] if halves(layer) else COLORS[1] for layer in range(NUM_LAYERS)]
    for axes, widths in zip(rows, networks, strict=True):
        axes.bar(range(NUM_LAYERS), widths, 0.8, color=colors)
    rows[-1].set(yticks=(8, 32, 64), ylim=(0, 68))
    names = ["half the image" if halves(layer) else "cell" for layer in range(NUM_LAYERS)]
    rows[-1].set_xticks(range(NUM_LAYERS), names)
    rows[len(rows) // 2].set_ylabel("channels")
