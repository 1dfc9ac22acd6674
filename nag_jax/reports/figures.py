"""The pictures of a run: its pools, and what quality costs in diversity.

Each function draws one figure, writes it as `PATH.png` and `PATH.svg` and returns it.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from nag_jax.reports.checks import finite_vector
from nag_jax.system.errors import InputError
from nag_jax.system.style import COLORS, FAINT, INK, MUTED, STYLE, write


class CurvePoint(NamedTuple):
    """A guided pool: its guidance scale, its number of distinct architectures and their mean value."""

    scale: float
    distinct: int
    mean: float


_REFERENCE_LINES = ((INK, "solid"), (COLORS[1], "dashed"))
_BINS = 48
_TAIL = 0.15
"""The quantile of the lowest pool below which a histogram gathers everything in one bar."""


def cost_histograms(
    pools: Mapping[str, np.ndarray], band: tuple[float, float], path: str | Path, *, label: str
) -> Figure:
    """Draws a histogram of costs per pool, one under another on one axis, with the band that a constraint allows.

    Args:
        pools: name to costs `[B]`; drawn from top to bottom.
        band: least and greatest cost, infinite where there is none.
        path: where to write, without suffix.
        label: what the costs are, with their unit, for the axis.

    Raises:
        InputError: a pool is empty or has a cost that is not finite.
    """
    pools = {name: finite_vector(values, f"pool {name!r}") for name, values in pools.items()}
    ends = [float(end(values)) for values in pools.values() for end in (np.min, np.max)]
    edges = np.linspace(min(ends), max(max(ends), min(ends) + 1e-6), _BINS + 1)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 1.35 * len(pools) + 0.8), layout="constrained")
        rows = figure.subplots(len(pools), 1, sharex=True, squeeze=False)[:, 0]
        for axes, color, (name, values) in zip(rows, itertools.cycle(COLORS), pools.items()):
            _draw_histogram(axes, values, edges, color, name)
            axes.axvspan(max(band[0], edges[0]), min(band[1], edges[-1]), color=FAINT, zorder=0)
        rows[-1].set_xlabel(f"{label} (what the constraint allows is shaded)")
        rows[len(rows) // 2].set_ylabel("share of the pool")
        write(figure, path)
    return figure


def accuracy_histograms(pools: Mapping[str, np.ndarray], best: float | None, path: str | Path, *, label: str) -> Figure:
    """Draws a histogram per pool, one under another on one axis of values, against the best that there is.

    The worst architectures of a space lie so far below the others that an axis with all of them on it shows
    nothing; those below the `_TAIL` quantile of the lowest pool are gathered in one hatched bar at the left.

    Args:
        pools: name to values `[B]`, higher is better; drawn from top to bottom.
        best: the best value of the space, or None where nobody knows it.
        path: where to write, without suffix.
        label: what the values are, with their unit, for the axis.

    Raises:
        InputError: a pool is empty or has a value that is not finite.
    """
    pools = {name: finite_vector(values, f"pool {name!r}") for name, values in pools.items()}
    edges = _histogram_edges(pools, best)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 1.35 * len(pools) + 0.8), layout="constrained")
        rows = figure.subplots(len(pools), 1, sharex=True, squeeze=False)[:, 0]
        for axes, color, (name, values) in zip(rows, itertools.cycle(COLORS), pools.items()):
            _draw_histogram(axes, values, edges, color, name)
        if best is not None:
            _mark_best(rows, best)
        rows[-1].set_xlabel(label)
        rows[len(rows) // 2].set_ylabel("share of the pool")
        write(figure, path)
    return figure


def _mark_best(rows: np.ndarray, best: float) -> None:
    for axes in rows:
        axes.axvline(best, color=INK, linestyle="dashed", linewidth=1)
    rows[0].annotate(
        f"best {best:#.4g}",
        (best, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=9,
    )


def _histogram_edges(pools: Mapping[str, np.ndarray], best: float | None) -> np.ndarray:
    floor = min(float(np.quantile(values, _TAIL)) for values in pools.values())
    top = max(float(values.max()) for values in pools.values())
    top = top if best is None else max(best, top)
    return np.linspace(min(floor, _below(top)), top, _BINS + 1)


def _draw_histogram(axes: Axes, values: np.ndarray, edges: np.ndarray, color: str, name: str) -> None:
    width = edges[1] - edges[0]
    shares = np.histogram(values, edges)[0] / len(values)
    axes.bar(edges[:-1], shares, width, align="edge", color=color)
    below = float((values < edges[0]).mean())
    if below:
        left = edges[0] - 2.5 * width
        axes.bar(left, below, 1.5 * width, align="edge", facecolor="white", edgecolor=color, hatch="/////")
        note = f"{100 * below:.2g} % lie below {edges[0]:#.4g}"
        beside = {"x": left + 2 * width, "y": 0.95, "transform": axes.get_xaxis_transform()}
        axes.text(**beside, s=note, va="top", fontsize=9, color=MUTED)
    title = f"{name}, mean {values.mean():#.4g}"
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold", color=color)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))


def quality_diversity(
    curve: Sequence[CurvePoint],
    path: str | Path,
    *,
    references: Mapping[str, np.ndarray] | None = None,
    label: str = "mean value",
) -> Figure:
    """Draws the mean value of guided pools against their number of distinct architectures, a point per scale.

    The vertical axis is linear in the square root of the distance from the top: what separates good pools is
    a hundredth of what separates them from random ones, and both are to be seen.

    Args:
        curve: the pools, in the order of their scales.
        path: where to write, without suffix.
        references: name to means `[A]` whose entry K - 1 belongs to K architectures, as `metrics.top_means`
            gives them: the best possible K, the predictor's own top K.
        label: what the means are, with their unit, for the axis.

    Raises:
        InputError: the curve is empty.
    """
    if not curve:
        raise InputError("an empty curve can't be drawn: expected a point for each guidance scale")
    references = references or {}
    widest = max(point.distinct for point in curve)
    means = [point.mean for point in curve]
    top = max([*means, *(float(reference.max()) for reference in references.values())])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes = figure.subplots()
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
        for (name, reference), (color, dash) in zip(references.items(), itertools.cycle(_REFERENCE_LINES)):
            shown = np.arange(1, min(len(reference), widest) + 1)
            axes.plot(shown, reference[: len(shown)], color=color, linestyle=dash, linewidth=1.4, label=name)
        _draw_curve(axes, curve)
        _root_scale(axes, min(means), top)
        axes.set(xlim=(-0.04 * widest, 1.04 * widest), xlabel="distinct architectures")
        axes.set_ylabel(f"{label}\n(square-root scale from the best)", labelpad=8)
        axes.legend(loc="lower left")
        write(figure, path)
    return figure


def _draw_curve(axes: Axes, curve: Sequence[CurvePoint]) -> None:
    distinct, means = [point.distinct for point in curve], [point.mean for point in curve]
    axes.plot(distinct, means, "o-", color=COLORS[2], label="guided, labelled by scale")
    for point in curve:
        axes.annotate(
            f"{point.scale:g}",
            (point.distinct, point.mean),
            xytext=(-4, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=9,
        )


def _root_scale(axes: Axes, bottom: float, top: float) -> None:
    """Makes the vertical axis linear in the signed root of the distance from `top`, and sets its limits."""

    def forward(y):
        return np.sign(y - top) * np.sqrt(np.abs(y - top))

    def inverse(u):
        return top + np.sign(u) * np.square(u)

    depth = -forward(min(bottom, _below(top)))
    axes.set_yscale("function", functions=(forward, inverse))
    axes.set_ylim(inverse(-1.1 * depth), inverse(0.02 * depth))
    axes.set_yticks(_root_ticks(inverse(-1.1 * depth), top))


def _root_ticks(bottom: float, top: float) -> list[float]:
    """Round ticks for the root scale: half of them for the upper quarter, which takes half of the axis."""
    middle = top - (top - bottom) / 4
    locator = MaxNLocator(4, steps=[1, 2, 5, 10])
    lower = [tick for tick in locator.tick_values(bottom, middle) if bottom <= tick < middle]
    upper = [tick for tick in locator.tick_values(middle, top) if middle <= tick <= top]
    return lower + upper


def _below(top: float) -> float:
    """A little below top: keeps an axis from having no length."""
    return top - max(1e-3 * abs(top), 1e-6)
