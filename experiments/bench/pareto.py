"""Benchmark of fronts: pools that cover several objectives, beside the oracle, other rules and samplers without models.

python -m experiments.bench.pareto --cells=nb201_cifar.csv --latencies=nb201_latency_ms.csv

NAS-Bench-201: validation error, latency and parameters, from 200 labels and 100 latencies. `--cells` is a CSV file with
the columns `arch`, `cifar10_valid_acc` and `cifar100_valid_acc`, `--latencies` one with a column per device, a row for
each row of the other; latencies below 0.1 ms are outliers and left out. Pools of 1,000 are valued by the tables alone.
The best of 20 linear sums is chosen by the report itself, which no user could do.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from absl import logging
from ml_collections import ConfigDict

from configs import nb201_pareto
from experiments import command_line, runs
from experiments.bench import machine, sampling_tables
from experiments.main import use_compilation_cache
from nag_jax.generators.contract import Samples, all_valid
from nag_jax.reports import fronts as report
from nag_jax.tasks import front
from nag_jax.tasks.front_run import Run
from nag_jax.tasks.workdir import Workdir

LEAST_LATENCY = 0.1
"""In ms; what is below is an outlier of the table."""
SUMS = 20
"""Linear sums of which the best is shown: ten weights, two strengths."""


class Problem(NamedTuple):
    """Objectives of NAS-Bench-201.

    Attributes:
        title: what stands above the table.
        accuracy: the column of `--cells` that is searched.
        least: the least accuracy that counts.
        devices: the columns of `--latencies`.
    """

    title: str
    accuracy: str
    least: float
    devices: tuple[str, ...]


PROBLEMS = {
    "cifar10": Problem("CIFAR-10, Titan RTX, parameters", "cifar10_valid_acc", 80.0, ("titan_rtx_32",)),
    "cifar100": Problem("CIFAR-100, Gold 6226, parameters", "cifar100_valid_acc", 50.0, ("gold_6226",)),
    "five": Problem(
        "CIFAR-10, Titan RTX, pixel3, FPGA, parameters", "cifar10_valid_acc", 0.0, ("titan_rtx_32", "pixel3", "fpga")
    ),
}
COLUMNS = {
    "hypervolume, % of the table's": ("hypervolume_share", 2),
    "coverage": ("coverage", 3),
    "IGD+": ("igd_plus", 4),
    "epsilon": ("epsilon", 3),
    "classes": ("distinct_canonical", 0),
    "distinct": ("distinct", 0),
    "seconds": ("seconds", 2),
}


def main() -> None:
    """Runs the parts and writes the tables."""
    arguments = parse()
    logging.set_verbosity(logging.WARNING)
    use_compilation_cache()
    parts = {
        part: (f"--seeds {arguments.seeds}", lambda part=part: each_seed(arguments, part)) for part in arguments.parts
    }
    command = "python -m experiments.bench.pareto --cells=nb201_cifar.csv --latencies=nb201_latency_ms.csv"
    known = machine.keep_parts(arguments.results / "pareto.json", command, parts)
    tables = {
        part: (f"Pools of 1,000: {problem.title}", lambda found: sampling_tables.table(found, COLUMNS))
        for part, problem in PROBLEMS.items()
    }
    text = "\n".join(["# Fronts", "", *machine.sections(known, tables)]).rstrip() + "\n"
    (arguments.results / "pareto.md").write_text(text)
    print(text)


def parse() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=Path, required=True, help="accuracies of all cells")
    parser.add_argument("--latencies", type=Path, required=True, help="latencies of all cells, row by row")
    parser.add_argument("--parts", nargs="*", choices=list(PROBLEMS), default=list(PROBLEMS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workdir", type=Path, default=Path("runs/bench/pareto"))
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    return parser.parse_args()


def each_seed(arguments: argparse.Namespace, part: str) -> list[dict[str, dict[str, float]]]:
    """What was measured for each seed, kept in the workdir, so that a stopped benchmark goes on."""
    problem, kept, found = PROBLEMS[part], Workdir(arguments.workdir), []
    config = make_config(problem, *write_tables(arguments, problem, kept))
    for seed in range(arguments.seeds):
        name = f"{part}-{seed}.json"
        if not kept.holds(name):
            config.seed = seed
            kept.write_json(name, pools(runs.prepare(config, arguments.workdir / f"{part}-{seed}")))
        found.append(json.loads((arguments.workdir / name).read_text()))
    return found


def write_tables(arguments: argparse.Namespace, problem: Problem, kept: Workdir) -> tuple[Path, Path]:
    """The tables of accuracies and of latencies, as the evaluators read them."""
    cells, latencies = pd.read_csv(arguments.cells), pd.read_csv(arguments.latencies)
    measured = latencies[list(problem.devices)]
    accurate = cells[["arch", problem.accuracy]]
    measured = measured.assign(arch=cells["arch"])[(measured >= LEAST_LATENCY).all(axis=1)]
    return (
        kept.write(f"{problem.accuracy}.csv", lambda path: accurate.to_csv(path, index=False)),
        kept.write(f"{'_'.join(problem.devices)}.csv", lambda path: measured.to_csv(path, index=False)),
    )


def make_config(problem: Problem, cells: Path, latencies: Path) -> ConfigDict:
    """The default config of fronts, with the problem's objectives."""
    config = nb201_pareto.get_config()
    config.evaluator.name = config.measure.name = "table"
    config.evaluator.path, config.evaluator.metric = str(cells.resolve()), problem.accuracy
    config.measure.path, config.measure.metric = str(latencies.resolve()), problem.devices[0]
    config.measure.metrics = ", ".join(f"{device}:min:ms" for device in problem.devices[1:])
    config.objectives = (problem.accuracy, *problem.devices, "params")
    config.aims.bounds = f"{problem.accuracy} >= {problem.least:g}"
    return config


def pools(run: Run) -> dict[str, dict[str, float]]:
    """The figures of every sampler of one seed."""
    learned, truth = front.learn(run), report.known_truth(run)
    assert truth is not None, "both tables are whole"
    outcome = front.Fronts(
        run, learned, {}, np.zeros((0, run.space.width), np.int32), np.zeros((0, len(run.metrics))), truth.box
    )
    config = run.config

    def describe(samples: Samples, seconds: float | None = None) -> dict[str, Any]:
        found = report.describe(outcome, truth, samples)
        found["hypervolume_share"] *= 100
        return {key: found.get(key) for key, _ in COLUMNS.values()} | {"seconds": seconds}

    rows = {"random": describe(all_valid(np.asarray(run.space.random(run.key("random"), config.num_samples))))}
    for rule in ("achievement", "epsilon_constraint"):
        sample = sampler_of(run, learned, rule)
        sample()
        start = time.perf_counter()
        rows[f"guided, {rule.replace('_', ' ')}"] = describe(sample(), time.perf_counter() - start)
    sums = [describe(samples) for samples in linear_sums(run, learned)]
    rows[f"best of {SUMS} linear sums"] = max(sums, key=lambda each: each["coverage"])
    set_rule(run, "achievement")
    rows |= {name: describe(samples) for name, samples in report.oracle(outcome).items()}
    return rows | {"exhaustive, by accuracy": describe(most_accurate(run, learned))}


def set_rule(run: Run, rule: str) -> None:
    """Changes what the pools of a run aim at, which changes nothing of what it learned."""
    aims = dataclasses.replace(run.config.aims, rule=rule)
    run.config = dataclasses.replace(run.config, aims=aims)


def sampler_of(run: Run, learned: front.Learned, rule: str) -> Callable[[], Samples]:
    """Draws a pool by a rule."""
    set_rule(run, rule)
    sampler = front.make_sampler(run, learned.known)
    args = front.aim_at(run, learned.known, learned.reference, learned.spread)
    return lambda: sampler(run.key("guided 0"), run.config.num_samples, learned.score_params, args)


def linear_sums(run: Run, learned: front.Learned) -> list[Samples]:
    """A pool for each of some fixed weights and strengths, as POMONAG has two of them."""
    set_rule(run, "linear_sum")
    sampler, rng = front.make_sampler(run, learned.known), np.random.default_rng(0)
    args = front.aim_at(run, learned.known, learned.reference, learned.spread)
    unit = np.abs(args["aims"]).max(axis=0)
    found = []
    for weights in rng.dirichlet(np.ones(len(unit)), SUMS // 2):
        for scale in (20.0, 60.0):
            given = args | {"aims": np.tile(weights * unit, (len(args["aims"]), 1)).astype(np.float32)}
            given["scale"] = np.float32(scale)
            found.append(sampler(run.key("guided 0"), run.config.num_samples, learned.score_params, given))
    return found


def most_accurate(run: Run, learned: front.Learned) -> Samples:
    """The half as many architectures that the model of the first objective ranks highest."""
    every = run.space.all_tokens()
    best = np.argsort(-learned.known.values(every)[:, 0], kind="stable")
    return all_valid(every[best[: run.config.num_samples // 2]])


if __name__ == "__main__":
    with command_line.ending("experiments.bench.pareto"):
        main()
