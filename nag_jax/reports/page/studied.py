"""The page of a study: its trials, the best so far and the front, one HTML file that needs nothing else."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nag_jax.objectives import Metric, Objectives
from nag_jax.reports import search_figures
from nag_jax.reports.page import forms
from nag_jax.reports.page.drawing import inline
from nag_jax.reports.page.finished import Cell
from nag_jax.reports.page.page import Drawing, style, template
from nag_jax.reports.trajectories import at_incumbents, incumbents
from nag_jax.system.written import write_whole
from nag_jax.trials import Trial

_MOST_ROWS = 2000
"""Trials in the table: what a browser still lays out at once."""


def write(
    path: Path,
    title: str,
    objectives: Objectives,
    metrics: Mapping[str, Metric],
    trials: Sequence[Trial],
    pending: Sequence[Trial],
    best: Trial | None,
    front: Sequence[Trial],
) -> Path:
    """Writes the page, which is whole or absent, and returns its path.

    Args:
        path: the file.
        title: what is searched, and how.
        objectives: the metrics that count.
        metrics: all that is measured, by name.
        trials: the trials that are over, in their order.
        pending: those that aren't.
        best: the best of them; None where none succeeded.
        front: those that no other beats in every objective.
    """
    page = template("study.html.jinja").render(
        title=title,
        objectives="; ".join(f"{metric.name}, {_better(metric)}" for metric in objectives.metrics),
        counts={
            "trials": Cell(forms.count(len(trials))),
            "of which failed": Cell(forms.count(sum(trial.failed for trial in trials))),
            "pending": Cell(forms.count(len(pending))),
            "on the front": Cell(forms.count(len(front))),
        },
        best=best,
        values={name: _value(best, metric) for name, metric in metrics.items()} if best else {},
        drawings=_drawings(objectives, trials),
        columns=["trial", *metrics, "architecture", "origin", "failed because"],
        origins=_origins(objectives.metrics[0], trials),
        front=[_row(trial, metrics) for trial in front] if len(objectives) > 1 else [],
        trials=[_row(trial, metrics) for trial in trials[-_MOST_ROWS:]],
        left_out=max(0, len(trials) - _MOST_ROWS),
        style=style(),
    )
    return write_whole(path, lambda partial: partial.write_text(page, encoding="utf-8"))


def _row(trial: Trial, metrics: Mapping[str, Metric]) -> tuple[str, list[Cell]]:
    values = [_value(trial, metric) for metric in metrics.values()]
    return str(trial.id), [*values, Cell(trial.architecture), Cell(trial.origin), Cell(trial.brief_reason)]


def _origins(metric: Metric, trials: Sequence[Trial]) -> list[tuple[str, list[Cell]]]:
    """What came of the proposals of each origin, in the order in which they began; nothing where there is one alone."""
    rows = []
    for origin in dict.fromkeys(trial.origin for trial in trials):
        values = np.array([trial.values[metric.name] for trial in trials if trial.origin == origin])
        good, say = values[np.isfinite(values)], forms.with_unit(metric.unit)
        worth = [Cell(say(metric.sign * (metric.sign * good).max())), Cell(say(np.median(good)))] if len(good) else []
        rows.append((origin, [Cell(forms.count(len(values))), Cell(forms.count(len(values) - len(good))), *worth]))
    return rows if len(rows) > 1 else []


def _value(trial: Trial, metric: Metric) -> Cell:
    value = trial.values[metric.name]
    return Cell(forms.with_unit(metric.unit)(value)) if np.isfinite(value) else Cell("")


def _better(metric: Metric) -> str:
    unit = f" in {metric.unit}" if metric.unit else ""
    return f"{'higher' if metric.direction == 'max' else 'lower'} is better{unit}"


def _drawings(objectives: Objectives, trials: Sequence[Trial]) -> list[Drawing]:
    """The best so far, and the first two objectives of all trials; nothing where none succeeded."""
    values = objectives.of_each(trial.values for trial in trials) if trials else np.zeros((0, len(objectives)))
    good = values[np.isfinite(values).all(axis=1)]
    if not len(good):
        return []
    first = objectives.metrics[0]
    worth = objectives.utilities(values)
    best = at_incumbents(first.sign * values[:, 0], incumbents(worth))
    about = "The value of the best trial so far, after each."
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "best"
        search_figures.anytime_curves({"best so far": np.stack([best] * 3)}, 1, place, label=first.name)
        found = [_drawing(place, "best", "Best so far", about)]
        if len(objectives) > 1:
            second = objectives.metrics[1]
            search_figures.trade_off(
                {"front": good[:, :2] * [first.sign, second.sign]},
                (first.sign, second.sign),
                place.with_name("front"),
                labels=(first.name, second.name),
            )
            about = "All trials, and those that no other beats in both."
            found.append(_drawing(place.with_name("front"), "front", "Trade-off of the first two objectives", about))
    return found


def _drawing(place: Path, name: str, title: str, caption: str) -> Drawing:
    file = place.with_name(f"{place.name}.svg")
    return Drawing(name, title, caption, inline(file, f"{title}. {caption}", f"{name}-"), str(file))
