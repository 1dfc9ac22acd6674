"""The pictures of graph neural networks: which operation reads what.

Each function draws one figure, writes it as `PATH.png` and `PATH.svg` and returns it.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from nag_jax.analysis.style import COLORS, INK, MUTED, STYLE, write
from nag_jax.errors import InputError
from nag_jax.spaces import NASBenchGraph, Space
from nag_jax.spaces.nasbench_graph import LINKS

_APART = 1.3
"""Between the middles of operations side by side, in units of the distance between layers."""


def draw_graph_networks(space: Space, tokens, titles: Sequence[str], path: str | Path) -> Figure:
    """Draws networks side by side, from the input at the top to the output, an arrow wherever one reads another.

    Args:
        space: NAS-Bench-Graph.
        tokens: `[B, 5]`, best first.
        titles: B lines, one above each network.
        path: where to write, without suffix.

    Raises:
        InputError: there is no network, or not one title for each, or the space has none.
    """
    if not isinstance(space, NASBenchGraph):
        raise InputError(
            f"can't draw architectures of {space.name!r} as graph networks: only those of 'nasbench_graph'"
        )
    tokens = np.asarray(tokens)
    if not len(tokens) or len(tokens) != len(titles):
        raise InputError(f"expected a network or more and a title each, found {len(tokens)} and {len(titles)}")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(2.0 * len(tokens), 6.0), 3.0), layout="constrained")
        for axes, row, title in zip(np.ravel(figure.subplots(1, len(tokens))), tokens, titles, strict=True):
            _draw(axes, LINKS[row[0]], ["in", *(space.class_names[token] for token in row[1:]), "out"])
            axes.set_title(title, fontsize=11)
        write(figure, path)
    return figure


def _draw(axes: Axes, reads: np.ndarray, names: Sequence[str]) -> None:
    """Draws nodes by name: 0 is the input, the last the output, and operation i reads `reads[i - 1]`."""
    places = _places(reads)
    output = len(names) - 1
    links = [(int(source), target) for target, source in enumerate(reads, start=1)]
    links += [(node, output) for node in range(1, output) if node not in reads]
    for source, target in links:
        arrow = {
            "arrowstyle": "-|>",
            "mutation_scale": 9,
            "shrinkA": 9,
            "shrinkB": 10,
            "color": MUTED,
            "linewidth": 1.2,
        }
        axes.add_patch(FancyArrowPatch(places[source], places[target], **arrow))
    for node, (name, (x, y)) in enumerate(zip(names, places, strict=True)):
        end = node in (0, output)
        box = {
            "boxstyle": "round,pad=0.35",
            "facecolor": INK if end else "white",
            "edgecolor": INK if end else COLORS[1],
        }
        axes.text(x, y, name, ha="center", va="center", fontsize=9, color="white" if end else INK, bbox=box)
    sides = [x for x, _ in places]
    axes.set(xlim=(min(sides) - 0.9, max(sides) + 0.9), ylim=(places[output][1] - 0.4, 0.4))
    axes.axis("off")


def _places(reads: np.ndarray) -> list[tuple[float, float]]:
    """Where the nodes stand: a layer below what they read, the output below all."""
    depths = [0]
    for source in reads:
        depths.append(depths[source] + 1)
    depths.append(max(depths) + 1)
    places = []
    for node, depth in enumerate(depths):
        layer = [other for other, its in enumerate(depths) if its == depth]
        places.append((_APART * (layer.index(node) - (len(layer) - 1) / 2), -float(depth)))
    return places
