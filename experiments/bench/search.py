"""Labels to the optimum of every strategy, on whole tables of NAS-Bench-201.

    python -m experiments.bench.search --table=../shared/data/nb201_cifar.csv

Writes experiments/results/search.md and search.json. Each task is a run of `configs/nb201_bo.py` in --workdir, so a
stopped benchmark goes on, and one with more --seeds adds to what is there. All tasks share one score network. Without
--table only the tasks of the package analog-nasbench run.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from configs import nb201_bo
from experiments import search
from experiments.bench import machine
from experiments.config import Config
from experiments.main import use_compilation_cache
from experiments.score import split_space, train_score

TABLE_TASKS = {
    "cifar10": {"evaluator.metric": "cifar10_valid_acc", "search.report": "cifar10_test_acc"},
    "cifar100": {"evaluator.metric": "cifar100_valid_acc", "search.report": "cifar100_test_acc"},
}
"""Searched on validation, reported on test."""
PACKAGE_TASKS = {"analog_drift": {"evaluator.metric": "analog_drift_2592000"}}
GENERATOR, EXHAUSTIVE = "bo_nag", "bo_exhaustive"
TARGET_RATIO = 1.15


def main() -> None:
    """Runs the tasks and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--table", type=Path, help="CSV with columns arch, cifar10_valid_acc, cifar10_test_acc, ...")
    parser.add_argument("--tasks", nargs="*", help="some of the tasks; default: all")
    parser.add_argument("--strategies", nargs="*", help="some of the config's strategies; default: its own")
    parser.add_argument("--workdir", type=Path, default=Path("runs/bench/search"))
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    arguments = parser.parse_args()
    logging.set_verbosity(logging.WARNING)
    use_compilation_cache()
    tasks = {**(TABLE_TASKS if arguments.table else {}), **PACKAGE_TASKS}
    chosen = arguments.tasks or list(tasks)
    if unknown := sorted(set(chosen) - set(tasks)):
        parser.error(f"unknown task {unknown[0]!r}: use some of {sorted(tasks)} (those of a table need --table)")
    score = train_once(arguments, tasks[chosen[0]], chosen[0] in TABLE_TASKS)
    found, stored = {}, {}
    for task in chosen:
        found[task] = search.run(
            make_config(arguments, tasks[task], task in TABLE_TASKS, score), arguments.workdir / task
        )
        stored[task] = _compact(json.loads((arguments.workdir / task / "results.json").read_text()))
    about = machine.describe("python -m experiments.bench.search")
    arguments.results.mkdir(parents=True, exist_ok=True)
    text = "\n".join([*machine.heading("Search with counted labels", about), *_tables(found), ""])
    (arguments.results / "search.json").write_text(json.dumps({"about": about, "tasks": stored}, indent=1) + "\n")
    (arguments.results / "search.md").write_text(text)
    print(text)


def train_once(arguments: argparse.Namespace, fields: dict[str, str], is_table: bool) -> str:
    """The folder of the score network that all tasks share, trained unless it is there."""
    config = make_config(arguments, fields, is_table, "")
    config.run = (GENERATOR,)
    run = search.prepare(config, arguments.workdir / "score_network")
    train_score(run, split_space(run))
    return str(run.workdir.path / "score")


def make_config(arguments: argparse.Namespace, fields: dict[str, str], is_table: bool, score: str) -> Config:
    """The config of one task."""
    config: Config = nb201_bo.get_config()
    config.update_from_flattened_dict(fields)
    if is_table:
        config.evaluator.name, config.evaluator.path = "table", str(arguments.table)
    config.seeds, config.search.budget = arguments.seeds, arguments.budget
    config.score.checkpoint = score
    if arguments.strategies:
        config.run = tuple(arguments.strategies)
    return config


def _compact(results: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in results.items() if name not in ("config", "versions", "devices")}


def _tables(found: dict[str, dict[str, Any]]) -> list[str]:
    lines = []
    for task, results in found.items():
        lines += [*_task_table(task, results), ""]
    return lines[:-1]


def _task_table(task: str, results: dict[str, Any]) -> list[str]:
    objective, reported = results["objective"], results["reported"]
    at = sorted({n for strategy in results["strategies"].values() for n in strategy["reported_after"]})
    rows = [
        f"## {task}",
        "",
        f"`{objective['metric']}` of `{results['evaluator']}` is searched, `{reported['metric']}` reported; "
        f"{results['seeds']} seeds, {results['initial']} random labels first, which count; mean ± 95 % interval.",
        "",
        f"| strategy | labels to the optimum, median (quartiles) | {' | '.join(f'after {n}' for n in at)} |",
        "|---|---|" + "---|" * len(at),
    ]
    for name, strategy in results["strategies"].items():
        cells = [_interval(strategy["reported_after"].get(n)) for n in at]
        rows.append(f"| {name} | {_labels(strategy['labels_to_optimum'])} | " + " | ".join(cells) + " |")
    medians = {name: s["labels_to_optimum"]["median"] for name, s in results["strategies"].items()}
    if np.isfinite([medians.get(GENERATOR, np.inf), medians.get(EXHAUSTIVE, np.inf)]).all():
        ratio = medians[GENERATOR] / medians[EXHAUSTIVE]
        rows += ["", f"Generator over exhaustive maximiser, medians: {ratio:.2f} (target: at most {TARGET_RATIO})."]
    return rows


def _labels(labels: dict[str, Any]) -> str:
    shown = [f"{n:g}" if np.isfinite(n) else "never" for n in (labels["median"], *labels["quartiles"])]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def _interval(interval: dict[str, float] | None) -> str:
    if interval is None:
        return ""
    return f"{interval['estimate']:.2f} ± {(interval['high'] - interval['low']) / 2:.2f}"


if __name__ == "__main__":
    main()
