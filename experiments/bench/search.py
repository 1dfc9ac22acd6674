"""Labels to the optimum and anytime quality of every strategy, on whole tables of two spaces.

    python -m experiments.bench.search --table=../shared/data/nb201_cifar.csv

Writes experiments/results/search.md, search.json and search_ranks.png. A task is a run of `configs/nb201_bo.py` or
`configs/nb_graph_bo.py` in --workdir, so a stopped benchmark goes on, and one with more seeds adds to what is there.
The tasks of a space share one score network. Seeds end at the table's best, after which no figure changes. Without
--table the two tasks of NATS-Bench are left out. Tasks that aren't run keep their figures, and each names its commit.
"""

import argparse
import json
import queue
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from absl import logging

from configs import nb201_bo, nb_graph_bo
from experiments import command_line, runs
from experiments.bench import machine, search_tables
from experiments.compilation_cache import use_compilation_cache
from nag_jax.evaluators.nas_bench_graph import DATASETS
from nag_jax.tasks.setting import split_space, train_score

_MODULE = "experiments.bench.search"
_CONFIG = nb201_bo.get_config()
STRATEGIES = (*_CONFIG.run, "tpe")
"""The generator first: the others are its baselines."""


class Task(NamedTuple):
    """What is searched.

    Attributes:
        fields: the fields of the config that differ from the defaults.
        is_graph: whether it is one of NAS-Bench-Graph, whose tasks are ranked together.
        needs_table: whether the evaluator reads --table.
    """

    fields: dict[str, Any]
    is_graph: bool = False
    needs_table: bool = False


def _of_table(dataset: str) -> Task:
    fields = {"evaluator.name": "table", "evaluator.metric": f"{dataset}_valid_acc"}
    return Task({**fields, "search.report": f"{dataset}_test_acc"}, needs_table=True)


def _of_graph(dataset: str) -> Task:
    few = {"search.budget": 80, "search.report_at": (20, 40, 80)} if dataset == "proteins" else {}
    return Task({"evaluator.dataset": dataset, "search.report_at": (20, 50, 100, 200), **few}, is_graph=True)


TASKS = {
    "cifar10": _of_table("cifar10"),
    "cifar100": _of_table("cifar100"),
    "analog_drift": Task({"evaluator.metric": "analog_drift_2592000", "evaluator.average_twins": True}),
    **{dataset: _of_graph(dataset) for dataset in DATASETS},
}


def main() -> None:
    """Runs the tasks and writes the tables."""
    arguments = parse()
    logging.set_verbosity(logging.WARNING)
    use_compilation_cache()
    scores = {is_graph: train_once(arguments, is_graph) for is_graph in {TASKS[t].is_graph for t in arguments.tasks}}
    if arguments.jobs > 1:
        run_apart(arguments)
    for name in arguments.tasks:
        task = TASKS[name]
        runs.run(make_config(arguments, task, scores[task.is_graph]), arguments.workdir / name)
    if arguments.results:
        write(arguments)


def parse() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=50, help="of the tasks of NAS-Bench-201")
    parser.add_argument("--graph_seeds", type=int, default=10, help="of the tasks of NAS-Bench-Graph")
    parser.add_argument("--table", type=Path, help="CSV with columns arch, cifar10_valid_acc, cifar10_test_acc, ...")
    parser.add_argument("--tasks", nargs="*", help=f"some of {', '.join(TASKS)}; default: all")
    parser.add_argument("--strategies", nargs="*", default=list(STRATEGIES), help="default: all")
    parser.add_argument("--jobs", type=int, default=1, help="tasks at a time, each on a core of its own")
    parser.add_argument("--workdir", type=Path, default=Path("runs/bench/search"))
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    parser.add_argument("--no_results", dest="results", action="store_const", const=None, help="write no tables")
    arguments = parser.parse_args()
    known = [name for name, task in TASKS.items() if arguments.table or not task.needs_table]
    arguments.tasks = arguments.tasks or known
    if unknown := sorted(set(arguments.tasks) - set(known)):
        parser.error(f"unknown task {unknown[0]!r}: use some of {known} (those of NATS-Bench need --table)")
    if unknown := sorted(set(arguments.strategies) - set(STRATEGIES)):
        parser.error(f"unknown strategy {unknown[0]!r}: use some of {STRATEGIES}")
    return arguments


def train_once(arguments: argparse.Namespace, is_graph: bool) -> str:
    """The folder of the score network that all tasks of a space share, trained unless it is there."""
    config = (nb_graph_bo if is_graph else nb201_bo).get_config()
    config.run = (STRATEGIES[0],)
    run = runs.prepare(config, arguments.workdir / f"score_network_{config.space.name}")
    train_score(run, split_space(run))
    return str(run.workdir.path / "score")


def run_apart(arguments: argparse.Namespace) -> None:
    """Runs every task in a process of its own, several at a time.

    Each stays on one core: the work comes in pieces too small for two, and threads that wait for each other's cores
    take many times as long. It goes there before anything is imported, for NumPy and JAX count cores as they start.

    Raises:
        RuntimeError: one of them failed.
    """
    free: queue.SimpleQueue[int] = queue.SimpleQueue()
    for core in range(arguments.jobs):
        free.put(core)

    def run(task):
        core = free.get()
        again = [f"--{name}={getattr(arguments, name)}" for name in ("seeds", "graph_seeds", "workdir")]
        table = [f"--table={arguments.table}"] if arguments.table else []
        chosen = ["--tasks", task, "--strategies", *arguments.strategies, "--no_results"]
        run_there = f"runpy.run_module({_MODULE!r}, run_name='__main__', alter_sys=True)"
        start = f"import os, runpy; os.sched_setaffinity(0, {{{core}}}); {run_there}"
        code = subprocess.run([sys.executable, "-c", start, *again, *table, *chosen], check=False).returncode
        free.put(core)
        return code

    with ThreadPoolExecutor(arguments.jobs) as pool:
        codes = dict(zip(arguments.tasks, pool.map(run, arguments.tasks), strict=True))
    if failed := [task for task, code in codes.items() if code]:
        raise RuntimeError(f"the tasks {failed} failed; what they paid for is kept, so run the same command again")


def make_config(arguments: argparse.Namespace, task: Task, score: str) -> Any:
    """The config of one task."""
    config = (nb_graph_bo if task.is_graph else nb201_bo).get_config()
    config.seeds = arguments.graph_seeds if task.is_graph else arguments.seeds
    config.search.update({"budget": 200, "stop_at_best": True})
    config.update_from_flattened_dict(task.fields)
    if task.needs_table:
        config.evaluator.path = str(arguments.table)
    config.score.checkpoint = score
    config.run = tuple(arguments.strategies)
    return config


def write(arguments: argparse.Namespace) -> None:
    """Writes the tables and the figure of ranks, of the tasks that were run and of those that the tables have."""
    seeds = f"--seeds={arguments.seeds} --graph_seeds={arguments.graph_seeds}"
    about = machine.describe(f"python -m experiments.bench.search --table=nb201_cifar.csv {seeds}")
    arguments.results.mkdir(parents=True, exist_ok=True)
    path = arguments.results / "search.json"
    known = json.loads(path.read_text())["tasks"] if path.exists() else {}
    known |= {name: read_results(arguments.workdir / name) for name in arguments.tasks}
    known = {name: known[name] for name in TASKS if name in known}
    path.write_text(json.dumps({"about": about, "tasks": known}, indent=1) + "\n")
    lines = machine.heading("Search with counted labels", about)
    for name, results in known.items():
        lines += [*search_tables.task_table(name, results), ""]
    graphs = {name: results for name, results in known.items() if TASKS[name].is_graph}
    if len(graphs) > 1:
        lines += search_tables.rank_tables(graphs, arguments.results / "search_ranks")
    text = "\n".join(lines).rstrip() + "\n"
    (arguments.results / "search.md").write_text(text)
    print(text)


def read_results(workdir: Path) -> dict[str, Any]:
    """What a task's `results.json` has, without what is the same for all, and how far the objective itself got.

    That is each strategy's `searched_after`: the mean over seeds of the best objective, by numbers of labels.
    """
    results = json.loads((workdir / "results.json").read_text())
    trials = pd.read_csv(workdir / "trajectories.csv")
    for name, strategy in results["strategies"].items():
        of_seed = trials[trials.strategy == name].pivot(index="labels", columns="seed", values="best_so_far").ffill()
        means = of_seed.to_numpy().mean(axis=1)  # a seed that has ended stays at its best
        strategy["searched_after"] = {n: float(means[min(int(n), len(means)) - 1]) for n in strategy["reported_after"]}
    return {name: value for name, value in results.items() if name not in ("config", "versions", "devices")}


if __name__ == "__main__":
    with command_line.ending("experiments.bench.search"):
        main()
