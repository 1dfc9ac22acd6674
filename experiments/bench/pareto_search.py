"""Benchmark of searches for fronts: hypervolume by labels, beside NSGA-II, NSGA-III and random search.

python -m experiments.bench.pareto_search --cells=nb201_cifar.csv --latencies=nb201_latency_ms.csv

NAS-Bench-201's CIFAR-10 validation error, Titan RTX latency and parameters, in the box of errors below 20 %. A label is
one of a cell, also of one that computes what another does, for their values differ. `front_bo` learns latencies from
100 measurements and from labelled cells, takes parameters from their formula, and labels ten at a time. NSGA-II and
NSGA-III are pymoo's, `pip install 'nag-jax[pymoo]'`, and MO-TPE is Optuna's, `pip install 'nag-jax[tpe]'`.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging

from experiments import command_line
from experiments.bench import machine, pareto
from experiments.bench.labelling import label_rows
from experiments.bench.pareto import PROBLEMS
from experiments.main import use_compilation_cache
from nag_jax import spaces
from nag_jax.objectives.fronts import measure
from nag_jax.reports import fronts as report
from nag_jax.reports.statistics import mean_interval
from nag_jax.settings import Front
from nag_jax.settings.config import from_config
from nag_jax.strategies import Domain, Strategy
from nag_jax.strategies.bo import bo
from nag_jax.strategies.front_bo import front_bo
from nag_jax.strategies.scalarized import scalarized
from nag_jax.system.extras import check_installed
from nag_jax.tasks import front
from nag_jax.tasks.front_run import Run
from nag_jax.tasks.workdir import Workdir

AT = (50, 100, 200, 500)
BATCH = 10
INITIAL = 20
_MOST_TRIALS = 4
"""Trials of TPE per label at most: it repeats cells more and more."""


def main() -> None:
    """Runs the strategies and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=Path, required=True, help="accuracies of all cells")
    parser.add_argument("--latencies", type=Path, required=True, help="latencies of all cells, row by row")
    parser.add_argument("--strategies", nargs="*", choices=list(STRATEGIES), default=list(STRATEGIES))
    parser.add_argument("--budget", type=int, default=AT[-1])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workdir", type=Path, default=Path("runs/bench/pareto_search"))
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    arguments = parser.parse_args()
    logging.set_verbosity(logging.WARNING)
    use_compilation_cache()
    parts = {
        name: (f"--budget {arguments.budget} --seeds {arguments.seeds}", lambda name=name: each_seed(arguments, name))
        for name in arguments.strategies
    }
    command = "python -m experiments.bench.pareto_search --cells=nb201_cifar.csv --latencies=nb201_latency_ms.csv"
    found = machine.keep_parts(arguments.results / "pareto_search.json", command, parts, flag="--strategies")
    made_by = [line for part in found.values() for line in machine.made_by(part["about"])]
    text = "\n".join(["# Searches for fronts", "", *table(found), *made_by]).rstrip() + "\n"
    (arguments.results / "pareto_search.md").write_text(text)
    print(text)


def each_seed(arguments: argparse.Namespace, name: str) -> list[dict[str, dict[str, float]]]:
    """Measures after so many labels, for each seed, kept in the workdir."""
    kept, found = Workdir(arguments.workdir), []
    config = pareto.make_config(PROBLEMS["cifar10"], *pareto.write_tables(arguments, PROBLEMS["cifar10"], kept))
    settings = from_config(config)
    assert isinstance(settings, Front), "its mode is front"
    run = front.check(settings, Workdir(arguments.workdir / "run"))
    truth = report.known_truth(run)
    assert truth is not None, "both tables are whole"
    for seed in range(arguments.seeds):
        file = f"{name}-{seed}.json"
        if not kept.holds(file):
            rows = STRATEGIES[name](run, truth, seed, arguments.budget)
            kept.write_json(file, {str(n): describe(truth, rows[:n]) for n in AT if n <= len(rows)})
        found.append(json.loads((arguments.workdir / file).read_text()))
    return found


def describe(truth: report.Truth, rows: np.ndarray) -> dict[str, float]:
    """Measures of labelled rows of the table."""
    reference = truth.values[truth.front]
    found = measure(truth.values[rows], truth.keys[rows], reference, truth.keys[truth.front], truth.box)
    return {"hypervolume_share": 100 * found.hypervolume_share, "coverage": found.coverage}


def table(found: dict[str, Any]) -> list[str]:
    """A row for each strategy: share of the table's hypervolume and coverage, mean and 95 % interval."""
    lines = ["| strategy, % of the table's hypervolume / coverage | " + " | ".join(f"{n} labels" for n in AT) + " |"]
    lines.append("|---" * (len(AT) + 1) + "|")
    for name, part in found.items():
        cells = []
        for n in AT:
            seeds = [seed[str(n)] for seed in part["found"] if str(n) in seed]
            if not seeds:
                cells.append("")
                continue
            volume = mean_interval([seed["hypervolume_share"] for seed in seeds])
            coverage = np.mean([seed["coverage"] for seed in seeds])
            cells.append(f"{volume.estimate:.1f} ± {volume.half_width:.1f} / {coverage:.2f}")
        lines.append(f"| {name} ({len(part['found'])} seeds) | " + " | ".join(cells) + " |")
    return [*lines, ""]


def random_rows(run: Run, truth: report.Truth, seed: int, budget: int) -> np.ndarray:
    """Random cells that differ."""
    return np.random.default_rng(seed).permutation(len(truth.keys))[:budget]


def by_front_bo(run: Run, truth: report.Truth, seed: int, budget: int) -> np.ndarray:
    """Rows that `front_bo` labels; latencies of 100 cells are measured before, and those of labelled cells after."""
    measured = np.random.default_rng(seed + 1000).choice(len(truth.tokens), 100, replace=False)
    latencies, params = (truth.tokens[measured], truth.values[measured, 1]), run.costs["params"]
    strategy = front_bo(
        domain_of(truth), known={2: lambda x: -params.relaxed(x)}, measured={1: latencies}, worst=run.worst
    )
    return search(strategy, run, truth, seed, budget)


def by_scalarized(run: Run, truth: report.Truth, seed: int, budget: int) -> np.ndarray:
    """Rows that Bayesian optimisation of weights drawn anew at every ask labels, as ParEGO."""
    return search(scalarized(bo(domain_of(truth))), run, truth, seed, budget)


class Cells(spaces.NASBench201):
    """The space where each cell is a label of its own, as for the peers, also if it computes what another does."""

    def canonical(self, tokens: np.ndarray) -> np.ndarray:
        """The cell's own number, int64 `[B]`."""
        return self.to_index(np.asarray(tokens))


def domain_of(truth: report.Truth) -> Domain:
    """The cells of the table; utilities are those of one objective."""
    rows_of = {row.tobytes() for row in truth.tokens}
    return Domain(Cells(), lambda tokens: np.array([row.tobytes() in rows_of for row in tokens]), lambda v: v[..., 0])


def search(strategy: Strategy, run: Run, truth: report.Truth, seed: int, budget: int) -> np.ndarray:
    """Rows that a strategy labels in batches, after a random design."""
    rows_of = {row.tobytes(): i for i, row in enumerate(truth.tokens)}
    return label_rows(
        strategy,
        jax.random.key(seed),
        random_rows(run, truth, seed, INITIAL),
        truth.tokens,
        truth.values,
        lambda tokens: np.array([rows_of[row.tobytes()] for row in tokens]),
        budget=budget,
        batch=BATCH,
    )


def by_mo_tpe(run: Run, truth: report.Truth, seed: int, budget: int) -> np.ndarray:
    """Rows that Optuna's TPE of several objectives labels; what it repeats is told again, and counts once."""
    check_installed("optuna", extra="tpe", needed_by="the peer mo_tpe")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    index = {row.tobytes(): i for i, row in enumerate(truth.tokens)}
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=INITIAL)
    study = optuna.create_study(directions=["maximize"] * truth.values.shape[1], sampler=sampler)
    edges = [f"edge_{i}" for i in range(6)]
    choices: Any = {edge: optuna.distributions.CategoricalDistribution(range(5)) for edge in edges}
    space: Any = run.space
    seen: dict[int, None] = {}
    for _ in range(_MOST_TRIALS * budget):
        if len(seen) >= budget:
            break
        trial = study.ask(choices)
        tokens = np.ascontiguousarray(space.from_ops(np.array([[trial.params[edge] for edge in edges]])), np.int32)
        row = index.get(tokens[0].tobytes())
        if row is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            seen[row] = None
            study.tell(trial, truth.values[row].tolist())
    return np.array(list(seen))


def by_pymoo(name: str) -> Callable[[Run, report.Truth, int, int], np.ndarray]:
    """Rows that an evolutionary algorithm of pymoo labels, its true values of all objectives known once labelled."""

    def rows_of(run: Run, truth: report.Truth, seed: int, budget: int) -> np.ndarray:
        check_installed("pymoo", extra="pymoo", needed_by=f"the peer {name}")
        from pymoo.core.problem import Problem
        from pymoo.operators.crossover.ux import UX
        from pymoo.operators.repair.rounding import RoundingRepair
        from pymoo.operators.sampling.rnd import IntegerRandomSampling

        index = {row.tobytes(): i for i, row in enumerate(truth.tokens)}
        seen: dict[int, None] = {}
        low = truth.values.min(axis=0)
        width = truth.values.max(axis=0) - low
        space: Any = run.space

        class Cells(Problem):
            def __init__(self):
                super().__init__(n_var=6, n_obj=len(low), xl=0, xu=4, vtype=int)

            def _evaluate(self, x, out, *args, **kwargs):
                tokens = np.ascontiguousarray(space.from_ops(np.asarray(x, int)), np.int32)
                rows = np.array([index.get(row.tobytes(), -1) for row in tokens])
                for row in rows[rows >= 0]:
                    seen[int(row)] = None
                out["F"] = np.where((rows >= 0)[:, None], 1 - (truth.values[rows] - low) / width, 2.0)

        algorithm = _algorithm(name, UX, RoundingRepair, IntegerRandomSampling, len(low))
        algorithm.setup(Cells(), seed=seed, verbose=False)
        for _ in range(100 * budget):
            if len(seen) >= budget or not algorithm.has_next():
                break
            algorithm.next()
        return np.array(list(seen))[:budget]

    return rows_of


def _algorithm(name: str, crossover: Any, repair: Any, sampling: Any, num_objectives: int) -> Any:
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.algorithms.moo.nsga3 import NSGA3
    from pymoo.core.mutation import Mutation
    from pymoo.util.ref_dirs import get_reference_directions

    class Reset(Mutation):
        """Another operation for each edge with a chance of one in six."""

        def _do(self, problem, X, **kwargs):
            rng: Any = kwargs["random_state"]
            chosen = rng.random(X.shape) < 1 / X.shape[1]
            return np.where(chosen, (X + rng.integers(1, 5, X.shape)) % 5, X)

    options: dict[str, Any] = {
        "pop_size": 20,
        "sampling": sampling(),
        "crossover": crossover(prob=0.9, repair=repair()),
        "mutation": Reset(),
        "eliminate_duplicates": True,
    }
    if name == "nsga2":
        return NSGA2(**options)
    options["pop_size"] = 21
    return NSGA3(get_reference_directions("das-dennis", num_objectives, n_partitions=5), **options)


STRATEGIES: dict[str, Callable[[Run, report.Truth, int, int], np.ndarray]] = {
    "front_bo": by_front_bo,
    "parego": by_scalarized,
    "mo_tpe": by_mo_tpe,
    "nsga2": by_pymoo("nsga2"),
    "nsga3": by_pymoo("nsga3"),
    "random": random_rows,
}


if __name__ == "__main__":
    with command_line.ending("experiments.bench.pareto_search"):
        main()
