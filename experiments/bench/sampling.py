"""Samples of guided generation, beside what they should be and beside samplers without a generator.

    python -m experiments.bench.sampling --predictor=ofa_acc_predictor.npz

Writes experiments/results/sampling.md and sampling.json, by parts (--parts): `cells` is the default main job on
NAS-Bench-201 with other steps and moves, `rare` the same for the best 0.2 % of it, `completion` with half of the nodes
fixed; `free` and `bounded` are MobileNetV3, where once-for-all's accuracy predictor is the truth. Every seed has its
own labels and predictor; the score network of cells is learned once, for all of them.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging
from ml_collections import ConfigDict

from configs import nb201, ofa_mbv3
from experiments import command_line, runs
from experiments.bench import machine, sampling_tables
from experiments.bench.sampling_figures import (
    POOLS,
    Figures,
    Fitted,
    Pool,
    conditional,
    figures_of,
    shares_of,
    variation,
)
from experiments.compilation_cache import use_compilation_cache
from nag_jax import spaces
from nag_jax.guidance.baselines import Baselines
from nag_jax.reports import beside
from nag_jax.settings.config import from_config
from nag_jax.spaces.capabilities import num_distinct
from nag_jax.tasks import build
from nag_jax.tasks.learn import learn, make_sampler
from nag_jax.tasks.workdir import Workdir

PARTS = ("cells", "rare", "completion", "free", "bounded")
NEEDS_PREDICTOR = PARTS[3:]
CURVE = [(steps, sweeps) for steps in (5, 10, 20) for sweeps in (0, 1, 2)]
"""Steps and sweeps of guided pools of cells."""
SIZE = 1000
"""Size of the pools of cells."""
RARE = 0.002
"""The share of NAS-Bench-201 that `rare` aims at: 31 cells."""
COMPLETED, LABELS = 100_000, 20
"""Samples of `completion`, so many that its 125 cells can be told apart, and labels, fewer than it has cells."""
NETWORKS = 300
"""Size of the pools of MobileNetV3."""
BUDGET = "200e6 <= macs <= 220e6"
MOST_CALLS = 2**18
"""Baselines that take more predictions draw one pool, whose bins aren't compared."""


def main() -> None:
    """Runs the parts and writes the tables."""
    arguments = parse()
    logging.set_verbosity(logging.WARNING)
    use_compilation_cache()
    measure = {
        "cells": lambda: each_seed(arguments, "cells", cells),
        "rare": lambda: each_seed(arguments, "rare", rare),
        "completion": lambda: each_seed(arguments, "completion", completion),
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
    arguments.parts = arguments.parts or [p for p in PARTS if arguments.predictor or p not in NEEDS_PREDICTOR]
    if arguments.predictor is None and set(arguments.parts) & set(NEEDS_PREDICTOR):
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
    return cells_of(workdir, "cells", seed, {}, CURVE)


def rare(workdir: Path, seed: int) -> dict[str, dict[str, float]]:
    """The same for a share that holds so few cells that pools find each of them many times."""
    return cells_of(workdir, "rare", seed, {"guidance.top_share": RARE}, ((20, 0), (20, 1), (5, 2)))


def cells_of(
    workdir: Path, part: str, seed: int, changes: dict[str, Any], curve: Sequence[tuple[int, int]]
) -> dict[str, dict[str, float]]:
    """The figures of every sampler of NAS-Bench-201 with changed fields, guided ones with these steps and sweeps."""
    config, exact = cells_config(workdir, part, seed, changes), cells_config(None, part, seed, changes)
    learned, known = fit(config, workdir / f"{part}{seed}"), fit(exact, workdir / f"exact_{part}{seed}")
    figures, rows = Figures(learned), {}
    samplers = [("guided", learned, config, figures, point) for point in curve]
    samplers += [("exact generator", known, exact, Figures(known), point) for point in ((20, 0), (5, 2))]
    for name, fitted, fields, described, (steps, sweeps) in samplers:
        moves = {"guidance.num_steps": steps, "sampler.refine.sweeps": sweeps}
        pools = guided(fitted, fields, SIZE, POOLS, **moves)
        rows[f"{name}, {steps} steps, {sweeps} sweeps"] = described.of(pools)
    for name, draw in alone(learned, SIZE, int(rows["guided, 5 steps, 2 sweeps"]["calls"])):
        pools = [draw(0)]
        pools += [draw(i) for i in range(1, POOLS if pools[0].calls <= MOST_CALLS else 1)]
        rows[name] = figures.of(pools)
    return rows


def cells_config(workdir: Path | None, part: str, seed: int, changes: dict[str, Any]) -> ConfigDict:
    """The default main job with changed fields; with the exact generator where there is no workdir.

    All share the score network of the first seed of `cells`, which is learned where it isn't there yet.
    """
    config = nb201.get_config()
    config.seed = seed
    config.update_from_flattened_dict(changes)
    if workdir is None:
        config.generator.name = "exact"
    elif (part, seed) != ("cells", 0):
        score = workdir / "cells0" / "score"
        if not score.exists():
            fit(nb201.get_config(), workdir / "cells0")
        config.score.checkpoint = str(score)
    return config


def completion(workdir: Path, seed: int) -> dict[str, dict[str, float]]:
    """How cells with half of their nodes fixed are distributed, against the exact conditional of prior and tilt."""
    rng = np.random.default_rng(seed)
    nodes, classes, fixed = half_fixed(rng)
    changes = {"choices.fixed": fixed, "labels.training": LABELS, "labels.final": 1}
    rows = {}
    for name, place in (("learned", workdir), ("exact generator", None)):
        config = cells_config(place, "completion", seed, changes)
        fitted = fit(config, workdir / f"completion_{name.split()[0]}{seed}")
        every = fitted.run.space.all_tokens()
        for guide in (False, True):
            p = conditional(fitted, every, guide)
            samples = make_sampler(fitted.run, guided=guide)(
                fitted.run.key("completion"), COMPLETED, fitted.learned.score_params, fitted.learned.guidance
            )
            tokens = samples.tokens[samples.valid]
            drawn = rng.multinomial(COMPLETED, p) / COMPLETED
            rows[f"{name}, {'guided' if guide else 'unguided'}"] = {
                "valid": float(samples.valid.mean()),
                "kept": float((tokens[:, nodes] == classes).all(axis=1).mean()),
                "variation": variation(shares_of(tokens, every), p),
                "floor": variation(drawn, p),
            }
    return rows


def half_fixed(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, str]:
    """Half of the nodes of a cell, random classes for them, and both as configs write them.

    Drawn again where so few cells differ in what they compute that there are too few labels, as without any path.
    """
    space = spaces.make("nasbench201")
    open_nodes = np.flatnonzero(space.allowed.sum(axis=1) > 1)
    while True:
        nodes = np.sort(rng.choice(open_nodes, len(open_nodes) // 2, replace=False))
        classes = np.array([rng.choice(np.flatnonzero(space.allowed[node])) for node in nodes])
        fixed = {space.node_names[node]: space.class_names[c] for node, c in zip(nodes, classes, strict=True)}
        if num_distinct(spaces.restrict(space, fixed=fixed)) > LABELS:
            return nodes, classes, "; ".join(f"{node}={name}" for node, name in fixed.items())


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


if __name__ == "__main__":
    with command_line.ending("experiments.bench.sampling"):
        main()
