"""Benchmark of studies: labels to the optimum by several workers, the time that they stand still, and replies.

Run:  python -m experiments.bench.workers
      python -m experiments.bench.workers --parts labels --strategies bo_nag --seeds 5

Labels are counted on NAS-Bench-201's table with a clock of its own: each of the workers takes a heavy-tailed time for a
trial, and a worker that is free gets the next architecture, with all others pending. Wall time is that of threads which
sleep for such times. Replies are those of a service in this process, to lines of JSON, once each method has been called
and with a label between any two rounds. All is written to experiments/results/workers.json and workers.md.
"""

import argparse
import heapq
import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import nag_jax as nag
from experiments.bench import machine
from nag_jax.evaluators import Evaluator
from nag_jax.settings import Search
from nag_jax.settings.score import Generator
from nag_jax.settings.search import STRATEGIES, Loop
from nag_jax.studies.serving import open_service
from nag_jax.system.fields import to_dict
from nag_jax.tasks.workdir import Workdir

WORKERS = 8
SIGMA = 1.0
"""Of the logarithm of a trial's time: one in a hundred takes ten times as long as the median."""
MOST_LABELS = 200
"""Where a search that hasn't found the optimum ends; it counts as that many."""
WALL_TRIALS, MEAN_SECONDS = 400, 0.5
PARTS = ("labels", "wall", "replies")


def labels_to_optimum(evaluator: Evaluator, strategy: str, seed: int, workers: int, best: float) -> int:
    """How many labels are told until the table's best is among them."""
    block = to_dict(STRATEGIES[strategy])
    options = {name: value for name, value in block.items() if name not in ("name", "prior", "initial")}
    times, clock, order = np.random.default_rng(seed), 0.0, itertools.count()
    running: list[tuple[float, int, Any]] = []
    with nag.study(
        "nasbench201", evaluator=evaluator, strategy=block["name"], seed=seed, progress=False, **options
    ) as study:
        while len(study.trials) < MOST_LABELS:
            while len(running) < workers:
                (proposal,) = study.ask()
                heapq.heappush(running, (clock + times.lognormal(0.0, SIGMA), next(order), proposal))
            clock, _, proposal = heapq.heappop(running)
            values = evaluator(evaluator.space.from_native([proposal.architecture]))
            trial = study.tell(proposal, {name: float(column[0]) for name, column in values.items()})
            if study.objectives.of_each([trial.values])[0, 0] >= best:
                break
        return len(study.trials)


def compare_labels(strategies: list[str], seeds: int) -> dict[str, Any]:
    """Labels to the optimum with one worker and with several, by strategy."""
    space = nag.space("nasbench201")
    evaluator = nag.evaluator("analog_nasbench", space)
    best = float(evaluator(space.all_tokens())["baseline"].max())
    found = {}
    for name in strategies:
        counts = {
            workers: [labels_to_optimum(evaluator, name, seed, workers, best) for seed in range(seeds)]
            for workers in (1, WORKERS)
        }
        means = {workers: float(np.mean(of_seeds)) for workers, of_seeds in counts.items()}
        found[name] = {
            "labels": {str(workers): of_seeds for workers, of_seeds in counts.items()},
            "mean": {str(workers): round(mean, 2) for workers, mean in means.items()},
            "ratio": round(means[WORKERS] / means[1], 3),
        }
        print(f"{name}: {found[name]['mean']} labels, ratio {found[name]['ratio']}", flush=True)
    return found


def measure_wall(strategy: str, seed: int = 0) -> dict[str, float]:
    """Wall time of workers that sleep, against the sum of their sleeps over the number of workers."""
    slept: list[float] = []
    draws = iter(np.random.default_rng(seed).lognormal(0.0, SIGMA, WALL_TRIALS) * MEAN_SECONDS / np.exp(SIGMA**2 / 2))

    def train(architecture: str) -> float:
        seconds = float(next(draws))
        time.sleep(seconds)
        slept.append(seconds)
        return float(architecture.count("nor_conv_3x3"))

    with (
        nag.study("nasbench201", objectives={"convolutions": "max"}, strategy=strategy, progress=False) as study,
        ThreadPoolExecutor(WORKERS) as pool,
    ):
        study.optimize(train, 2 * WORKERS, executor=pool, workers=WORKERS)  # compiles
        slept.clear()
        began = time.perf_counter()
        study.optimize(train, WALL_TRIALS, executor=pool, workers=WORKERS)
        wall = time.perf_counter() - began
    ideal = sum(slept) / WORKERS
    found = {"trials": len(slept), "wall": round(wall, 2), "ideal": round(ideal, 2), "ratio": round(wall / ideal, 3)}
    print(f"{strategy}: {found}", flush=True)
    return found


def measure_replies(strategy: str, rounds: int) -> dict[str, list[float]]:
    """Milliseconds until a reply, and those of processors, medians of all rounds but the first, by what is asked."""
    generator, loop = Generator(name="exact"), Loop(budget=11 + rounds)
    config = Search(generator=generator, seeds=1, search=loop, run=(strategy,))
    seconds: dict[str, list[tuple[float, float]]] = {}
    with TemporaryDirectory() as folder, open_service(config, Workdir(Path(folder) / "run")) as service:

        def call(method: str, name: str = "", **params: Any) -> Any:
            line = json.dumps({"method": method, "params": params})
            began = time.perf_counter(), time.process_time()
            reply = service.reply(line)
            seconds.setdefault(name or method, []).append(
                (time.perf_counter() - began[0], time.process_time() - began[1])
            )
            return json.loads(reply)["result"]

        asked = [proposal["architecture"] for proposal in call("ask", "initial design", n=10)]
        call("evaluate", architectures=asked)
        for _ in range(1 + rounds):
            asked = [proposal["architecture"] for proposal in call("ask", "ask for 10", n=10)]
            call("evaluate", architectures=asked[:1])
            call("predict", "predict 10, the first after a label", architectures=asked)
            call("predict", "predict 10", architectures=asked)
            call("check", "check 10", architectures=asked)
            call("best", "best 10", n=10)
    found = {
        name: np.round(1000 * np.median(times[1:], axis=0), 2).tolist()
        for name, times in seconds.items()
        if len(times) > 1
    }
    print(f"{strategy}: {found}", flush=True)
    return found


def write(path: Path, known: dict[str, Any]) -> None:
    """Writes the page of all parts that are known."""
    tables = {
        "labels": (f"Labels to the optimum with {WORKERS} workers", _labels),
        "wall": ("Time that workers stand still", _wall),
        "replies": ("Milliseconds until a reply", _replies),
    }
    path.write_text("\n".join(["# Studies by several workers", "", *machine.sections(known, tables)]).rstrip() + "\n")


def _labels(found: dict[str, Any]) -> list[str]:
    rows = [
        f"| {name} | {len(of['labels']['1'])} | {of['mean']['1']} | {of['mean'][str(WORKERS)]} | {of['ratio']} |"
        for name, of in found.items()
    ]
    return [f"| strategy | seeds | one worker | {WORKERS} workers | ratio |", "|---|---|---|---|---|", *rows]


def _wall(found: dict[str, Any]) -> list[str]:
    return [
        f"| trials | seconds | of all trials, over {WORKERS} | ratio |",
        "|---|---|---|---|",
        f"| {found['trials']} | {found['wall']} | {found['ideal']} | {found['ratio']} |",
    ]


def _replies(found: dict[str, Any]) -> list[str]:
    names = list(next(iter(found.values())))
    rows = [
        f"| {strategy} | {' | '.join(f'{of[name][0]} ({of[name][1]})' for name in names)} |"
        for strategy, of in found.items()
    ]
    about = "In brackets those of processors, which other programs on the machine don't add to."
    return [about, "", f"| strategy | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|", *rows]


def main() -> None:
    """Runs the parts, and keeps what they found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--strategies", nargs="+", default=["bo_random_and_mutation"], help="of config.strategies")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=20, help="of replies, each with a label of its own")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results" / "workers.json")
    given = parser.parse_args()
    arguments = f"--strategies {' '.join(given.strategies)} --seeds {given.seeds}"
    parts = {
        "labels": (arguments, lambda: compare_labels(given.strategies, given.seeds)),
        "wall": ("", lambda: measure_wall("regularized_evolution")),
        "replies": (
            f"--strategies {' '.join(given.strategies)} --rounds {given.rounds}",
            lambda: {name: measure_replies(name, given.rounds) for name in given.strategies},
        ),
    }
    known = machine.keep_parts(
        given.out, "python -m experiments.bench.workers", {part: parts[part] for part in given.parts}
    )
    write(given.out.with_suffix(".md"), known)


if __name__ == "__main__":
    main()
