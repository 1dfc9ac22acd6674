"""The report of a search: results.json, trajectories.csv, figures and report.html."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nag_jax.evaluators import Metric
from nag_jax.evaluators.reporting import reporting_view
from nag_jax.reports import facts, search_figures
from nag_jax.reports.architectures import draw_best
from nag_jax.reports.page import page
from nag_jax.reports.statistics import mean_interval
from nag_jax.reports.trajectories import (
    at_incumbents,
    bootstrap_band,
    holm,
    hypervolumes,
    incumbents,
    labels_to_reach,
    paired_p_value,
    quantile,
)
from nag_jax.system.errors import InputError
from nag_jax.tasks.searched import Search, Searched

DRAWN = 5
"""Architectures in the figure of the best."""
ALPHA = 0.05
"""Below which a corrected p is called significant."""


class Trajectories(NamedTuple):
    """All trials of one strategy, in the metrics' own units, for S seeds of at most T labels.

    Attributes:
        objective: `[S, T]`, NaN where a trial failed or the seed was over before; the utility of several objectives.
        objectives: each of several objectives by name, `[S, T]`, likewise; empty where there is one.
        reported: `[S, T]`, likewise.
        second: `[S, T]`, likewise, or None where there is no second metric.
        architectures: native strings, S lists of the labels that were paid.
        purposes: counts the purposes of those labels.
        reasons: counts why trials failed, where the evaluator said so.
    """

    objective: np.ndarray
    objectives: dict[str, np.ndarray]
    reported: np.ndarray
    second: np.ndarray | None
    architectures: list[list[str]]
    purposes: Counter[str]
    reasons: Counter[str]

    @property
    def failed(self) -> int:
        """How many trials failed."""
        return sum(
            int(np.isnan(row[: len(paid)]).sum()) for row, paid in zip(self.objective, self.architectures, strict=True)
        )


def write(outcome: Searched) -> dict[str, Any]:
    """Writes everything into the workdir, and returns what stands in `results.json`."""
    run = outcome.run
    found = {name: read(run, name) for name in run.config.run}
    reached = {name: reached_values(run, trials) for name, trials in found.items()}
    optimum = best_of_table(run)
    labels = labels_to_optimum(run, found, optimum)
    volumes = measure_hypervolumes(run, found)
    results = {
        "objective": facts.of_objectives(run.objectives) | {"best_of_table": optimum.get("objective")},
        "reported": facts.of_metric(run.reported) | {"best_of_table": optimum.get("reported")},
        "space": run.space.name,
        "evaluator": run.evaluator.name,
        "best": describe_best(run, found),
        "labels": count_labels(found.values()),
        "seeds": run.config.seeds,
        "initial": run.config.search.initial,
        "budget": run.config.search.budget,
        "strategies": {
            name: describe_strategy(run, found[name], reached[name], volumes.get(name), labels.get(name))
            for name in found
        },
        "significance": significance(run, reached),
        **facts.of_setting(run),
    }
    run.workdir.write("trajectories.csv", lambda path: list_trials(run, found).to_csv(path, index=False))
    draw(run, found, reached, volumes, labels, optimum)
    run.workdir.write_json("results.json", results)
    page.write(run.workdir)
    return results


def read(run: Search, name: str) -> Trajectories:
    """The trials of a strategy's seeds, from their ledgers."""
    seeds, budget = range(run.config.seed, run.config.seed + run.config.seeds), run.config.search.budget
    several = () if run.objectives.is_single else run.objectives.names
    names = {run.metric.name, *several, run.reported.name, *([run.second.name] if run.second else [])}
    values = {name: np.full((len(seeds), budget), np.nan) for name in names}
    architectures, purposes, reasons = [], Counter(), Counter()
    for row, seed in enumerate(seeds):
        with run.workdir.ledger(run.evaluator, run.ledger_name(name, seed)) as ledger:
            trials = ledger.trials()[:budget]
        worth = run.objectives.worth(run.objectives.of_each(trial.values for trial in trials))
        for metric, of_metric in values.items():
            is_searched = metric == run.metric.name
            of_metric[row, : len(trials)] = worth if is_searched else [trial.values[metric] for trial in trials]
        architectures.append([trial.architecture for trial in trials])
        purposes.update(trial.purpose for trial in trials)
        reasons.update(trial.brief_reason for trial in trials if trial.reason)
    return Trajectories(
        objective=values[run.metric.name],
        objectives={name: values[name] for name in several},
        reported=values[run.reported.name],
        second=values[run.second.name] if run.second else None,
        architectures=architectures,
        purposes=purposes,
        reasons=reasons,
    )


def reached_values(run: Search, trials: Trajectories) -> np.ndarray:
    """Reported value `[S, T]` of the best architecture so far by the objective, in the reported metric's unit."""
    return at_incumbents(trials.reported, incumbents(run.metric.sign * trials.objective))


def best_of_table(run: Search) -> dict[str, float]:
    """The best objective and the best reported value there are, where the evaluator has a table."""
    try:
        view = reporting_view(run.evaluator, run.space)
    except InputError:
        return {}
    best = view.best_worth(run.objectives)
    return {"objective": best, "reported": best if run.reported == run.metric else view.best(run.reported.name)}


def report_at(run: Search) -> list[int]:
    """The numbers of labels that the table has: those asked for as far as the budget goes, and the last."""
    budget = run.config.search.budget
    return sorted({n for n in run.config.search.report_at if n < budget} | {budget})


def labels_to_optimum(run: Search, found: dict[str, Trajectories], optimum: dict[str, float]) -> dict[str, np.ndarray]:
    """Labels until the best objective there is, `[S]` a strategy, inf for never; nothing where that isn't known."""
    if not optimum:
        return {}
    goal = run.metric.sign * optimum["objective"]
    return {name: labels_to_reach(run.metric.sign * trials.objective, goal) for name, trials in found.items()}


def measure_hypervolumes(run: Search, found: dict[str, Trajectories]) -> dict[str, np.ndarray]:
    """Hypervolume `[S, T]` of objective and second metric after 1 to T labels; nothing where there is no second.

    It is a share: 0..1 of the rectangle between the worst and the best values that any strategy paid for.
    """
    if run.second is None:
        return {}
    points = {
        name: np.stack([run.metric.sign * trials.objective, run.second.sign * trials.second], axis=-1)
        for name, trials in found.items()
        if trials.second is not None
    }
    paid = np.concatenate([values.reshape(-1, 2) for values in points.values()])
    paid = paid[np.isfinite(paid).all(axis=1)]
    if not len(paid):
        return {}
    worst, best = paid.min(axis=0), paid.max(axis=0)
    return {
        name: hypervolumes((values - worst) / np.where(best > worst, best - worst, 1.0))
        for name, values in points.items()
    }


def count_labels(found: Iterable[Trajectories]) -> dict[str, Any]:
    """Labels that all strategies and seeds paid for; see `facts.of_labels`."""
    found = list(found)
    by_purpose = sum((trials.purposes for trials in found), Counter())
    reasons = sum((trials.reasons for trials in found), Counter())
    return facts.of_labels(sum(trials.failed for trials in found), by_purpose, reasons)


def describe_best(run: Search, found: dict[str, Trajectories]) -> dict[str, Any] | None:
    """The best by the objective of all that was paid for, and who found it; None where every label failed."""
    best = None
    for name, trials in found.items():
        row, label = np.unravel_index(np.argmax(_ranked(run, trials)), trials.objective.shape)
        value = trials.objective[row, label]
        if np.isfinite(value) and (best is None or run.metric.sign * value > run.metric.sign * best["value"]):
            best = {
                "architecture": trials.architectures[row][label],
                "value": value,
                "reported": trials.reported[row, label],
                "strategy": name,
                "seed": run.config.seed + int(row),
                "label": int(label) + 1,
            }
            if trials.objectives:
                best["objectives"] = {name: values[row, label] for name, values in trials.objectives.items()}
    return best


def best_architectures(run: Search, found: dict[str, Trajectories]) -> tuple[np.ndarray, list[float]]:
    """The best few of all that was paid for, none twice: tokens `[B, N]` and values of the objective."""
    values = {}
    for trials in found.values():
        for row, architectures in zip(trials.objective, trials.architectures, strict=True):
            values |= {name: value for name, value in zip(architectures, row, strict=False) if np.isfinite(value)}
    names = sorted(values, key=lambda name: -run.metric.sign * values[name])
    if not names:
        return np.zeros((0, run.space.width), np.int32), []
    tokens = run.space.from_native(names)
    first = np.sort(np.unique(run.space.canonical(tokens), return_index=True)[1])[:DRAWN]
    return tokens[first], [values[names[i]] for i in first]


def _ranked(run: Search, trials: Trajectories) -> np.ndarray:
    """The objective, higher is better, failures last: `[S, T]`."""
    return np.nan_to_num(run.metric.sign * trials.objective, nan=-np.inf)


def describe_strategy(
    run: Search, trials: Trajectories, reached: np.ndarray, volumes: np.ndarray | None, labels: np.ndarray | None
) -> dict[str, Any]:
    """Mean and 95 % interval of the reported value at each number of labels, and the labels to the optimum."""
    described: dict[str, Any] = {"failed": trials.failed, "reported_after": {}}
    if volumes is not None:
        described["hypervolume_after"] = {n: mean_interval(volumes[:, n - 1])._asdict() for n in report_at(run)}
    for n in report_at(run):
        values = reached[:, n - 1][np.isfinite(reached[:, n - 1])]
        if len(values):
            described["reported_after"][n] = mean_interval(values)._asdict()
    if labels is not None:
        described["labels_to_optimum"] = {
            "median": quantile(labels, 0.5),
            "quartiles": [quantile(labels, 0.25), quantile(labels, 0.75)],
            "share_of_seeds_that_reached_it": np.isfinite(labels).mean(),
            "by_seed": labels,
        }
    return described


def significance(run: Search, reached: dict[str, np.ndarray]) -> dict[int, dict[str, Any]]:
    """For each number of labels, how the first strategy of `config.run` does against the others, its baselines.

    Wilcoxon's signed-rank test over the seeds, which share their initial designs; two-sided, and corrected by Holm's
    method for how many baselines there are. Differences are means over the seeds, positive where the first is better.
    """
    first, *baselines = reached
    found = {}
    for n in report_at(run) if baselines else []:
        at = {name: run.reported.sign * values[:, n - 1] for name, values in reached.items()}
        differences = {name: float(np.nanmean(at[first] - at[name])) for name in baselines}
        p = holm({name: paired_p_value(at[first], at[name]) for name in baselines})
        found[n] = {
            "strategy": first,
            "best_baseline": min(differences, key=lambda name: differences[name]),
            "difference": differences,
            "p": p,
            "baselines_that_are_better": [name for name in baselines if differences[name] < 0 and p[name] < ALPHA],
            "baselines_that_are_worse": [name for name in baselines if differences[name] > 0 and p[name] < ALPHA],
        }
    return found


def list_trials(run: Search, found: dict[str, Trajectories]) -> pd.DataFrame:
    """A row a label, with what was best so far."""
    frames = []
    for name, trials in found.items():
        chosen = incumbents(run.metric.sign * trials.objective)
        best, reported = at_incumbents(trials.objective, chosen), at_incumbents(trials.reported, chosen)
        for i, architectures in enumerate(trials.architectures):
            paid = len(architectures)
            columns = {
                "strategy": name,
                "seed": run.config.seed + i,
                "labels": np.arange(1, paid + 1),
                "arch": architectures,
                **{name: values[i, :paid] for name, values in trials.objectives.items()},
                run.metric.name: trials.objective[i, :paid],
                "best_so_far": best[i, :paid],
                f"{run.reported.name}_of_best": reported[i, :paid],
            }
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def draw(run: Search, found: dict[str, Trajectories], reached, volumes, labels, optimum) -> None:
    """Draws the best, what was reached after how many labels, and what needs the best there is where that is known."""
    folder, start = run.workdir.path / "figures", run.config.search.initial
    folder.mkdir(exist_ok=True)
    tokens, best = best_architectures(run, found)
    draw_best(run.space, tokens, [f"{value:.2f} {run.metric.unit}" for value in best], folder)
    search_figures.anytime_curves(
        {name: bootstrap_band(values, seed=0) for name, values in reached.items()},
        start,
        folder / "anytime",
        label=f"{_label(run.reported)} of the best so far",
    )
    if run.second and volumes:
        search_figures.trade_off(
            {name: paid_pairs(trials.objective, trials.second) for name, trials in found.items()},
            (run.metric.sign, run.second.sign),
            folder / "trade_off",
            labels=(_label(run.metric), _label(run.second)),
        )
        bands = {name: bootstrap_band(values, seed=0) for name, values in volumes.items()}
        label = f"hypervolume of {run.metric.label} and {run.second.label}"
        search_figures.anytime_curves(bands, start, folder / "hypervolume", label=label)
    if not optimum:
        return
    search_figures.reached_shares(labels, run.config.search.budget, folder / "labels_to_optimum")
    regrets = {}
    for name, trials in found.items():
        best = at_incumbents(trials.objective, incumbents(run.metric.sign * trials.objective))
        regrets[name] = bootstrap_band(np.abs(optimum["objective"] - best), seed=0)
    search_figures.anytime_curves(regrets, start, folder / "regret", label=f"regret of {_label(run.metric)}", log=True)


def paid_pairs(objective, second) -> np.ndarray:
    """Two metrics `[S, T]` of all trials that gave both: `[P, 2]`."""
    pairs = np.stack([objective, second], axis=-1).reshape(-1, 2)
    return pairs[np.isfinite(pairs).all(axis=1)]


def _label(metric: Metric) -> str:
    """A metric and its unit, for axes."""
    return f"{metric.label} in {metric.unit}" if metric.unit else metric.label
