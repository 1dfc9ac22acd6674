"""The tables of `experiments.bench.search`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments.bench import machine
from experiments.terminal import write_difference, write_interval
from nag_jax.reports import search_figures
from nag_jax.reports.ranks import Ranking, rank_strategies
from nag_jax.reports.trajectories import paired_p_value

GENERATOR, EXHAUSTIVE = "bo_nag", "bo_exhaustive"
TARGET_RATIO = 1.15
RANKED_AT = (50, 100, 200)
"""Labels after which strategies are ranked over the tasks; a task with a smaller budget has as many of its own."""


def task_table(task: str, results: dict[str, Any]) -> list[str]:
    """Markdown lines: labels to the optimum, what is reported after how many labels, and who is better.

    Args:
        task: its name.
        results: what its `results.json` holds; null stands for a number of labels that was never reached.
    """
    objective, reported, strategies = results["objective"], results["reported"], results["strategies"]
    at = sorted({n for strategy in strategies.values() for n in strategy["reported_after"]}, key=int)
    lines = [
        f"## {task}",
        "",
        f"`{objective['metric']}` of `{results['evaluator']}` is searched (best {objective['best_of_table']:.2f}), "
        f"`{reported['metric']}` reported (best {reported['best_of_table']:.2f}); {results['seeds']} seeds, "
        f"{results['initial']} random labels first, which count; mean ± 95 % interval; "
        f"commit {machine.short(results['git_commit'])}.",
        "",
        f"| strategy | labels to the optimum, median (quartiles) | found it | {' | '.join(f'after {n}' for n in at)} |",
        "|---|---|---|" + "---|" * len(at),
    ]
    for name, strategy in strategies.items():
        labels = strategy["labels_to_optimum"]
        cells = [write_interval(strategy["reported_after"].get(n)) for n in at]
        share = f"{100 * labels['share_of_seeds_that_reached_it']:.0f} %"
        lines.append(f"| {name} | {_labels(labels)} | {share} | " + " | ".join(cells) + " |")
    lines.append("")
    medians = {name: s["labels_to_optimum"]["median"] for name, s in strategies.items()}
    if medians.get(GENERATOR) and medians.get(EXHAUSTIVE):
        ratio = medians[GENERATOR] / medians[EXHAUSTIVE]
        lines.append(f"Generator over exhaustive maximiser, medians: {ratio:.2f} (target: at most {TARGET_RATIO}).")
    lines += [write_comparison(n, test) for n, test in results["significance"].items()]
    return [*lines, *_by_labels(strategies)]


def rank_tables(found: dict[str, dict[str, Any]], path: Path) -> list[str]:
    """Markdown lines: mean ranks over tasks at each of `RANKED_AT`; draws critical differences of what is reported.

    Args:
        found: what `read_results` returns, by task.
        path: the path of the figure, without its ending.
    """
    rankings = {n: rank_strategies(_reported(found, place)) for place, n in enumerate(RANKED_AT)}
    search_figures.critical_differences({f"{n} labels": ranking for n, ranking in rankings.items()}, path)
    searched = {n: rank_strategies(_searched(found, place)) for place, n in enumerate(RANKED_AT)}
    return [
        "## Ranks over the data sets of NAS-Bench-Graph",
        "",
        f"Mean ranks over {len(found)} data sets of what is reported, the mean test figure of the best by validation, "
        f"after {RANKED_AT} labels (proteins: 20, 40, 80).",
        "",
        *_rank_table(rankings),
        "",
        f"![Critical differences]({path.name}.png)",
        "",
        "The same of what is searched, the mean of the best validation figure:",
        "",
        *_rank_table(searched),
    ]


def _rank_table(rankings: dict[int, Ranking]) -> list[str]:
    first = rankings[RANKED_AT[0]]
    rows = [
        f"| {s} | " + " | ".join(f"{rankings[n].mean_ranks[s]:.2f}" for n in RANKED_AT) + " |" for s in first.mean_ranks
    ]
    tests = "; ".join(f"after {n} p = {ranking.p:.2g}" for n, ranking in rankings.items())
    return [
        f"| strategy | {' | '.join(f'after {n}' for n in RANKED_AT)} |",
        "|---|" + "---|" * len(RANKED_AT),
        *rows,
        "",
        f"Friedman's test: {tests}. Critical difference of two mean ranks (Nemenyi, 5 %): "
        f"{first.critical_difference:.2f}.",
    ]


def _reported(found: dict[str, dict[str, Any]], place: int) -> dict[str, np.ndarray]:
    """Strategies that all tasks have, to reported means `[D]`, higher is better, at a place of `RANKED_AT`."""
    return _column(found, place, "reported", lambda strategy, n: strategy["reported_after"][n]["estimate"])


def _searched(found: dict[str, dict[str, Any]], place: int) -> dict[str, np.ndarray]:
    """The same of the objective."""
    return _column(found, place, "objective", lambda strategy, n: strategy["searched_after"][n])


def _column(
    found: dict[str, dict[str, Any]], place: int, metric: str, read: Callable[[dict[str, Any], str], float]
) -> dict[str, np.ndarray]:
    first, *others = (results["strategies"] for results in found.values())
    values: dict[str, list[float]] = {name: [] for name in first if all(name in other for other in others)}
    for results in found.values():
        sign = 1.0 if results[metric]["direction"] == "max" else -1.0
        for name, column in values.items():
            strategy = results["strategies"][name]
            chosen = sorted(strategy["reported_after"], key=int)[-len(RANKED_AT) :][place]
            column.append(sign * read(strategy, chosen))
    return {name: np.array(column) for name, column in values.items()}


def write_comparison(n: int | str, test: dict[str, Any], digits: int = 2) -> str:
    """A Markdown item: the generator against its best baseline after n labels, and which are significantly better."""
    best = test["best_baseline"]
    difference = write_difference(test["difference"][best], test["p"][best], digits)
    better = ", ".join(test["baselines_that_are_better"]) or "none"
    return (
        f"* After {n}: {test['strategy']} minus the best baseline, {best}: {difference}; "
        f"significantly better than it: {better}."
    )


def _by_labels(strategies: dict[str, Any]) -> list[str]:
    """A Markdown item: mean labels to the optimum of those that always found it, with the generator's beside them."""
    found = {name: strategy["labels_to_optimum"]["by_seed"] for name, strategy in strategies.items()}
    found = {name: np.array(labels) for name, labels in found.items() if None not in labels}
    if GENERATOR not in found:
        return []
    own = found.pop(GENERATOR)
    others = [f"{name} {labels.mean():.1f} ({paired_p_value(own, labels):.2g})" for name, labels in found.items()]
    means = ", ".join([f"{GENERATOR} {own.mean():.1f}", *others])
    return [f"* Mean labels to the optimum, of strategies that found it with every seed (Wilcoxon's p): {means}."]


def _labels(labels: dict[str, Any]) -> str:
    shown = ["never" if n is None else f"{n:g}" for n in (labels["median"], *labels["quartiles"])]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"
