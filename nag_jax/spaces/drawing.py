"""Drawings of architectures as graphs of classes, for all spaces that have none of their own."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nag_jax.spaces.nodes import NodeSpace
from nag_jax.system.style import COLORS, MUTED

_BOW = 0.35
"""How far an edge that passes by a layer of nodes swings out, to clear them."""
_INCHES, _INCHES_OF_MANY, _MANY = 0.75, 0.42, 16
"""Height of a layer of nodes, and of one where there are many: a transformer of 12 layers has 51 of them."""


def draw_graphs(figure: Figure, space: NodeSpace, tokens, titles: Sequence[str]) -> None:
    """Draws architectures side by side as graphs from top to bottom, each node that is there with its class's name.

    Args:
        figure: an empty one.
        space: the space of the architectures.
        tokens: `[B, N]`, best first.
        titles: B lines, one above each graph.
    """
    tokens = np.asarray(tokens)
    places = [_places(np.nonzero(row != space.absent)[0].tolist(), space.edges(row)) for row in tokens]
    layers = 1 + max(-y for place in places for _, y in place.values())
    height = (_INCHES if layers <= _MANY else _INCHES_OF_MANY) * layers + 0.5
    figure.set_size_inches(max(2.4 * len(tokens), 4.0), height)
    rows = zip(np.ravel(figure.subplots(1, len(tokens))), tokens, places, titles, strict=True)
    for axes, row, place, title in rows:
        _draw_graph(axes, space, row, place)
        axes.set_ylim(0.5 - layers, 0.5)  # one scale, by which depths compare
        axes.set_title(title, fontsize=11)


def stacked(figure: Figure, titles: Sequence[str], *, width: float, below: float) -> np.ndarray:
    """Axes one under another that share their scales, one for each title, which stands above it on the left.

    Args:
        figure: an empty one, which gets the size that they need.
        titles: a line for each.
        width: the figure's, in inches.
        below: the inches that axis labels and a legend take.

    Returns:
        The axes, object `[B]`.
    """
    figure.set_size_inches(width, 1.1 * len(titles) + below)
    rows = figure.subplots(len(titles), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, title in zip(rows, titles, strict=True):
        axes.set_title(title, loc="left", fontsize=10)
    return rows


def _places(nodes: Sequence[int], edges: Sequence[tuple[int, int]]) -> dict[int, tuple[float, float]]:
    """Where each node is drawn: below all that feed it, and beside the others of its layer."""
    layer = dict.fromkeys(nodes, 0)
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        layer[target] = max(layer[target], layer[source] + 1)
    places = {}
    for depth, group in itertools.groupby(sorted(nodes, key=lambda node: layer[node]), lambda node: layer[node]):
        beside = list(group)
        for i, node in enumerate(beside):
            places[node] = (i - (len(beside) - 1) / 2, -float(depth))
    return places


def _draw_graph(axes: Axes, space: NodeSpace, row: np.ndarray, places: Mapping[int, tuple[float, float]]) -> None:
    for source, target in space.edges(row):
        bow = _BOW if places[source][1] - places[target][1] > 1 else 0.0
        arrow = {
            "arrowstyle": "-|>",
            "color": MUTED,
            "shrinkA": 11,
            "shrinkB": 11,
            "connectionstyle": f"arc3,rad={bow}",
        }
        axes.annotate("", places[target], places[source], arrowprops=arrow)
    colors = dict(zip(dict.fromkeys(row.tolist()), itertools.cycle(COLORS), strict=False))
    for node, (x, y) in places.items():
        box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": colors[row[node]], "linewidth": 1.5}
        axes.text(x, y, space.class_names[row[node]], ha="center", va="center", fontsize=9, bbox=box)
    across = [x for x, _ in places.values()]
    axes.set_xlim(min(across) - 0.8, max(across) + 0.8)
    axes.axis("off")
