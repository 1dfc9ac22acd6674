"""The tables of `experiments.bench.sampling`."""

from typing import Any

from experiments.bench import machine
from nag_jax.reports.statistics import mean_interval

_CELLS = {
    "above the target": ("above", 3),
    "distinct of 1,000": ("distinct", 0),
    "mean of the distinct, %": ("mean", 2),
    "guidance gap": ("gap", 3),
    "total variation": ("variation", 3),
    "seconds": ("seconds", 2),
    "predictions": ("calls", 0),
}
_COMPLETION = {
    "valid": ("valid", 4),
    "fixed choices kept": ("kept", 4),
    "total variation": ("variation", 3),
    "that of exact draws": ("floor", 3),
}
_NETWORKS = {
    "within the budget": ("feasible", 3),
    "above the target, of those": ("above", 2),
    "mean accuracy of those, %": ("mean", 2),
    "distinct": ("distinct", 2),
    "correlation of predictions and accuracy": ("correlation", 2),
    "seconds": ("seconds", 1),
    "predictions": ("calls", 0),
}
_TITLES = {
    "cells": ("NAS-Bench-201, the default main job", _CELLS),
    "rare": ("NAS-Bench-201, the best 0.2 %", _CELLS),
    "completion": ("NAS-Bench-201 with half of the nodes fixed at random, 100,000 samples a row", _COMPLETION),
    "free": ("MobileNetV3, no budget, 300 networks", _NETWORKS),
    "bounded": ("MobileNetV3 of 200 to 220 million multiply-accumulates, 300 networks", _NETWORKS),
}


def page(known: dict[str, Any]) -> list[str]:
    """Markdown lines of all parts."""

    def lines_of(columns):
        return lambda found: table(found, columns)

    return machine.sections(known, {part: (title, lines_of(columns)) for part, (title, columns) in _TITLES.items()})


def table(found: list[dict[str, dict[str, float]]], columns: dict[str, tuple[str, int]]) -> list[str]:
    """A row for each sampler: means over seeds, with 95 % intervals where there are several seeds."""
    rows = [f"{len(found)} seeds, mean ± 95 % interval; seconds are the least of a pool's, once compiled."]
    rows += ["", "| sampler | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in found[0]:
        cells = [_cell([seed[name].get(key) for seed in found], digits) for key, digits in columns.values()]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return rows


def _cell(values: list[float | None], digits: int) -> str:
    known = [value for value in values if value is not None and value == value]
    if not known:
        return ""
    if len(known) == 1 or len(set(known)) == 1:
        return f"{known[0]:,.{digits}f}"
    interval = mean_interval(known)
    return f"{interval.estimate:,.{digits}f} ± {interval.half_width:,.{digits}f}"
