"""What a search leaves behind: results.json, trajectories.csv, anytime curves and a table on the terminal."""

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from experiments.report import git_commit, versions
from nag_jax.analysis import figures
from nag_jax.analysis.statistics import mean_interval
from nag_jax.analysis.trajectories import (
    at_incumbents,
    bootstrap_band,
    incumbents,
    labels_to_reach,
    paired_p_value,
    quantile,
)
from nag_jax.errors import InputError
from nag_jax.evaluators import Ledger
from nag_jax.evaluators.reporting import reporting_view

if TYPE_CHECKING:
    from experiments.search import Search


class Trajectories(NamedTuple):
    """All trials of one strategy, in the metrics' own units, for S seeds of T labels.

    Attributes:
        objective: `[S, T]`.
        reported: `[S, T]`.
        architectures: native strings, S lists of T.
    """

    objective: np.ndarray
    reported: np.ndarray
    architectures: list[list[str]]


def write(run: "Search") -> dict[str, Any]:
    """Writes everything into the workdir, prints the table, and returns what stands in `results.json`."""
    found = {name: read(run, name) for name in run.config.run}
    reached = {name: reached_values(run, trials) for name, trials in found.items()}
    optimum = best_of_table(run)
    results = {
        "objective": describe_metric(run, run.metric.name, optimum.get("objective")),
        "reported": describe_metric(run, run.reported.name, optimum.get("reported")),
        "space": run.space.name,
        "evaluator": run.evaluator.name,
        "seeds": run.config.seeds,
        "initial": run.config.search.initial,
        "budget": run.config.search.budget,
        "strategies": {
            name: describe_strategy(run, found[name], reached[name], optimum.get("objective")) for name in found
        },
        "significance": significance(run, reached),
        "seconds": run.phases.seconds,
        "devices": {"count": jax.device_count(), "kind": jax.devices()[0].device_kind},
        "versions": versions(),
        "git_commit": git_commit(),
        "config": run.config.to_dict(),
    }
    run.workdir.write("trajectories.csv", lambda path: list_trials(run, found).to_csv(path, index=False))
    draw(run, found, reached, optimum)
    run.workdir.write_json("results.json", results)
    summarize(run, results)
    return results


def read(run: "Search", name: str) -> Trajectories:
    """The trials of a strategy's seeds, from their ledgers."""
    objective, reported, architectures = [], [], []
    for seed in range(run.config.seed, run.config.seed + run.config.seeds):
        with Ledger.open(run.ledger_path(name, seed), run.evaluator) as ledger:
            trials = ledger.trials()[: run.config.search.budget]
        objective.append([trial.labels[run.metric.name] for trial in trials])
        reported.append([trial.labels[run.reported.name] for trial in trials])
        architectures.append([trial.architecture for trial in trials])
    return Trajectories(np.array(objective), np.array(reported), architectures)


def reached_values(run: "Search", trials: Trajectories) -> np.ndarray:
    """Reported value `[S, T]` of the best architecture so far by the objective, in the reported metric's unit."""
    return at_incumbents(trials.reported, incumbents(run.sign * trials.objective))


def best_of_table(run: "Search") -> dict[str, float]:
    """The best objective and the best reported value there are, where the evaluator has a table."""
    try:
        view = reporting_view(run.evaluator)
    except InputError:
        return {}
    return {"objective": view.best(run.metric.name), "reported": view.best(run.reported.name)}


def describe_metric(run: "Search", name: str, best: float | None) -> dict[str, Any]:
    """A metric's facts for `results.json`."""
    metric = run.evaluator.metrics[name]
    return {
        "metric": name,
        "unit": metric.unit,
        "direction": metric.direction,
        "split": metric.split,
        "best_of_table": best,
    }


def report_at(run: "Search") -> list[int]:
    """The numbers of labels that the table has, as far as the budget goes."""
    return [n for n in run.config.search.report_at if n <= run.config.search.budget] or [run.config.search.budget]


def describe_strategy(
    run: "Search", trials: Trajectories, reached: np.ndarray, optimum: float | None
) -> dict[str, Any]:
    """Mean and 95 % interval of the reported value at each number of labels, and the labels to the optimum."""
    described: dict[str, Any] = {"failed": int(np.isnan(trials.objective).sum()), "reported_after": {}}
    for n in report_at(run):
        values = reached[:, n - 1][np.isfinite(reached[:, n - 1])]
        if len(values):
            described["reported_after"][n] = mean_interval(values)._asdict()
    if optimum is not None:
        labels = labels_to_reach(run.sign * trials.objective, run.sign * optimum)
        described["labels_to_optimum"] = {
            "median": quantile(labels, 0.5),
            "quartiles": [quantile(labels, 0.25), quantile(labels, 0.75)],
            "share_of_seeds_that_reached_it": np.isfinite(labels).mean(),
            "by_seed": labels,
        }
    return described


def significance(run: "Search", reached: dict[str, np.ndarray]) -> dict[int, dict[str, Any]]:
    """For each number of labels, the strategy with the best mean, and p of each other being as good.

    Wilcoxon's signed-rank test over the seeds, which share their initial designs; two-sided, not corrected for how many
    strategies there are.
    """
    sign = 1.0 if run.reported.direction == "max" else -1.0
    found = {}
    for n in report_at(run):
        at = {name: sign * values[:, n - 1] for name, values in reached.items()}
        best = max(at, key=lambda name: np.nan_to_num(at[name], nan=-np.inf).mean())
        found[n] = {
            "best": best,
            "p": {name: paired_p_value(at[best], values) for name, values in at.items() if name != best},
        }
    return found


def list_trials(run: "Search", found: dict[str, Trajectories]) -> pd.DataFrame:
    """A row a label, with what was best so far."""
    frames = []
    for name, trials in found.items():
        chosen = incumbents(run.sign * trials.objective)
        best, reported = at_incumbents(trials.objective, chosen), at_incumbents(trials.reported, chosen)
        for i, architectures in enumerate(trials.architectures):
            columns = {
                "strategy": name,
                "seed": run.config.seed + i,
                "labels": np.arange(1, len(architectures) + 1),
                "arch": architectures,
                run.metric.name: trials.objective[i],
                "best_so_far": best[i],
                f"{run.reported.name}_of_best": reported[i],
            }
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def draw(run: "Search", found: dict[str, Trajectories], reached: dict[str, np.ndarray], optimum) -> None:
    """Draws what was reached after how many labels, and the regret of the objective where its optimum is known."""
    folder, start = run.workdir.path / "figures", run.config.search.initial
    folder.mkdir(exist_ok=True)
    unit = f" in {run.reported.unit}" if run.reported.unit else ""
    figures.anytime_curves(
        {name: bootstrap_band(values, seed=0) for name, values in reached.items()},
        start,
        folder / "anytime",
        label=f"{run.reported.name}{unit} of the best so far",
    )
    if not optimum:
        return
    regrets = {}
    for name, trials in found.items():
        best = at_incumbents(trials.objective, incumbents(run.sign * trials.objective))
        regrets[name] = bootstrap_band(np.abs(optimum["objective"] - best), seed=0)
    unit = f" in {run.metric.unit}" if run.metric.unit else ""
    figures.anytime_curves(regrets, start, folder / "regret", label=f"regret of {run.metric.name}{unit}", log=True)


def summarize(run: "Search", results: dict[str, Any]) -> None:
    """Prints the table."""
    reported, objective = results["reported"], results["objective"]
    about = ", ".join(filter(None, [reported["unit"], reported["split"], run.evaluator.name]))
    table = Table(
        title=f"{reported['metric']} ({about}) of the best by {objective['metric']}, {run.config.seeds} seeds, "
        "mean ± 95 %"
    )
    table.add_column("strategy", no_wrap=True)
    for n in report_at(run):
        table.add_column(f"{n} labels", justify="right")
    table.add_column("labels to optimum", justify="right")
    for name, strategy in results["strategies"].items():
        cells = [_interval(strategy["reported_after"].get(n)) for n in report_at(run)]
        table.add_row(name, *cells, _median(strategy.get("labels_to_optimum"), run.config.search.budget))
    console = Console()
    console.print(table)
    console.print(f"everything is in {run.workdir.path}", highlight=False, soft_wrap=True)


def _interval(interval: dict[str, float] | None) -> str:
    if interval is None:
        return ""
    half = (interval["high"] - interval["low"]) / 2
    return f"{interval['estimate']:.2f}" + (f" ± {half:.2f}" if half == half else "")


def _median(labels: dict[str, Any] | None, budget: int) -> str:
    if labels is None:
        return ""
    return f"{labels['median']:g}" if np.isfinite(labels["median"]) else f"> {budget}"
