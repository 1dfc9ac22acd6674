"""Drawings of NAS-Bench-101's cells: vertices from input to output, each in the colour of its operation."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nag_jax.system.style import COLORS, INK, MUTED

Cell = tuple[np.ndarray, Sequence[str]]
"""Matrix bool `[n, n]`, entry (source, target), and n operations with "input" and "output"."""
_STYLES = {
    "conv3x3-bn-relu": ("3x3", COLORS[2]),
    "conv1x1-bn-relu": ("1x1", COLORS[1]),
    "maxpool3x3": ("pool", COLORS[3]),
    "input": ("in", INK),
    "output": ("out", INK),
}
_BOW = 0.3
"""How far an edge that passes by a level swings out, to clear its vertices."""


def draw_cells(figure: Figure, cells: Sequence[Cell], titles: Sequence[str]) -> None:
    """Draws cells side by side.

    Args:
        figure: an empty one.
        cells: the cells; five fill a README's width.
        titles: one line above each cell.
    """
    places = [_places(matrix) for matrix, _ in cells]
    levels = max(int(place[:, 1].max()) for place in places)
    figure.set_size_inches(max(2.2 * len(cells), 4.0), 0.75 * levels + 1.0)
    for axes, cell, place, title in zip(np.ravel(figure.subplots(1, len(cells))), cells, places, titles, strict=True):
        _draw_cell(axes, cell, place)
        axes.set_ylim(levels + 0.5, -0.5)  # one scale, by which depths compare
        axes.set_title(title, fontsize=11)


def _places(matrix: np.ndarray) -> np.ndarray:
    """Where vertices stand, `[n, 2]`: beside those of their level, which is one below that of all that they read."""
    levels = np.zeros(len(matrix))
    for target in range(1, len(matrix)):
        levels[target] = 1 + levels[:target][matrix[:target, target]].max()
    across = np.zeros(len(matrix))
    for level in np.unique(levels):
        beside = np.nonzero(levels == level)[0]
        across[beside] = np.arange(len(beside)) - (len(beside) - 1) / 2
    return np.stack([across, levels], axis=1)


def _draw_cell(axes: Axes, cell: Cell, places: np.ndarray) -> None:
    matrix, ops = cell
    for source, target in zip(*np.nonzero(matrix), strict=True):
        passes = places[target, 1] - places[source, 1] > 1
        arrow = {
            "arrowstyle": "-|>",
            "color": MUTED,
            "shrinkA": 11,
            "shrinkB": 11,
            "connectionstyle": f"arc3,rad={_BOW if passes else 0.0}",
        }
        axes.annotate("", tuple(places[target]), tuple(places[source]), arrowprops=arrow)
    for op, (x, y) in zip(ops, places, strict=True):
        label, color = _STYLES[op]
        box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": color, "linewidth": 1.6}
        axes.text(x, y, label, ha="center", va="center", fontsize=9, color=color, bbox=box)
    axes.set_xlim(places[:, 0].min() - 0.9, places[:, 0].max() + 0.9)
    axes.axis("off")
