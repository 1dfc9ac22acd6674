"""Figures of fronts: two objectives against each other, three in space, more as parallel coordinates."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nag_jax.objectives.fronts import Box, non_dominated
from nag_jax.system.style import COLORS, FAINT, INK, STYLE, write

_MOST_LINES = 200
"""Of a pool in parallel coordinates: more hide each other."""


def draw_all(
    pools: Mapping[str, np.ndarray],
    front: np.ndarray | None,
    labelled: np.ndarray,
    signs: np.ndarray,
    labels: Sequence[str],
    box: Box,
    folder: Path,
) -> None:
    """Draws `front`, of every pair of objectives, and `front_3d` or `parallel` where there are more than two.

    Args:
        pools: name to values `[B, M]`, higher is better; drawn in order.
        front: values of the true front, `[R, M]`; None where nobody knows it.
        labelled: values that were paid for at the end, `[F, M]`.
        signs: what makes values of the metrics' own units, `[M]`.
        labels: what the objectives are, with their units.
        box: what counts; figures end there.
        folder: where to write.
    """
    pools = {name: values[box.inside(values)] for name, values in pools.items()}
    pairs(pools, front, labelled, signs, labels, folder / "front")
    if len(labels) == 3:
        in_space(pools, front, signs, labels, folder / "front_3d")
    if len(labels) > 2:
        parallel(pools, box, labels, folder / "parallel")


def pairs(pools, front, labelled, signs, labels, path: Path) -> Figure:
    """Draws every pair of objectives; of the true front what nothing beats in these two."""
    chosen = list(itertools.combinations(range(len(labels)), 2))[:6]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2 * len(chosen), 3.8), layout="constrained")
        for axes, pair in zip(figure.subplots(1, len(chosen), squeeze=False)[0], chosen, strict=True):
            columns = list(pair)
            for color, (name, values) in zip((FAINT, COLORS[0]), pools.items(), strict=False):
                axes.plot(*(signs[columns] * values[:, columns]).T, ".", color=color, markersize=4, label=name)
            if front is not None:
                _stairs(axes, front[:, columns], signs[columns])
            if len(labelled):
                axes.plot(*(signs[columns] * labelled[:, columns]).T, "x", color=COLORS[1], label="labelled at the end")
            axes.set(xlabel=labels[pair[0]], ylabel=labels[pair[1]])
        figure.axes[0].legend(fontsize=8)
        write(figure, path)
    return figure


def _stairs(axes: Axes, points: np.ndarray, signs: np.ndarray) -> None:
    points = points[non_dominated(points)]
    points = points[np.argsort(points[:, 0])]
    axes.plot(*(signs * points).T, color=INK, linewidth=1, drawstyle="steps-post", label="front of the table")


def in_space(pools, front, signs, labels, path: Path) -> Figure:
    """Draws three objectives in space."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 5.6), layout="constrained")
        axes = figure.add_subplot(projection="3d")
        for color, (name, values) in zip((FAINT, COLORS[0]), pools.items(), strict=False):
            axes.plot(*(signs * values).T, ".", color=color, markersize=3, label=name)
        if front is not None:
            axes.plot(*(signs * front).T, "o", color=INK, markersize=4, fillstyle="none", label="front of the table")
        axes.set(xlabel=labels[0], ylabel=labels[1], zlabel=labels[2])
        axes.legend(fontsize=8)
        write(figure, path)
    return figure


def parallel(pools, box: Box, labels, path: Path) -> Figure:
    """Draws each architecture of a pool's front as a line over the objectives, from the worst to the best."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.6 * len(labels) + 2.4, 3.8), layout="constrained")
        axes = figure.subplots()
        for color, (name, values) in zip((FAINT, COLORS[0]), pools.items(), strict=False):
            shown = box.scale(values[non_dominated(values)][:_MOST_LINES])
            lines = axes.plot(np.arange(len(labels)), shown.T, color=color, linewidth=0.7)
            if lines:
                lines[0].set_label(f"front of {name}")
        axes.set_xticks(np.arange(len(labels)), labels)
        axes.set_yticks([0, 1], ["worst", "best"])
        axes.legend(fontsize=8)
        write(figure, path)
    return figure
