"""The tables of `experiments.bench.where`."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from experiments.bench import machine

TITLES = {
    "choices6": "6 choices of 5 classes, a random value",
    "choices20": "20 choices of 4 classes, a random value",
    "choices45": "45 choices of 4 classes, a random value",
    "rules": "10 widths whose sum is given, a random value",
    "cells": "NAS-Bench-101's graphs, a random value",
    "modes": "10 choices of 3 classes, three separate modes",
    "networks": "MobileNetV3, accuracy as predicted from 200 labels",
    "budget": "MobileNetV3 of 200 to 220 million multiply-accumulates, the same accuracy",
}
BUDGETS = {
    "at most 32 predictions per architecture": ("calls", 32),
    "at most 256 predictions per architecture": ("calls", 256),
    "at most half a second": ("seconds", 0.5),
    "at most 5 seconds": ("seconds", 5.0),
}
"""What a sampler may take for a pool of 300."""
KEEPS_UP = 0.9
"""A sampler loses whose hits are less than this share of the best one's."""
FAMILIES = (
    "exact tilt",
    "filtering",
    "resampling",
    "mutation chains",
    "Gibbs sweeps from draws",
    "guided",
    "guided, then refined",
)

Rows = list[dict[str, Any]]


def page(known: dict[str, Any]) -> list[str]:
    """Markdown lines of all cases; see `machine.keep_parts`."""
    means = {name: mean(known[name]["found"]) for name in TITLES if name in known}
    lines = [
        "Hits are architectures of a pool of 300 that differ and are above the target, within rules and constraints,",
        "in % of 300; of each sampler those of its best size that takes no more than is said. Beside them is the share",
        "of the pool that is above, in %. A sampler loses that has less than nine tenths of the most hits.",
        "",
    ]
    for budget in BUDGETS:
        lines += [f"## Where each loses, with {budget}", "", *losses(means, budget), ""]
    tables = {name: (title, lambda found: table(mean(found), len(found))) for name, title in TITLES.items()}
    return lines + machine.sections(known, tables)


def mean(found: list[Rows]) -> Rows:
    """The means over seeds of every sampler of every size."""
    numbers = ("seconds", "within", "above", "hits", "modes")
    rows = []
    for same in zip(*found, strict=True):
        rows.append(same[0] | {n: float(np.mean([row.get(n, np.nan) for row in same])) for n in numbers})
    return rows


def best(rows: Rows, share: float, family: str, budget: str) -> dict[str, Any] | None:
    """The size of a family with the most hits that takes no more than a budget; None where all take more."""
    what, most = BUDGETS[budget]
    mine = [row for row in rows if (row["share"], row["family"]) == (share, family) and row[what] <= most]
    return max(mine, key=lambda row: row["hits"], default=None)


def losses(means: dict[str, Rows], budget: str) -> list[str]:
    """For each sampler and case the shares at which it loses."""
    lines = [f"| sampler | {' | '.join(means)} |", "|---" * (len(means) + 1) + "|"]
    for family in FAMILIES:
        cells = [lost(rows, family, budget) for rows in means.values()]
        lines.append(f"| {family} | {' | '.join(cells)} |")
    return lines


def lost(rows: Rows, family: str, budget: str) -> str:
    """The line beyond which a sampler loses in a case, in words; empty where it takes more than the budget or more."""
    shares = list(dict.fromkeys(row["share"] for row in rows))
    if all(best(rows, share, family, budget) is None for share in shares):
        return ""
    losing = [share for share in shares if is_behind(rows, share, family, budget)]
    if not losing:
        return "nowhere"
    if losing == shares:
        return "everywhere"
    return f"from {losing[0]:g} on" if losing == shares[-len(losing) :] else f"at {_joined(losing)}"


def is_behind(rows: Rows, share: float, family: str, budget: str) -> bool:
    """Whether a sampler has clearly fewer hits than the best one."""
    every = {name: row["hits"] for name in FAMILIES if (row := best(rows, share, name, budget)) is not None}
    return every.get(family, 0.0) < KEEPS_UP * max(every.values())


def table(rows: Rows, seeds: int) -> list[str]:
    """Hits and shares above the target of each sampler, by share aimed at and by budget of predictions."""
    shares, budgets = list(dict.fromkeys(row["share"] for row in rows)), list(BUDGETS)[:2]
    heads = [f"{share:g}, {BUDGETS[budget][1]} predictions" for share in shares for budget in budgets]
    lines = [
        f"{seeds} seeds; by the share aimed at, hits (share above), with the sizes of the last column.",
        "",
        f"| sampler | {' | '.join(heads)} | largest size: seconds |",
        "|---" * (len(heads) + 2) + "|",
    ]
    for family in FAMILIES:
        cells = [_cell(best(rows, share, family, budget)) for share in shares for budget in budgets]
        largest = best(rows, shares[-1], family, budgets[-1])
        size = f"{largest['size']}: {largest['seconds']:.2f}".removeprefix(": ") if largest else ""
        lines.append(f"| {family} | {' | '.join(cells)} | {size} |") if any(cells) else None
    return lines + _modes(rows, shares)


def _cell(row: dict[str, Any] | None) -> str:
    return "" if row is None else f"{100 * row['hits']:.0f} ({100 * row['above']:.0f})"


def _modes(rows: Rows, shares: list[float]) -> list[str]:
    """How far the shares of modes are from what they should be."""
    if all(np.isnan(row["modes"]) for row in rows):
        return []
    budget = list(BUDGETS)[1]
    lines = ["", "Total variation of the shares of the three modes, with 256 predictions:", ""]
    lines += [f"| sampler | {' | '.join(f'{share:g}' for share in shares)} |", "|---" * (len(shares) + 1) + "|"]
    for family in FAMILIES:
        found = [best(rows, share, family, budget) for share in shares]
        if any(found):
            cells = ["" if row is None else f"{row['modes']:.2f}" for row in found]
            lines.append(f"| {family} | {' | '.join(cells)} |")
    return lines


def _joined(shares: Iterable[float]) -> str:
    return ", ".join(f"{share:g}" for share in shares)
