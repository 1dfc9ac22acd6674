"""What searches are made of, chosen on many tables: surrogates, labels, acquisitions and initial designs.

    python -m experiments.bench.suite --data=../shared/data
    python -m experiments.bench.suite --data=../shared/data --spaces nats_size --choices log_ei ucb --seeds 2

Choices are compared on the tasks of `suite_tasks`, by the maximiser `exhaustive`, so that what they believe is compared
and not how well candidates are found; peers are strategies of other kinds, at the same labels. Each choice of each
space is kept in --workdir, so that a stopped benchmark goes on, and so that a choice can be added. Writes
experiments/results/suite.md and suite.json.

A GPU runs all searches of a space at once; on two cores one choice takes about two hours with six seeds. --jobs are
processes, each with its own share of what is left to do; --deadline ends them after so many seconds.
"""

import argparse
import multiprocessing
import os
import queue
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging

from experiments import command_line
from experiments.bench import machine, suite_peers, suite_search, suite_tables, suite_tasks
from experiments.bench.suite_search import Choice
from experiments.compilation_cache import use_compilation_cache
from nag_jax.tasks.workdir import Workdir

_NOISE = {"noise": 0.1}
CHOICES = {
    "log_ei": Choice(),
    "ucb": Choice(acquisition="ucb"),
    "ucb, normal": Choice(acquisition="ucb", labels="normal"),
    "ucb, noise .1": Choice(acquisition="ucb", options=_NOISE),
    "ucb, normal, noise .1": Choice(acquisition="ucb", labels="normal", options=_NOISE),
    "ucb, finer": Choice(acquisition="ucb", finer=True),
    "ucb, finer, normal": Choice(acquisition="ucb", finer=True, labels="normal"),
    "ucb, 5 first": Choice(acquisition="ucb", initial=5),
    "ucb, normal, 5 first": Choice(acquisition="ucb", labels="normal", initial=5),
    "log_ei over the mean": Choice(incumbent="mean"),
    "log_ei over the mean, normal, noise .1": Choice(labels="normal", incumbent="mean", options=_NOISE),
    "ucb 3": Choice(acquisition="ucb", acquisition_options={"beta": 3.0}),
    "ucb 1": Choice(acquisition="ucb", acquisition_options={"beta": 1.0}),
    "log_ei, normal": Choice(labels="normal"),
    "log_ei, 5 first": Choice(initial=5),
    "log_ei, finer": Choice(finer=True),
    "its": Choice(acquisition="its"),
    "pi": Choice(acquisition="pi"),
    "log_ei, 20 first": Choice(initial=20),
    "log_ei, z": Choice(labels="z"),
}
"""The first is what strategies had before there was a suite."""
CHOSEN = "ucb, noise .1"
"""What they have now."""


def main() -> None:
    """Runs what isn't kept yet and writes the tables."""
    arguments = parse()
    logging.set_verbosity(logging.WARNING)
    left = [each for each in wanted(arguments) if not kept_at(arguments, *each).exists()]
    if left:
        run(arguments, left)
    files = {
        each: dict(np.load(kept_at(arguments, *each)))
        for each in wanted(arguments)
        if kept_at(arguments, *each).exists()
    }
    about = machine.describe(
        f"python -m experiments.bench.suite --data=../shared/data --seeds={arguments.seeds} "
        f"--peer_seeds={arguments.peer_seeds} --budget={arguments.budget}"
    )
    found = suite_tables.scores(files)
    on = sorted({str(file["on"]) for file in files.values()})
    arguments.results.mkdir(parents=True, exist_ok=True)
    Workdir(arguments.results).write_json(
        "suite.json", {"about": about, "on": on, "scores": found.round(5).to_dict("list")}
    )
    heading = [*machine.heading("A suite of searches", about), f"Searched on {'; '.join(on)}.", ""]
    peers = (next(iter(CHOICES)), *arguments.peers)
    text = "\n".join([*heading, *suite_tables.page(found, chosen=CHOSEN, peers=peers)]).rstrip() + "\n"
    (arguments.results / "suite.md").write_text(text)
    print(text)


def parse() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the tables")
    parser.add_argument("--spaces", nargs="*", choices=list(suite_tasks.SPACES), default=list(suite_tasks.SPACES))
    parser.add_argument("--choices", nargs="*", choices=list(CHOICES), default=list(CHOICES))
    parser.add_argument("--peers", nargs="*", choices=suite_peers.PEERS, default=list(suite_peers.PEERS))
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--peer_seeds", type=int, default=3, help="of the peers, each of whose searches runs alone")
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--deadline", type=float, default=float("inf"), help="seconds after which they end")
    parser.add_argument("--workdir", type=Path, default=Path("runs/bench/suite"))
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    return parser.parse_args()


def wanted(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """What is to be known: spaces and choices or peers."""
    return [(space, name) for name in (*arguments.choices, *arguments.peers) for space in arguments.spaces]


def kept_at(arguments: argparse.Namespace, space: str, name: str) -> Path:
    """Where the searches of a space by a choice or peer are kept."""
    return arguments.workdir / f"{space}, {name}, {seeds_of(arguments, name)} x {arguments.budget}.npz"


def seeds_of(arguments: argparse.Namespace, name: str) -> int:
    """The seeds of a choice or peer."""
    return arguments.seeds if name in CHOICES else arguments.peer_seeds


def run(arguments: argparse.Namespace, left: list[tuple[str, str]]) -> None:
    """Runs searches in processes of their own, and ends those that aren't done by the deadline."""
    arguments.workdir.mkdir(parents=True, exist_ok=True)
    context, end = multiprocessing.get_context("spawn"), time.monotonic() + arguments.deadline
    waiting = context.Queue()
    for each in left:
        waiting.put(each)
    workers = [context.Process(target=work, args=(arguments, waiting)) for _ in range(arguments.jobs)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers) and time.monotonic() < end:
        time.sleep(1.0)
    for worker in workers:
        worker.terminate()
    waiting.cancel_join_thread()


def work(arguments: argparse.Namespace, waiting: multiprocessing.Queue) -> None:
    """Takes what is waiting, one after another, and keeps what was found."""
    use_compilation_cache()
    tasks_of = {}
    while True:
        try:
            space, name = waiting.get(timeout=5.0)
        except queue.Empty:
            return
        started = time.monotonic()
        if space not in tasks_of:
            tasks_of[space] = suite_tasks.make(space, arguments.data)
        measure(arguments, space, name, tasks_of[space])
        print(f"{space}, {name}: {time.monotonic() - started:.0f} s", flush=True)


def measure(arguments: argparse.Namespace, space: str, name: str, tasks: dict[str, suite_tasks.Task]) -> None:
    """Searches all tasks of a space with all seeds, and keeps the regrets."""
    where = suite_tasks.listed(space, arguments.data)
    seeds = seeds_of(arguments, name)
    names = [task for task in tasks for _ in range(seeds)]
    given = where, [tasks[task] for task in names], [*range(seeds)] * len(tasks)
    if name in CHOICES:
        found = suite_search.search(*given, CHOICES[name], arguments.budget)
    else:
        found = suite_peers.search(*given, name, arguments.budget)
    observed = np.stack([task.observed[rows] for task, rows in zip(given[1], found.rows, strict=True)])
    best = suite_search.running_best(found.rows, observed)
    regrets = {
        column: np.stack([task.regret(each) for task, each in zip(given[1], rows, strict=True)]).astype(np.float32)
        for column, rows in {"met": found.rows, "best": best, "recommended": found.recommended}.items()
    }
    path = kept_at(arguments, space, name)
    families = [tasks[task].family for task in names]
    part = path.with_name(f".{os.getpid()}.npz")
    on = f"{jax.devices()[0].device_kind}, JAX {jax.__version__}"
    kept: dict[str, Any] = {"tasks": np.array(names), "families": np.array(families), "on": np.array(on), **regrets}
    np.savez_compressed(part, **kept)
    part.replace(path)


if __name__ == "__main__":
    with command_line.ending("experiments.bench.suite"):
        main()
