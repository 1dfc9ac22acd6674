"""The pictures of a search: what was reached after how many labels, and which strategies can be told apart.

Each function draws one figure, writes it as `PATH.png` and `PATH.svg` and returns it.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter, StrMethodFormatter

from nag_jax.reports.ranks import Ranking
from nag_jax.system.errors import InputError
from nag_jax.system.style import COLORS, INK, MUTED, STYLE, write

_MOST_POINTS = 2000
"""Drawn of all that was paid for in a trade-off: a random choice of as many shows the same cloud in a small file."""


def anytime_curves(
    bands: Mapping[str, np.ndarray], start: int, path: str | Path, *, label: str, log: bool = False
) -> Figure:
    """What each strategy reached after how many labels, with the uncertainty of the mean.

    Args:
        bands: strategy to mean, low and high `[3, T]` after 1 to T labels.
        start: the first number of labels that is drawn, as the size of the initial design.
        path: the path of the figure, without its ending.
        label: the label of the vertical axis.
        log: whether that axis is logarithmic; it stays linear where no mean above 0 would be drawn.
    """
    if not bands:
        raise InputError("anytime curves need at least one strategy, found none")
    log = log and any((band[0, start - 1 :] > 0).any() for band in bands.values())
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for (name, band), (stroke, color) in zip(bands.items(), _strokes(), strict=False):
            labels = np.arange(1, band.shape[1] + 1)[start - 1 :]
            mean, low, high = np.where(band > 0, band, np.nan)[:, start - 1 :] if log else band[:, start - 1 :]
            axes.plot(labels, mean, color=color, linestyle=stroke, linewidth=1.4, label=name)
            axes.fill_between(labels, low, high, color=color, alpha=0.15, linewidth=0)
        if log:
            _log_scale(axes)
        axes.set_xlabel("labels paid for")
        axes.set_ylabel(label)
        axes.legend(fontsize=8)
        write(figure, path)
    return figure


def _log_scale(axes: Axes) -> None:
    """A logarithmic vertical axis whose ticks are plain numbers; matplotlib's own are formulas."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def reached_shares(labels: Mapping[str, np.ndarray], budget: int, path: str | Path) -> Figure:
    """What share of a strategy's seeds had found the optimum after how many labels.

    Args:
        labels: strategy to labels until the optimum `[S]`, inf for never.
        budget: how many labels each seed could pay for.
        path: the path of the figure, without its ending.
    """
    if not labels:
        raise InputError("shares of seeds need at least one strategy, found none")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for (name, counts), (stroke, color) in zip(labels.items(), _strokes(), strict=False):
            shares = [np.mean(counts <= n) for n in range(budget + 1)]
            axes.step(range(budget + 1), shares, where="post", color=color, linestyle=stroke, linewidth=1.4, label=name)
        axes.set_ylim(-0.02, 1.02)  # curves that stay at 0 or 1 are to be seen
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("labels paid for")
        axes.set_ylabel("seeds that found the optimum")
        axes.legend(fontsize=8)
        write(figure, path)
    return figure


def trade_off(
    points: Mapping[str, np.ndarray], signs: tuple[float, float], path: str | Path, *, labels: tuple[str, str]
) -> Figure:
    """All that was paid for in two metrics, and of each strategy what none of its others beats in both.

    Args:
        points: strategy to values `[P, 2]` in the metrics' own units, all finite.
        signs: 1 for a metric of which more is better, -1 for one of which less is.
        path: the path of the figure, without its ending.
        labels: the labels of the horizontal and the vertical axis.

    Raises:
        InputError: there is no point at all.
    """
    everything = np.concatenate([np.zeros((0, 2)), *points.values()])
    if not len(everything):
        raise InputError("a trade-off needs at least one point, found none")
    everything = np.random.default_rng(0).permutation(everything)[:_MOST_POINTS]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(*everything.T, ".", color=COLORS[0], alpha=0.4, markersize=3, label="all that was paid for")
        for (name, values), (stroke, color) in zip(points.items(), _strokes(), strict=False):
            front = _front(values, signs)
            axes.plot(*front.T, marker=".", color=color, linestyle=stroke, linewidth=1.4, label=name)
        axes.set_xlabel(f"{labels[0]} ({_better(signs[0])})")
        axes.set_ylabel(f"{labels[1]} ({_better(signs[1])})")
        axes.legend(fontsize=8)
        write(figure, path)
    return figure


def _front(values: np.ndarray, signs: tuple[float, float]) -> np.ndarray:
    """The points `[P, 2]` that no other beats in both metrics, best in the first one first: `[F, 2]`."""
    ordered = values[np.lexsort((-signs[1] * values[:, 1], -signs[0] * values[:, 0]))]
    second = signs[1] * ordered[:, 1]
    before = np.concatenate([[-np.inf], np.maximum.accumulate(second)[:-1]])
    return ordered[second > before]


def _better(sign: float) -> str:
    return "more is better" if sign > 0 else "less is better"


def critical_differences(rankings: Mapping[str, Ranking], path: str | Path) -> Figure:
    """Mean ranks on an axis, best at the left, with bars that join strategies the Nemenyi test can't tell apart.

    (Demsar, JMLR 2006, figure 1.)

    Args:
        rankings: title to ranking, drawn one below the other.
        path: the path of the figure, without its ending.
    """
    if not rankings:
        raise InputError("critical differences need at least one ranking, found none")
    with mpl.rc_context(STYLE):
        most = max(len(ranking.mean_ranks) for ranking in rankings.values())
        figure = Figure(figsize=(7.2, (1.2 + 0.22 * most) * len(rankings)), layout="constrained")
        for axes, (title, ranking) in zip(np.ravel(figure.subplots(len(rankings))), rankings.items(), strict=True):
            axes.set_title(title, fontsize=10, loc="left")
            _draw_ranking(axes, ranking)
        write(figure, path)
    return figure


def _draw_ranking(axes: Axes, ranking: Ranking) -> None:
    ordered = sorted(ranking.mean_ranks.items(), key=lambda item: item[1])
    ranks = [rank for _, rank in ordered]
    half = -(-len(ordered) // 2)
    left, right = 0.2, len(ordered) + 0.8
    for place, (name, rank) in enumerate(ordered):
        is_left = place < half
        height = -1.0 - (place if is_left else len(ordered) - 1 - place)
        end = left if is_left else right
        axes.plot([rank, rank, end], [0, height, height], color=MUTED, linewidth=0.8)
        axes.text(end, height, f" {name} ", ha="right" if is_left else "left", va="center")
    bars = _joined(ranks, ranking.critical_difference)
    for i, (first, last) in enumerate(bars):
        axes.plot([ranks[first] - 0.05, ranks[last] + 0.05], [-0.25 * (i + 1)] * 2, color=COLORS[2], linewidth=2.4)
    axes.plot([1, 1 + ranking.critical_difference], [1.1, 1.1], color=INK, linewidth=1.4)
    axes.text(
        1 + ranking.critical_difference, 1.1, f"  critical difference {ranking.critical_difference:.2f}", va="center"
    )
    axes.set(xlim=(left - 2.2, right + 2.2), ylim=(-half - 1.2, 1.8), yticks=[])
    axes.set_xticks(range(1, len(ordered) + 1))
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.plot([1, len(ordered)], [0, 0], color=INK, linewidth=0.8)
    axes.xaxis.set_ticks_position("top")


def _joined(ranks: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """First and last place of each longest run of ascending ranks that lie within the critical difference."""
    runs: list[tuple[int, int]] = []
    for first in range(len(ranks)):
        last = max(i for i in range(len(ranks)) if ranks[i] - ranks[first] <= difference)
        if last > first and (not runs or last > runs[-1][1]):
            runs.append((first, last))
    return runs


def _strokes() -> Iterator[tuple[str, str]]:
    """Line style and colour of each curve in turn."""
    return itertools.product(("solid", "dashed", "dotted"), (*COLORS[1:], COLORS[0]))
