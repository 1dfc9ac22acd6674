"""NAS-Bench-101's cells: what is sampled against what the closed form says, budgets and speed, as JSON and as tables.

    python -m experiments.bench.cells

Writes experiments/results/cells.md and cells.json, in ten minutes on two cores. The score network is the config's at
its start, where it adds nothing to the closed form. Parts that aren't run keep their figures. Speed is the best of
several repetitions.
"""

import argparse
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy import stats

from configs import nb101
from experiments import command_line
from experiments.bench import cells_tables, machine
from experiments.bench.timing import best_seconds
from experiments.compilation_cache import use_compilation_cache
from nag_jax.generators.sharded import ShardedSampler
from nag_jax.guidance.constraints import Constraints, parse
from nag_jax.guidance.refine import Tilt, refined
from nag_jax.objectives import Metric, Objectives
from nag_jax.settings.config import from_config
from nag_jax.spaces.nasbench101 import NASBench101
from nag_jax.system import parallel
from nag_jax.tasks import build
from nag_jax.tasks.aim import PROGRESS, make_aim

PARTS = ("law", "budgets", "speed")
LEAST_EXPECTED = 5
"""Counts that fewer are expected of are put together for the chi-squared test."""
WIDTH = 0.02
"""Of a budget, to both sides of its target."""


def main() -> None:
    """Measures the parts and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000, help="of the law")
    parser.add_argument("--steps", type=int, nargs="+", default=[20, 100], help="of the law, one row each")
    parser.add_argument("--pool", type=int, default=1_000, help="samples of budgets and of the speed")
    parser.add_argument("--targets", type=float, nargs="+", default=[2e6, 4e6, 8e6, 20e6], help="parameters of budgets")
    parser.add_argument("--results", type=Path, default=Path("experiments/results"))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    arguments = parser.parse_args()
    use_compilation_cache()
    parts = {
        "law": lambda: law(arguments.samples, arguments.steps),
        "budgets": lambda: budgets(arguments.pool, arguments.targets),
        "speed": lambda: speed(arguments.pool),
    }
    chosen = {name: ("", parts[name]) for name in arguments.parts}
    known = machine.keep_parts(arguments.results / "cells.json", "python -m experiments.bench.cells", chosen)
    lines = ["# NAS-Bench-101's cells", "", *cells_tables.page(known)]
    (arguments.results / "cells.md").write_text("\n".join(lines).rstrip() + "\n")


def law(n: int, steps: list[int]) -> list[dict[str, Any]]:
    """Whether unguided samples are as often of each size and number of edges as the closed form says."""
    space, generator, params, mesh = _parts()
    weights = len(space.layout.ops) ** space.topologies.interior.astype(float)
    sizes = np.bincount(space.topologies.interior, weights)
    edges = np.bincount(space.topologies.wired.sum(axis=1), weights)
    found = []
    for count, sweeps in [(0, 0), *((count, sweeps) for count in steps for sweeps in (0, 1))]:
        if count:
            sampler = ShardedSampler(refined(generator, space, Tilt(), sweeps=sweeps), num_steps=count, mesh=mesh)
            samples = sampler(jax.random.key(0), n, params)
            tokens, valid = samples.tokens, float(np.mean(samples.valid))
        else:
            tokens = np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(0), n))
            valid = float(np.mean(space.contains(tokens)))
        present = (space.layout.operations(tokens) >= 0).sum(axis=1)
        found.append(
            {
                "steps": count,
                "sweeps": sweeps,
                "samples": n,
                "valid": valid,
                "p_sizes": _p_value(np.bincount(present, minlength=len(sizes)), sizes),
                "p_edges": _p_value(np.bincount(space.layout.wired(tokens).sum(axis=1), minlength=len(edges)), edges),
                "variation_edges": _variation(space.layout.wired(tokens).sum(axis=1), edges),
                "distinct": len(np.unique(space.canonical(tokens))),
            }
        )
    return found


def budgets(n: int, targets: list[float]) -> list[dict[str, Any]]:
    """How many samples have parameters within 2 % of each target."""
    space, generator, params, mesh = _parts()
    found = []
    for target in targets:
        text = f"{target * (1 - WIDTH)} <= params <= {target * (1 + WIDTH)}"
        constraints = Constraints(space, space.costs(), parse(text))
        sampler = ShardedSampler(generator, guide=constraints.guide(), num_steps=_config().sampler.num_steps, mesh=mesh)
        samples = sampler(jax.random.key(1), n, params, {"bands": constraints.bands()})
        few = constraints.few()
        found.append(
            {
                "target": target,
                "samples": n,
                "valid": float(np.mean(samples.valid)),
                "share": float(np.mean(constraints.hold(samples.tokens))),
                "graphs": 0 if few is None else len(few),
                "share_of_graphs": 0.0 if few is None else len(few) / space.size,
                "distinct": len(np.unique(space.canonical(samples.tokens))),
            }
        )
    return found


def speed(n: int) -> dict[str, float]:
    """Seconds of n samples, unguided and guided by the config's predictor, once compiled."""
    space, generator, params, mesh = _parts()
    config = _config()
    predictor = build.make_predictor(config, space)
    given = build.make_guidance(config, predictor, Objectives((Metric("accuracy"),)))
    aim = make_aim(predictor.init(jax.random.key(1)), 1.0, [1.0] * len(PROGRESS), scale=1.0)
    steps = config.guidance.num_steps or config.sampler.num_steps
    unguided = ShardedSampler(generator, num_steps=steps, mesh=mesh)
    guided = ShardedSampler(generator, guide=given.guide, num_steps=steps, mesh=mesh)
    key = jax.random.key(2)
    return {
        "samples": n,
        "steps": steps,
        "unguided": best_seconds(unguided, key, n, params),
        "guided": best_seconds(guided, key, n, params, aim),
    }


def _config() -> Any:
    return from_config(nb101.get_config())


def _parts() -> tuple[NASBench101, Any, Any, Any]:
    """The space, the config's generator with the parameters that it starts with, and the mesh."""
    config, space = _config(), NASBench101()
    generator = build.make_generator(config, space, build.make_model(config, space))
    return space, generator, generator.init(jax.random.key(0)), parallel.make_mesh()


def _p_value(counts: np.ndarray, weights: np.ndarray) -> float:
    """The p-value of counts whose expectations are in proportion to weights."""
    expected = weights / weights.sum() * counts.sum()
    common = expected >= LEAST_EXPECTED
    if expected[~common].sum() < LEAST_EXPECTED:  # too few even together
        common[np.argmin(np.where(common, expected, np.inf))] = False
    found, wanted = (np.append(values[common], values[~common].sum()) for values in (counts, expected))
    return float(stats.chisquare(found, wanted).pvalue)


def _variation(edges: np.ndarray, weights: np.ndarray) -> float:
    """The total variation between numbers of edges `[B]` and what they should be."""
    shares = np.bincount(edges, minlength=len(weights)) / len(edges)
    return float(np.abs(shares - weights / weights.sum()).sum() / 2)


if __name__ == "__main__":
    with command_line.ending("experiments.bench.cells"):
        main()
