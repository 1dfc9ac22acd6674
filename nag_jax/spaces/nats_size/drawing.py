"""Drawings of NATS-Bench's networks: a bar per layer, as high as it is wide."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from nag_jax.spaces.nats_size.layers import NUM_LAYERS, halves
from nag_jax.system.style import COLORS


def draw_networks(figure: Figure, networks: Sequence[Sequence[int]], titles: Sequence[str]) -> None:
    """Draws networks one under another.

    Args:
        figure: an empty one.
        networks: the widths of the five layers of each network.
        titles: one line above each network.
    """
    figure.set_size_inches(4.8, 1.1 * len(networks) + 0.6)
    rows = figure.subplots(len(networks), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    colors = [COLORS[2] if halves(layer) else COLORS[1] for layer in range(NUM_LAYERS)]
    for axes, widths, title in zip(rows, networks, titles, strict=True):
        axes.bar(range(NUM_LAYERS), widths, 0.8, color=colors)
        axes.set_title(title, loc="left", fontsize=10)
    rows[-1].set(yticks=(8, 32, 64), ylim=(0, 68))
    names = ["half the image" if halves(layer) else "cell" for layer in range(NUM_LAYERS)]
    rows[-1].set_xticks(range(NUM_LAYERS), names)
    rows[len(rows) // 2].set_ylabel("channels")
