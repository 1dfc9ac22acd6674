"""The page's story of a front: pools against the front of the table, and what was paid in both currencies."""

from nag_jax.reports.page import forms
from nag_jax.reports.page.finished import EMPTY, Cell, Finished
from nag_jax.reports.page.story import Story, Table, asked_of_any, metric, words

_COLUMNS = {
    "valid": ("validity_argmax", forms.share),
    "distinct": ("distinct", forms.count),
    "distinct functions": ("distinct_canonical", forms.count),
    "hypervolume": ("hypervolume", forms.number),
    "share of the table's": ("hypervolume_share", forms.share),
    "coverage of the front": ("coverage", forms.share),
    "IGD+": ("igd_plus", forms.number),
    "epsilon": ("epsilon", forms.number),
    "predicted hypervolume": ("predicted_hypervolume", forms.number),
}
_NOTE = (
    "Coverage: share of the front's architectures, those that compute the same thing counted once. IGD+ and epsilon: "
    "how far the front lies beyond the pool, on average and at most, in the box of the bounds and the best values. "
    "True values are read off the tables for this report."
)


def front(run: Finished) -> Story:
    """A run that generated a pool for several objectives."""
    about = run.results["front"]
    samples = run.config["num_samples"]
    asked = {
        "objectives": words("; ".join(f"{metric(each)} ({each['kind']})" for each in about["objectives"])),
        "bounds": words(about["bounds"] or "none"),
        "labels from": words(run.results["evaluator"]),
        **asked_of_any(run),
        "samples a pool": run.cell("config", "num_samples", form=forms.count),
        "seed": run.cell("config", "seed"),
    }
    found = {"measurements": run.cell("front", "measurements", "paid", form=forms.count)}
    for name in ("guided", "random"):
        for title in ("distinct functions", "share of the table's", "coverage of the front", "predicted hypervolume"):
            key, form = _COLUMNS[title]
            found[f"{name} pool, {title}"] = run.cell("pools", name, key, form=form)
    if about["redundant"]:
        pairs = ", ".join(" and ".join(pair) for pair in about["redundant"])
        found["objectives that rank alike"] = words(f"{pairs}: one of them says nothing; leave it out")
    tables = [_pools(run, f"Pools of {samples:,} samples"), _chosen(run), _models(run)]
    return Story(
        f"Generated a pool of {run.results['space']} that covers the front of {len(about['objectives'])} objectives.",
        asked,
        {name: cell for name, cell in found.items() if cell.text},
        EMPTY,
        [table for table in tables if table.rows],
    )


def _pools(run: Finished, title: str) -> Table:
    pools = run.results["pools"]
    columns = {c: (k, form) for c, (k, form) in _COLUMNS.items() if any(p.get(k) is not None for p in pools.values())}
    rows = [(name, [run.cell("pools", name, key, form=form) for key, form in columns.values()]) for name in pools]
    return Table(title, ["pool", *columns], rows, _NOTE)


def _chosen(run: Finished) -> Table:
    """What was labelled at the end, by the hypervolume that it was predicted to add."""
    names = [each["metric"] for each in run.results["front"]["objectives"]]
    rows = [
        (each["architecture"], [run.cell("chosen", i, name, form=forms.number) for name in names])
        for i, each in enumerate(run.results["chosen"])
    ]
    return Table("Labelled at the end, what was predicted to add most first", ["architecture", *names], rows)


def _models(run: Finished) -> Table:
    """How measured objectives are modelled."""
    rows = [
        (f"{name}, {fact}", [Cell(forms.setting(value))])
        for name, model in run.results["front"]["models"].items()
        for fact, value in model.items()
    ]
    return Table("Models of measured objectives", ["fact", "value"], rows)
