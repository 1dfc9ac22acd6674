"""Where generating pays: guided generation beside samplers without a generator, from easy to hard.

    python -m experiments.bench.where --predictor=ofa_acc_predictor.npz

Writes experiments/results/where.md and where.json. All samplers of a case are given the same value and the same target,
and each several sizes: what it reaches with so many predictions or seconds is the best of its sizes that take no more.
A part is a case (--parts); each seed of it is kept in --workdir, so that a stopped benchmark goes on. Three seeds take
about half an hour on two cores, most of it MobileNetV3, which needs once-for-all's accuracy predictor (--predictor).
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from experiments import command_line
from experiments.bench import machine, where_cases, where_tables
from experiments.bench.where_cases import MAKERS, NETWORKS, Case
from experiments.compilation_cache import use_compilation_cache
from nag_jax.generators.sharded import sharded
from nag_jax.guidance import refine
from nag_jax.guidance.baselines import Baseline, Baselines
from nag_jax.system import parallel
from nag_jax.system.keys import stream_key
from nag_jax.system.once import once
from nag_jax.tasks.workdir import Workdir

PARTS = (*MAKERS, *NETWORKS)
SIZE = 300
"""Architectures of a pool."""
FILTERED, DRAWS, MUTATIONS, SWEEPS = (32, 256), (32, 64, 256, 512), (31, 255), (1, 3, 10)
"""The sizes of samplers without a generator, per architecture of the pool."""
STEPS = (5, 20, 80)
REFINED = ((4, 0, 14), (5, 1, 0), (5, 2, 0))
"""Sizes of guided pools: steps, and steps, sweeps and trades of those that are refined."""
MOST_CALLS = {name: 700 if name in MAKERS else 256 for name in PARTS}
"""Predictions per architecture of the largest sizes: a network's take long."""


baselines = once(Baselines)


class Sampler(NamedTuple):
    """A sampler of one size.

    Attributes:
        family: what kind it is.
        size: how large it is, in words.
        calls: predictions per architecture.
        draw: makes a pool.
    """

    family: str
    size: str
    calls: float
    draw: Callable[[], Baseline]


def main() -> None:
    """Runs the cases and writes the tables."""
    arguments = parse()
    logging.set_verbosity(logging.WARNING)
    use_compilation_cache()
    parts = {name: (f"--seeds {arguments.seeds}", lambda name=name: seeds(arguments, name)) for name in arguments.parts}
    command = "python -m experiments.bench.where --predictor=ofa_acc_predictor.npz"
    known = machine.keep_parts(arguments.results / "where.json", command, parts)
    text = "\n".join(["# Where generating pays", "", *where_tables.page(known)]).rstrip() + "\n"
    (arguments.results / "where.md").write_text(text)
    print(text)


def parse() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictor", type=Path, help="once-for-all's accuracy predictor, for networks and budget")
    parser.add_argument("--parts", nargs="*", choices=PARTS, help="default: all that have their file")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workdir", type=Path, default=Path("runs/bench/where"))
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    arguments = parser.parse_args()
    if arguments.parts is None:
        arguments.parts = [name for name in PARTS if arguments.predictor or name in MAKERS]
    if arguments.predictor is None and set(arguments.parts) & set(NETWORKS):
        parser.error(f"the parts {' and '.join(NETWORKS)} need --predictor")
    return arguments


def seeds(arguments: argparse.Namespace, name: str) -> list[list[dict[str, Any]]]:
    """What was measured for each seed of a case, kept in the workdir."""
    found, kept = [], Workdir(arguments.workdir)
    for seed in range(arguments.seeds):
        file = f"{name}{seed}.json"
        if not (arguments.workdir / file).exists():
            case = where_cases.make(name, seed, arguments.workdir, arguments.predictor)
            kept.write_json(file, measure(case, seed, MOST_CALLS[name]))
        found.append(json.loads((arguments.workdir / file).read_text()))
    return found


def measure(case: Case, seed: int, most_calls: float) -> list[dict[str, Any]]:
    """The figures of every sampler for every target: one row each."""
    rows, filtered = [], {}
    for share, target in case.targets.items():
        aimed = case._replace(args=case.args | {"target": np.float32(target)})
        for sampler in samplers(aimed, seed):
            if sampler.calls > most_calls:
                continue
            if sampler.family == "filtering":  # the best are the same whatever the target is
                pool = filtered.get(sampler.size) or sampler.draw()
                filtered[sampler.size] = pool
            else:
                pool = sampler.draw()
            rows.append(
                {
                    "share": share,
                    "family": sampler.family,
                    "size": sampler.size,
                    "calls": sampler.calls,
                    "seconds": pool.seconds,
                    **figures(aimed, pool.tokens),
                }
            )
    return rows


def figures(case: Case, tokens: np.ndarray) -> dict[str, float]:
    """Of a pool: the share above the target within the constraints, and the architectures that differ among them."""
    good = np.asarray(case.space.contains(tokens)) & case.hold(tokens)
    above = np.zeros(len(tokens), bool)
    above[good] = case.predict(tokens[good]) > case.args["target"]
    hits = np.unique(tokens[above], axis=0)
    found = {
        "within": float(good.mean()),
        "above": float(above.mean()),
        "hits": len(np.unique(case.space.canonical(hits))) / len(tokens) if len(hits) else 0.0,
    }
    if case.modes is not None and len(hits):
        shares = np.bincount(case.modes(tokens[above]), minlength=where_cases.CENTRES) / above.sum()
        every = case.space.all_tokens()
        best = every[case.predict(every) > case.args["target"]]
        expected = np.bincount(case.modes(best), minlength=where_cases.CENTRES) / len(best)
        found["modes"] = 0.5 * float(np.abs(shares - expected).sum())
    return found


def samplers(case: Case, seed: int) -> Iterator[Sampler]:
    """All samplers of a case, of all sizes."""
    assert case.guidance.tilt is not None, "guidance by a predictor tells what it aims at"
    alone = baselines(case.space, case.guidance.tilt, None, SIZE).aimed(case.args)
    key = stream_key(seed, "pool")
    if case.space.listable:
        yield Sampler("exact tilt", "", case.space.size / SIZE, lambda: alone.exact(key))
    for calls in FILTERED:
        yield Sampler("filtering", f"{calls}", calls, lambda n=calls: alone.filtered(key, n * SIZE))
    for draws in DRAWS:
        yield Sampler("resampling", f"{draws} draws", draws, lambda n=draws: alone.resampled(key, n))
    for steps in MUTATIONS:
        yield Sampler("mutation chains", f"{steps} steps", steps + 1, lambda n=steps: alone.mutated(key, n))
    for sweeps in SWEEPS:
        calls = refine.calls(case.space, sweeps=sweeps)
        yield Sampler("Gibbs sweeps from draws", f"{sweeps} sweeps", calls, lambda n=sweeps: alone.gibbs(key, n))
    for steps, sweeps, trades in (*((steps, 0, 0) for steps in STEPS), *REFINED):
        family = "guided, then refined" if sweeps or trades else "guided"
        moves = f", {sweeps} sweeps" if sweeps else f", {trades} trades" if trades else ""
        calls = steps + 1 + refine.calls(case.space, sweeps=sweeps, trades=trades)
        yield Sampler(
            family, f"{steps} steps{moves}", calls, lambda s=steps, w=sweeps, t=trades: guided(case, key, s, w, t)
        )


def guided(case: Case, key: Any, steps: int, sweeps: int, trades: int) -> Baseline:
    """A guided pool of so many steps, and sweeps and trades that refine it."""
    assert case.guidance.tilt is not None, "guidance by a predictor tells what it aims at"
    generator = refine.refined(case.generator, case.space, case.guidance.tilt, sweeps=sweeps, trades=trades)
    sampler = sharded(generator, guide=case.guidance.guide, num_steps=steps, mesh=parallel.make_mesh())
    sampler(key, SIZE, case.params, case.args)
    start = time.perf_counter()
    samples = sampler(key, SIZE, case.params, case.args)
    calls = steps + 1 + refine.calls(case.space, sweeps=sweeps, trades=trades)
    return Baseline(samples.tokens, calls * SIZE, time.perf_counter() - start)


if __name__ == "__main__":
    with command_line.ending("experiments.bench.where"):
        main()
