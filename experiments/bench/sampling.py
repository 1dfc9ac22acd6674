"""Samples of guided generation, beside what they should be and beside samplers without a generator.

    python -m experiments.bench.sampling --predictor=ofa_acc_predictor.npz

Writes experiments/results/sampling.md and sampling.json, by parts (--parts): `cells` is the default main job on
NAS-Bench-201 with other steps and moves; `free` and `bounded` are MobileNetV3, where once-for-all's accuracy predictor
is the truth. Every seed has its own labels and predictor; the score network of cells is learned once, for all of them.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging
from ml_collections import ConfigDict

from configs import nb201, ofa_mbv3
from experiments import command_line, runs
from experiments.bench import machine, sampling_tables
from experiments.compilation_cache import use_compilation_cache
from nag_jax.generators.contract import all_valid
from nag_jax.guidance.baselines import Baselines
from nag_jax.guidance.refine import Tilt
from nag_jax.reports import beside
from nag_jax.reports.generated import Truth, describe_values, known_truth
from nag_jax.settings.config import from_config
from nag_jax.tasks import build
from nag_jax.tasks.learn import Learned, Run, learn, make_sampler
from nag_jax.tasks.workdir import Workdir

PARTS = ("cells", "free", "bounded")
CURVE = [(steps, sweeps) for steps in (5, 10, 20) for sweeps in (0, 1, 2)]
"""Steps and sweeps of guided pools of cells."""
POOLS, SIZE = 8, 1000
"""Pools of cells, for the bins need more than one, and their size."""
BINS = 40
NETWORKS = 300
"""Size of the pools of MobileNetV3."""
BUDGET = "200e6 <= macs <= 220e6"
MOST_CALLS = 2**18
"""Baselines that take more predictions draw one pool, whose bins aren't compared."""


class Pool(NamedTuple):
    """What a sampler made, in so many predictions and seconds."""

    tokens: np.ndarray
    calls: int
    seconds: float


class Fitted(NamedTuple):
    """A run that has learned, and what its guidance aims at."""

    run: Run
    learned: Learned
    tilt: Tilt


def main() -> None:
    """Runs the parts and writes the tables."""
    arguments = parse()
    logging.set_verbosity(logging.WARNING)
    use_compilation_cache()
    measure = {
        "cells": lambda: each_seed(arguments, "cells", cells),
        "free": lambda: each_seed(arguments, "free", lambda workdir, seed: networks(arguments, seed, "")),
        "bounded": lambda: each_seed(arguments, "bounded", lambda workdir, seed: networks(arguments, seed, BUDGET)),
    }
    parts = {part: (f"--seeds {arguments.seeds}", measure[part]) for part in arguments.parts}
    command = "python -m experiments.bench.sampling --predictor=ofa_acc_predictor.npz"
    known = machine.keep_parts(arguments.results / "sampling.json", command, parts)
    text = "\n".join(["# Sampling", "", *sampling_tables.page(known)]).rstrip() + "\n"
    (arguments.results / "sampling.md").write_text(text)
    print(text)


def parse() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictor", type=Path, help="once-for-all's accuracy predictor, for free and bounded")
    parser.add_argument("--parts", nargs="*", choices=PARTS, help="default: all that have their file")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workdir", type=Path, default=Path("runs/bench/sampling"))
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    arguments = parser.parse_args()
    arguments.parts = arguments.parts or (PARTS if arguments.predictor else PARTS[:1])
    if arguments.predictor is None and set(arguments.parts) != {"cells"}:
        parser.error("the parts free and bounded need --predictor")
    return arguments


def fit(config: ConfigDict, path: Path) -> Fitted:
    """Learns what generation starts from, or restores it."""
    run = runs.prepare(config, path)
    tilt = build.make_guidance(run.config, run.predictor, run.objectives, run.constraints).tilt
    assert tilt is not None, "guidance by a predictor tells what it aims at"
    return Fitted(run, learn(run), tilt)


def guided(fitted: Fitted, config: ConfigDict, n: int, pools: int, **changes: Any) -> list[Pool]:
    """Guided pools with other fields of the config, which mustn't change what is learned."""
    config = config.copy_and_resolve_references()
    config.update_from_flattened_dict(changes)
    run, learned, _ = fitted
    run.config = from_config(config)
    sampler, found = make_sampler(run, guided=True), []
    sampler(run.key("compile"), n, learned.score_params, learned.guidance)
    for i in range(pools):
        start = time.perf_counter()
        samples = sampler(run.key(f"guided {i}"), n, learned.score_params, learned.guidance)
        seconds = time.perf_counter() - start
        found.append(
            Pool(samples.tokens[samples.valid], beside.guided_calls(run) * n // run.config.num_samples, seconds)
        )
    return found


def alone(fitted: Fitted, n: int, equal: int) -> Iterator[tuple[str, Callable[[int], Pool]]]:
    """Samplers without a generator: their name, and (number of a pool) -> the pool. Filtering takes `equal` calls."""
    run, learned, tilt = fitted
    baselines = Baselines(run.space, tilt, learned.guidance, n)

    def key(i):
        return run.key(f"baseline {i}")

    if run.space.listable:
        yield "exact tilt", lambda i: Pool(*baselines.exact(key(i)))
    for sweeps in (1, 3, 10) if run.space.listable else (1, 3):
        yield f"Gibbs from draws, {sweeps} sweeps", lambda i, s=sweeps: Pool(*baselines.gibbs(key(i), s))
    for draws in (64, 512) if run.space.listable else (64,):
        yield f"resampling {draws} draws", lambda i, d=draws: Pool(*baselines.resampled(key(i), d))
    yield "filtering, equal predictions", lambda i: Pool(*baselines.filtered(key(i), max(n, equal)))


def each_seed(
    arguments: argparse.Namespace, part: str, measure: Callable[[Path, int], dict[str, dict[str, float]]]
) -> list[dict[str, dict[str, float]]]:
    """What was measured for each seed, kept in the workdir, so that a stopped benchmark goes on."""
    found = []
    for seed in range(arguments.seeds):
        kept = Workdir(arguments.workdir)
        name = f"{part}{seed}.json"
        if not (arguments.workdir / name).exists():
            kept.write_json(name, measure(arguments.workdir, seed))
        found.append(json.loads((arguments.workdir / name).read_text()))
    return found


def cells(workdir: Path, seed: int) -> dict[str, dict[str, float]]:
    """The figures of every sampler of NAS-Bench-201."""
    config, exact = nb201.get_config(), nb201.get_config()
    config.seed = exact.seed = seed
    exact.generator.name = "exact"
    if seed:
        config.score.checkpoint = str(workdir / "cells0" / "score")
    learned, known = fit(config, workdir / f"cells{seed}"), fit(exact, workdir / f"exact{seed}")
    figures, rows = Figures(learned), {}
    samplers = [("guided", learned, config, figures, curve) for curve in CURVE]
    samplers += [("exact generator", known, exact, Figures(known), curve) for curve in ((20, 0), (5, 2))]
    for name, fitted, fields, described, (steps, sweeps) in samplers:
        changes = {"guidance.num_steps": steps, "sampler.refine.sweeps": sweeps}
        pools = guided(fitted, fields, SIZE, POOLS, **changes)
        rows[f"{name}, {steps} steps, {sweeps} sweeps"] = described.of(pools)
    for name, draw in alone(learned, SIZE, int(rows["guided, 5 steps, 2 sweeps"]["calls"])):
        pools = [draw(0)]
        pools += [draw(i) for i in range(1, POOLS if pools[0].calls <= MOST_CALLS else 1)]
        rows[name] = figures.of(pools)
    return rows


class Figures:
    """The figures of pools of a listable space whose true values are known."""

    def __init__(self, fitted: Fitted):
        self._run, self._learned, tilt = fitted
        truth = known_truth(self._run)
        assert isinstance(truth, Truth), "the evaluator has a table"
        self._truth = truth
        self._predictions = self._learned.predict(truth.tokens)
        weigh = jax.jit(lambda args, tokens: tilt.value(self._run.space.encode(tokens), args))  # pyright: ignore
        logs = np.asarray(weigh(self._learned.guidance, self._run.space.all_tokens()), np.float64)
        p = np.exp(logs - logs.max())
        values = self._learned.predict(self._run.space.all_tokens())
        self._edges = np.linspace(values[p > 1e-6].min(), values.max(), BINS + 1)
        self._expected = self._shares(values, p / p.sum())

    def _shares(self, values, weights=None) -> np.ndarray:
        inside = np.clip(values, self._edges[0], self._edges[-1])
        counts = np.histogram(inside, self._edges, weights=weights)[0]
        return counts / counts.sum()

    def of(self, pools: list[Pool]) -> dict[str, float]:
        """Means over pools; the total variation is that of all of them together."""
        values = [self._learned.predict(pool.tokens) for pool in pools]
        described = [describe_values(self._truth, all_valid(pool.tokens), self._predictions) for pool in pools]
        found = {
            "above": float(np.mean([(v > self._learned.guidance["target"]).mean() for v in values])),
            "distinct": float(np.mean([len(np.unique(pool.tokens, axis=0)) for pool in pools])),
            "mean": float(np.mean([d["value_mean"] for d in described])),
            "gap": float(np.mean([d["guidance_gap"] for d in described])),
            "seconds": min(pool.seconds for pool in pools),
            "calls": pools[0].calls,
        }
        if len(pools) == POOLS:
            found["variation"] = 0.5 * float(np.abs(self._shares(np.concatenate(values)) - self._expected).sum())
        return found


def networks(arguments: argparse.Namespace, seed: int, constraints: str) -> dict[str, dict[str, float]]:
    """The figures of every sampler of MobileNetV3 under these constraints."""
    config = ofa_mbv3.get_config()
    config.seed, config.constraints, config.generator.name = seed, constraints, "exact"
    config.evaluator.accuracy_file = str(arguments.predictor.resolve())
    fitted = fit(config, arguments.workdir / f"{'bounded' if constraints else 'free'}{seed}")
    run = fitted.run
    plain = {"guidance.num_steps": 80 if constraints else 10, "sampler.refine.trades": 0}
    draws = np.asarray(jax.jit(run.space.random, static_argnums=1)(run.key("draws"), 20_000))
    pools = {
        "random draws": Pool(draws, 0, 0.0),
        f"guided, {plain['guidance.num_steps']} steps": guided(fitted, config, NETWORKS, 1, **plain)[0],
        "guided, the config's steps and trades": (ours := guided(fitted, config, NETWORKS, 1)[0]),
    }
    pools |= {name: draw(0) for name, draw in alone(fitted, NETWORKS, ours.calls)}
    if constraints:
        baselines = Baselines(run.space, fitted.tilt, fitted.learned.guidance, NETWORKS)
        pools["filtering, four times as many"] = Pool(*baselines.filtered(run.key("many"), 4 * ours.calls))
    return {name: figures_of(fitted, pool) for name, pool in pools.items()}


def figures_of(fitted: Fitted, pool: Pool) -> dict[str, float]:
    """Of a pool of networks: the share within the constraints, and of those the share above and the mean accuracy."""
    run, learned, _ = fitted
    good = run.constraints.hold(pool.tokens)
    tokens = pool.tokens[good]
    accuracy, predictions = run.evaluator(tokens)["accuracy"], learned.predict(tokens)
    return {
        "feasible": float(good.mean()),
        "above": float((predictions > learned.guidance["target"]).mean()),
        "mean": float(np.mean(accuracy)),
        "correlation": float(np.corrcoef(predictions, accuracy)[0, 1]),
        "distinct": len(np.unique(tokens, axis=0)) / len(pool.tokens),
        "seconds": pool.seconds,
        "calls": pool.calls,
    }


if __name__ == "__main__":
    with command_line.ending("experiments.bench.sampling"):
        main()
