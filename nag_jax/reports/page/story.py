"""The page's story of any run: what was asked, and what it cost."""

from typing import Any, NamedTuple

from nag_jax.reports.page import forms
from nag_jax.reports.page.finished import Cell, Finished

Rows = dict[str, Cell]
"""What a value is, to the value."""


class Table(NamedTuple):
    """A table of the page.

    Attributes:
        title: what its values are, with unit, split and evaluator.
        columns: titles; the first is of the rows' names.
        rows: name and cells of each.
        note: what must be known to read it.
    """

    title: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]
    note: str = ""


class Story(NamedTuple):
    """What one run has to tell.

    Attributes:
        lead: what it did, in a sentence.
        asked: what was asked.
        found: the figures that matter most.
        best: the best architecture in its space's notation, an empty cell where none was paid for.
        tables: what it found, against what.
    """

    lead: str
    asked: Rows
    found: Rows
    best: Cell
    tables: list[Table]


def words(text: str) -> Cell:
    """A cell of words."""
    return Cell(text)


def label(about: dict[str, Any]) -> str:
    """What a metric of `results.json` is called where people read it."""
    return about.get("title") or about["metric"]


def metric(about: dict[str, Any]) -> str:
    """A metric's facts in words; those of a utility's objectives."""
    if several := about.get("objectives"):
        return f"{label(about)} of {'; '.join(map(metric, several))}"
    unit = f" in {about['unit']}" if about.get("unit") else ""
    better = {"max": "higher", "min": "lower"}[about["direction"]]
    return f"{label(about)}{unit}, {better} is better"


def source(about: dict[str, Any], evaluator: str) -> str:
    """Where a metric's values come from, in words."""
    return ", ".join(
        filter(None, [f"{about['split']} split" if about.get("split") not in ("", "none", None) else "", evaluator])
    )


def objectives_of_best(run: Finished) -> Rows:
    """The values of several objectives that the best architecture has; nothing where there is one."""
    return {
        f"its {label(about)}": run.cell("best", "objectives", about["metric"], form=forms.with_unit(about.get("unit")))
        for about in run.at("objective", "objectives") or []
    }


def asked_of_any(run: Finished) -> Rows:
    """What every run is asked: space, constraints, data sets, seed."""
    config = run.config
    rows = {"space": words(config["space"]["name"])}
    if run.at("constraints"):
        rows["constraints"] = words("; ".join(run.results["constraints"]))
    elif config.get("constraints"):
        rows["constraints"] = words(config["constraints"])
    if config.get("evaluator", {}).get("dataset"):
        rows["data set"] = run.cell("config", "evaluator", "dataset")
    if "triples" in config:
        rows["predictor learned from"] = words(f"labels of other data sets, {run.at('config', 'triples', 'source')}")
        rows["new data set known by"] = words(str(run.at("config", "dataset", "source")).replace("_", " "))
    return rows


def cost(run: Finished) -> Rows:
    """Labels, time and devices, in short."""
    rows = {}
    if run.at("labels"):
        rows["labels paid for"] = run.cell("labels", "paid", form=forms.count)
        for purpose in run.results["labels"]["by_purpose"]:
            rows[f"labels: {purpose}"] = run.cell("labels", "by_purpose", purpose, form=forms.count)
        rows["labels that failed"] = run.cell("labels", "failed", form=forms.count)
    elif run.kind == "constraints":
        rows["labels paid for"] = words("0; costs are computed")
    rows["time in all"] = words(forms.seconds(sum(run.results["seconds"].values())))
    devices = run.results["devices"]
    rows["devices"] = words(f"{devices['count']} of {devices['kind']}")
    return rows


def phases(run: Finished) -> Table:
    """How long each phase took."""
    rows = [(name, [run.cell("seconds", name, form=forms.seconds)]) for name in run.results["seconds"]]
    note = "What an earlier start of the same run had finished was restored, and counts the time of restoring it."
    return Table("Time by phase", ["phase", "time"], rows, note)


def settings(run: Finished) -> Rows:
    """The config, a field per row."""
    return {".".join(keys): run.cell("config", *keys, form=forms.setting) for keys in _leaves(run.config)}


def environment(run: Finished) -> Rows:
    """Versions and commit."""
    rows = {"commit": run.cell("git_commit")} if run.at("git_commit") else {}
    return rows | {name: run.cell("versions", name) for name in run.results["versions"] if run.at("versions", name)}


def _leaves(tree: dict[str, Any]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, value in tree.items():
        found += [(key, *rest) for rest in _leaves(value)] if isinstance(value, dict) and value else [(key,)]
    return found
