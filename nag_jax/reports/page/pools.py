"""The page's story of generation: pools, against each other and against the best that is known."""

from collections.abc import Callable
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

_COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "valid": ("validity_argmax", forms.share),
    "valid by threshold": ("validity_threshold", forms.share),
    "distinct": ("distinct", forms.count),
    "distinct functions": ("distinct_canonical", forms.count),
    "novel": ("novelty", forms.share),
    "within constraints": ("feasible_share", forms.share),
    "distance, nodes": ("diversity", forms.number),
    "distance within constraints": ("feasible_diversity", forms.number),
    "mean prediction": ("predicted_mean", forms.number),
    "mean of the distinct": ("value_mean", forms.number),
    "best": ("value_best", forms.number),
    "pool regret": ("pool_regret", forms.number),
    "guidance gap": ("guidance_gap", forms.number),
}
_MEANING = {
    "distinct_canonical": "Distinct functions: distinct architectures, those that compute the same thing counted once.",
    "diversity": "Distance: nodes in which two samples differ, mean over pairs.",
    "value_mean": "True values are read off the whole table for this report; the run saw those that it paid for.",
    "pool_regret": "Pool regret: the mean of the best possible K architectures minus that of the K distinct generated.",
    "guidance_gap": "Guidance gap: the same against the predictor's own top K of the whole space.",
    "predicted_mean": "Predictions are in the predictor's own units; nobody knows the true values of these pools.",
}


def generated(run: Finished) -> Story:
    """A run that generated for an objective."""
    about = run.results["objective"]
    unit, samples = about.get("unit"), run.config["num_samples"]
    best, known = run.results["best"], about.get("best_of_table") is not None
    asked = {
        "objective": words(metric(about)),
        "labels from": words(source(about, about["evaluator"])),
        **asked_of_any(run),
        "samples a pool": run.cell("config", "num_samples", form=forms.count),
        "seed": run.cell("config", "seed"),
    }
    found = {"best that was paid for": run.cell("best", "value", form=forms.with_unit(unit))}
    found |= objectives_of_best(run)
    if known:
        found["best of the whole table"] = run.cell("objective", "best_of_table", form=forms.with_unit(unit))
        found["distance between the two"] = run.cell("best", "regret", form=forms.with_unit(unit))
    found["its rank by the predictor"] = words(f"{best['rank_by_predictor']} of the {best['of']} paid for at the end")
    for name in ("guided", "random"):
        found |= _in_short(run, name, unit)
    tables = [_pools(run, f"Pools of {samples:,} samples: {metric(about)}; {source(about, about['evaluator'])}")]
    tables += [
        table
        for table in (_baselines(run), _sweep(run, metric(about)), _facts(run, "objective", "facts"))
        if table.rows
    ]
    return Story(
        f"Generated architectures of {about['space']} for {label(about)}, and paid for the best by the predictor.",
        asked,
        found,
        run.cell("best", "architecture"),
        tables,
    )


def constrained(run: Finished) -> Story:
    """A run that generated within constraints on costs, without labels."""
    samples = run.config["num_samples"]
    asked = {
        "objective": words("none: any architecture within the constraints"),
        "costs from": words(run.results["evaluator"]),
        **asked_of_any(run),
        "samples a pool": run.cell("config", "num_samples", form=forms.count),
        "seed": run.cell("config", "seed"),
    }
    found = {
        f"{name} pool, within constraints": run.cell("pools", name, "feasible_share", form=forms.share)
        for name in ("constrained", "unconditional", "random")
    }
    times = run.cell("times_fewer_samples_than_filtering", form=forms.number)
    found["times fewer samples than filtering needs"] = times if times.source else words("filtering found none")
    tables = [_pools(run, f"Pools of {samples:,} samples; {run.results['evaluator']}")]
    if (facts := _facts(run, "facts")).rows:
        tables.append(facts)
    return Story(
        f"Generated architectures of {run.results['space']} within constraints on costs; no label was paid for.",
        asked,
        found,
        EMPTY,
        tables,
    )


def streamed(run: Finished) -> Story:
    """A run that streamed samples into files."""
    about = run.results.get("objective")
    asked = {
        "objective": words(metric(about)) if about else run.cell("config", "evaluator", "metric"),
        "labels from": words(source(about, about["evaluator"])) if about else run.cell("config", "evaluator", "name"),
        **asked_of_any(run),
        "samples": run.cell("config", "num_samples", form=forms.count),
        "seed": run.cell("config", "seed"),
    }
    samples = run.results["samples"]
    found = {
        "samples": run.cell("samples", form=forms.count),
        "valid": run.cell("valid", form=forms.count),
        "valid share": words(forms.share(run.results["valid"] / samples)),
        "distinct": run.cell("distinct", form=forms.count),
        "distinct functions": run.cell("distinct_canonical", form=forms.count),
        "files": run.cell("files", form=forms.count),
        "samples per second": run.cell("samples_per_second", form=forms.count),
    }
    return Story(
        "Streamed guided samples into samples/*.parquet. None of them was labelled and no other pool was made: "
        "the mode generate of the same config compares pools.",
        asked,
        found,
        EMPTY,
        [],
    )


def _in_short(run: Finished, name: str, unit: str | None) -> Rows:
    """The figures of a pool that matter most."""
    return {
        f"{name} pool, valid": run.cell("pools", name, "validity_argmax", form=forms.share),
        f"{name} pool, distinct": run.cell("pools", name, "distinct", form=forms.count),
        f"{name} pool, within constraints": run.cell("pools", name, "feasible_share", form=forms.share),
        f"{name} pool, mean of the distinct": run.cell("pools", name, "value_mean", form=forms.with_unit(unit)),
        f"{name} pool, mean prediction": run.cell("pools", name, "predicted_mean", form=forms.number),
    }


def _pools(run: Finished, title: str) -> Table:
    pools = run.results["pools"]
    keys = {column: key for column, (key, _) in _COLUMNS.items() if _known(pools.values(), key)}
    costs = [key for key, value in next(iter(pools.values())).items() if isinstance(value, dict)]
    rows = []
    for name in pools:
        cells = [run.cell("pools", name, key, form=_COLUMNS[column][1]) for column, key in keys.items()]
        cells += [run.cell("pools", name, cost, "mean", form=forms.number) for cost in costs]
        rows.append((name, cells))
    columns = ["pool", *keys, *(f"mean {cost}" for cost in costs)]
    return Table(title, columns, rows, " ".join(text for key, text in _MEANING.items() if key in keys.values()))


def _baselines(run: Finished) -> Table:
    """The guided pool beside samplers without a generator."""
    pools = run.at("baselines") or {}
    columns = _COLUMNS | {"predictions": ("predictions", forms.count), "seconds": ("seconds", forms.number)}
    columns = {column: (key, form) for column, (key, form) in columns.items() if _known(pools.values(), key)}
    rows = [(name, [run.cell("baselines", name, key, form=form) for key, form in columns.values()]) for name in pools]
    return Table(
        "The guided pool beside samplers without a generator, by the same predictor and target",
        ["sampler", *columns],
        rows,
        "The exact tilt is what guidance aims at: draws by the chance that the predictor exceeds the target.",
    )


def _sweep(run: Finished, about: str) -> Table:
    """The pools of the guidance scales."""
    points = run.results["sweep"]
    keys = {column: key for column, (key, _) in _COLUMNS.items() if _known(points, key)}
    rows = [
        (
            forms.setting(point["scale"]),
            [run.cell("sweep", i, key, form=_COLUMNS[column][1]) for column, key in keys.items()],
        )
        for i, point in enumerate(points)
    ]
    return Table(f"Guided pools by guidance scale: {about}", ["scale", *keys], rows)


def _facts(run: Finished, *keys: str) -> Table:
    """What the evaluator says of itself."""
    rows = [(name, [Cell(forms.setting(value))]) for name, value in (run.at(*keys) or {}).items()]
    return Table("What the evaluator says of itself", ["fact", "value"], rows)


def _known(pools, key: str) -> bool:
    return any(pool.get(key) is not None for pool in pools)
