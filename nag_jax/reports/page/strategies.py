"""The page's story of searches: what each strategy reached after how many labels, and which can be told apart."""

import itertools
from typing import Any

from nag_jax.reports.page import forms
from nag_jax.reports.page.finished import EMPTY, Cell, Finished
from nag_jax.reports.page.story import (
    Rows,
    Story,
    Table,
    asked_of_any,
    label,
    metric,
    objectives_of_best,
    source,
    words,
)
from nag_jax.reports.statistics import FEWEST_SAMPLES
from nag_jax.reports.trajectories import FEWEST_SEEDS


def searched(run: Finished) -> Story:
    """A run of search strategies."""
    results = run.results
    objective, reported, evaluator = results["objective"], results["reported"], results["evaluator"]
    asked = {
        "objective": words(metric(objective)),
        "labels from": words(source(objective, evaluator)),
        "reported": words(f"{metric(reported)}; {source(reported, evaluator)}"),
        **asked_of_any(run),
        "labels a seed": run.cell("budget", form=forms.count),
        "of which in the initial design": run.cell("initial", form=forms.count),
        "seeds": words(f"{results['seeds']}, from {run.config['seed']}"),
    }
    tables = [_reached(run, f"{metric(reported)}; {source(reported, evaluator)}")]
    if results["significance"]:
        tables.append(_differences(run))
    if any("hypervolume_after" in strategy for strategy in results["strategies"].values()):
        tables.append(_hypervolumes(run))
    return Story(
        f"{len(results['strategies'])} strategies searched {results['space']} for {label(objective)}, each with "
        "labels of its own; strategies share the initial designs of their seeds.",
        asked,
        _found(run),
        run.cell("best", "architecture"),
        tables,
    )


def _found(run: Finished) -> Rows:
    results, unit, reported_unit = run.results, run.at("objective", "unit"), run.at("reported", "unit")
    rows = {}
    if best := results.get("best"):
        rows["best that was paid for"] = run.cell("best", "value", form=forms.with_unit(unit))
        if best.get("reported") is not None and results["reported"]["metric"] != results["objective"]["metric"]:
            name = f"its {label(results['reported'])}"
            rows[name] = run.cell("best", "reported", form=forms.with_unit(reported_unit))
        rows |= objectives_of_best(run)
        rows["found by"] = words(f"{best['strategy']}, seed {best['seed']}, label {best['label']}")
    if results["objective"].get("best_of_table") is not None:
        rows["best of the whole table"] = run.cell("objective", "best_of_table", form=forms.with_unit(unit))
        rows["best reported value of the table"] = run.cell(
            "reported", "best_of_table", form=forms.with_unit(reported_unit)
        )
    last = _counts(run)[-1:]
    for name, after in itertools.product(results["strategies"], last):
        rows[f"{name}, {after} labels"] = interval(run, "strategies", name, "reported_after", after)
    return rows


def _counts(run: Finished) -> list[str]:
    """The numbers of labels that are reported, as `results.json` writes them."""
    found = {n for strategy in run.results["strategies"].values() for n in strategy["reported_after"]}
    return sorted(found, key=int)


def _reached(run: Finished, about: str) -> Table:
    counts, strategies = _counts(run), run.results["strategies"]
    knows_best = any("labels_to_optimum" in strategy for strategy in strategies.values())
    rows = []
    for name in strategies:
        cells = [interval(run, "strategies", name, "reported_after", n) for n in counts]
        cells += [_to_optimum(run, name)] if knows_best else []
        rows.append((name, [*cells, run.cell("strategies", name, "failed", form=forms.count)]))
    columns = ["strategy", *(f"{n} labels" for n in counts), *(["labels to optimum"] if knows_best else []), "failed"]
    note = f"Of the best architecture so far by the objective; {_spread(run)}."
    if knows_best:
        note += " Labels to optimum: median over the seeds until the objective's best of the table."
    return Table(about, columns, rows, note)


def _to_optimum(run: Finished, name: str) -> Cell:
    """The median, or that half of the seeds never got there: infinity is null in JSON."""
    cell = run.cell("strategies", name, "labels_to_optimum", "median", form="{:g}".format)
    if cell.source or run.at("strategies", name, "labels_to_optimum") is None:
        return cell
    return words(f"> {run.results['budget']}")


def _differences(run: Finished) -> Table:
    """The first strategy against the others."""
    tests = run.results["significance"]
    first = next(iter(run.results["strategies"]))
    baselines = [name for name in run.results["strategies"] if name != first]
    rows = []
    for baseline in baselines:
        cells = []
        for n, test in tests.items():
            cells.append(run.cell("significance", n, "difference", baseline, form="{:+.2f}".format))
            if _has_p(test):
                cells.append(run.cell("significance", n, "p", baseline, form="{:.2g}".format))
        rows.append((baseline, cells))
    columns = [title for n, test in tests.items() for title in (f"{n} labels", *["p"] * _has_p(test))]
    note = f"Positive where {first} is better."
    if any(map(_has_p, tests.values())):
        note += " p: Wilcoxon's signed-rank test over the seeds, two-sided, corrected by Holm's method."
    else:
        note += f" Fewer than {FEWEST_SEEDS} seeds can't show a difference at 5 %, so there are no p-values."
    return Table(f"{first} minus each baseline", ["baseline", *columns], rows, note)


def _has_p(test: dict[str, Any]) -> bool:
    return any(p is not None for p in test["p"].values())


def _hypervolumes(run: Finished) -> Table:
    counts = _counts(run)
    rows = [
        (name, [interval(run, "strategies", name, "hypervolume_after", n) for n in counts])
        for name in run.results["strategies"]
    ]
    title = f"Hypervolume of {label(run.results['objective'])} and {run.at('config', 'search', 'second')}"
    note = (
        "0 to 1: the share of the rectangle between the worst and the best values that any strategy paid for; "
        f"{_spread(run)}."
    )
    return Table(title, ["strategy", *(f"{n} labels" for n in counts)], rows, note)


def _spread(run: Finished) -> str:
    """What figures over the seeds are, in words."""
    seeds = run.results["seeds"]
    if seeds == 1:
        return f"of seed {run.config['seed']}"
    return "mean over the seeds" + " ± half of its 95 % interval" * (seeds >= FEWEST_SAMPLES)


def interval(run: Finished, *keys: str) -> Cell:
    """An estimate with half of its interval, without it where too few seeds say nothing of it."""
    found: dict[str, Any] | None = run.at(*keys)
    if found is None:
        return EMPTY
    half = ""
    if found["low"] is not None and found["high"] is not None:
        half = f" ± {forms.number((found['high'] - found['low']) / 2)}"
    return run.cell(*keys, "estimate", form=lambda value: forms.number(value) + half)
