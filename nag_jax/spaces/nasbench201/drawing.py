"""Drawings of NAS-Bench-201's cells: four nodes, and each edge in the colour of its operation."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from nag_jax.system.style import INK


class _Operation(NamedTuple):
    label: str
    color: str
    dash: Literal["solid", "dashed"] = "solid"


_OPERATIONS = {
    "nor_conv_3x3": _Operation("3x3", "#d55e00"),
    "nor_conv_1x1": _Operation("1x1", "#0072b2"),
    "avg_pool_3x3": _Operation("pool", "#009e73"),
    "skip_connect": _Operation("skip", "#6b6b6b", "dashed"),
}
_NODES = {0: (0.0, 2.0), 1: (-0.8, 1.0), 2: (0.8, 1.0), 3: (0.0, 0.0)}
_NODE_NAMES = {0: "in", 1: "1", 2: "2", 3: "out"}
_BOW = -1.35
"""How far the edge from input to output swings to the right, to clear node 2."""


def draw_cells(figure: Figure, cells: Sequence[Sequence[tuple[int, int, str]]], titles: Sequence[str]) -> None:
    """Draws cells side by side; `none` edges are left out.

    Args:
        figure: an empty one.
        cells: (source, target, operation) of the edges of each cell; five cells fill a README's width.
        titles: one line above each cell.
    """
    figure.set_size_inches(max(2.0 * len(cells), 7.5), 2.65)
    for axes, edges, title in zip(np.ravel(figure.subplots(1, len(cells))), cells, titles, strict=True):
        _draw_cell(axes, edges)
        axes.set_title(title, fontsize=11)
    figure.legend(handles=_operation_handles(), loc="outside lower center", ncols=len(_OPERATIONS))


def _draw_cell(axes: Axes, edges: Sequence[tuple[int, int, str]]) -> None:
    for source, target, name in edges:
        if name != "none":
            _draw_edge(axes, source, target, _OPERATIONS[name])
    for node, (x, y) in _NODES.items():
        inner = node in (1, 2)
        axes.plot(x, y, "o", markersize=20, markerfacecolor="white" if inner else INK, markeredgecolor=INK)
        color = INK if inner else "white"
        axes.text(x, y, _NODE_NAMES[node], ha="center", va="center_baseline", fontsize=8.5, color=color)
    axes.set(xlim=(-1.15, 1.65), ylim=(-0.3, 2.3), aspect="equal")
    axes.axis("off")


def _draw_edge(axes: Axes, source: int, target: int, operation: _Operation) -> None:
    start, end = _NODES[source], _NODES[target]
    bow = _BOW if (source, target) == (0, 3) else 0.0
    arrow = FancyArrowPatch(
        start,
        end,
        connectionstyle=f"arc3,rad={bow}",
        arrowstyle="-|>",
        mutation_scale=10,
        shrinkA=10,
        shrinkB=10.5,
        linewidth=2,
        linestyle=operation.dash,
        color=operation.color,
    )
    axes.add_patch(arrow)
    axes.text(
        (start[0] + end[0]) / 2 + bow * (end[1] - start[1]) / 2,
        (start[1] + end[1]) / 2,
        operation.label,
        ha="center",
        va="center",
        fontsize=8.5,
        color=operation.color,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2},
    )


def _operation_handles() -> list[Line2D]:
    return [
        Line2D([], [], color=operation.color, linestyle=operation.dash, linewidth=2, label=name)
        for name, operation in _OPERATIONS.items()
    ]
