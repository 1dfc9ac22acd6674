"""Generation and search on once-for-all's MobileNetV3 space, against what they must reach.

    python -m experiments.bench.mobilenet --predictor=../shared/data/ofa_acc_predictor.npz

Writes experiments/results/mobilenet.md and mobilenet.json. Without --predictor (once-for-all's accuracy predictor, its
`.pth` or its weights as npz) only the parts that need no accuracy run. What is trained and paid for is kept in
--workdir, so a stopped benchmark goes on, and one with more seeds adds to what is there; parts that aren't run keep
their figures. All parts share one score network.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from absl import logging
from scipy.stats import chi2

from configs import ofa_mbv3, ofa_mbv3_bo
from experiments import command_line, runs
from experiments.bench import machine, mobilenet_tables
from experiments.compilation_cache import use_compilation_cache
from nag_jax.generators.contract import Samples
from nag_jax.guidance.constraints import Constraint, Constraints
from nag_jax.reports import metrics
from nag_jax.settings.config import from_config
from nag_jax.spaces.mobilenet_v3 import DEPTHS, MOST_LAYERS, SETTINGS, SKIP, MobileNetV3
from nag_jax.tasks import build, learn
from nag_jax.tasks import constrained as unlabelled
from nag_jax.tasks.setting import Setting, split_space, train_score

PARTS = ("unconditional", "constrained", "guided", "speed", "search")
NEEDS_PREDICTOR = ("guided", "speed", "search")
QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
"""Of the multiply-accumulates of random networks: the targets of constrained generation."""
HALF_BAND, POOL, DRAWS = 0.02, 1000, 100_000
"""How far from its target a network may be, samples per target, and random networks behind the quantiles."""
MANY = 10_000
"""Unconditional samples, and guided ones that are timed."""
GUIDED_SEEDS = 5
LONG = 1000
"""Labels of regularized evolution that the generator's 200 are set against."""
TASKS = {"free": "", "macs <= 300e6": "macs <= 300e6"}
"""The constraints of each search."""


def main() -> None:
    """Runs the parts and writes the tables."""
    arguments = parse()
    logging.set_verbosity(logging.WARNING)
    use_compilation_cache()
    run = runs.prepare(make_config(arguments), arguments.workdir / "score_network")
    params = train_score(run, split_space(run))
    measure = {
        "unconditional": lambda: unconditional(run, params),
        "constrained": lambda: constrained(run, params),
        "guided": lambda: guided(arguments),
        "speed": lambda: speed(arguments),
        "search": lambda: searches(arguments),
    }
    searched = f"--seeds {arguments.seeds} --strategies {' '.join(arguments.strategies)}"
    parts = {part: (searched if part == "search" else "", measure[part]) for part in arguments.parts}
    command = "python -m experiments.bench.mobilenet --predictor=ofa_acc_predictor.npz"
    known = machine.keep_parts(arguments.results / "mobilenet.json", command, parts)
    lines = ["# The MobileNetV3 space", "", *mobilenet_tables.page(known)]
    (arguments.results / "mobilenet.md").write_text("\n".join(lines).rstrip() + "\n")
    print((arguments.results / "mobilenet.md").read_text())


def parse() -> argparse.Namespace:
    """The command line, checked."""
    config = ofa_mbv3_bo.get_config()
    names = (*config.run, "tpe")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictor", type=Path, help="once-for-all's accuracy predictor")
    parser.add_argument("--parts", nargs="*", help=f"some of {', '.join(PARTS)}; default: all that have their files")
    parser.add_argument("--seeds", type=int, default=20, help="of the searches")
    parser.add_argument("--strategies", nargs="*", default=list(names), help="of the searches")
    parser.add_argument("--workdir", type=Path, default=Path("runs/bench/mobilenet"))
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    arguments = parser.parse_args()
    known = [part for part in PARTS if arguments.predictor or part not in NEEDS_PREDICTOR]
    arguments.parts = arguments.parts or known
    if unknown := sorted(set(arguments.parts) - set(known)):
        parser.error(f"unknown part {unknown[0]!r}: use some of {known} ({', '.join(NEEDS_PREDICTOR)}: --predictor)")
    if unknown := sorted(set(arguments.strategies) - set(names)):
        parser.error(f"unknown strategy {unknown[0]!r}: use some of {names}")
    return arguments


def make_config(arguments: argparse.Namespace, seed: int | None = None) -> Any:
    """The config without accuracy, or that of one guided seed without constraints."""
    config = ofa_mbv3.get_config()
    if seed is not None:
        config.seed = seed
        config.constraints = ""
        config.guidance.sweep = (config.guidance.scale,)
        config.evaluator.accuracy_file = str(arguments.predictor)
        config.score.checkpoint = str(arguments.workdir / "score_network" / "score")
    return config


def unconditional(run: Setting, params: Any) -> dict[str, Any]:
    """Validity, how many differ, and whether depths and settings occur as in once-for-all's draws."""
    tokens, valid, _ = sample(run, params, MANY)
    depths = (tokens[valid] != SKIP).reshape(-1, len(tokens[0]) // MOST_LAYERS, MOST_LAYERS).sum(axis=-1)
    settings = [column[column != SKIP] for column in tokens[valid].T]
    return {
        "samples": MANY,
        "validity_argmax": float(valid.mean()),
        "distinct_share": len(metrics.distinct(tokens[valid])) / MANY,
        "p_depths": uniform_p_value([column - min(DEPTHS) for column in depths.T], len(DEPTHS)),
        "p_settings": uniform_p_value(settings, len(SETTINGS)),
    }


def uniform_p_value(columns: list[np.ndarray], classes: int) -> float:
    """Pearson's test of all columns together: each has the classes 0, 1, ... equally often, as in random draws."""
    counts = np.array([np.bincount(column, minlength=classes) for column in columns])
    expected = counts.sum(axis=1, keepdims=True) / classes
    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), len(columns) * (classes - 1)))


def constrained(run: Setting, params: Any) -> list[dict[str, Any]]:
    """For each target: how many of the samples are near it, how diverse those are, and what filtering would give."""
    cost = MobileNetV3(resolution=run.config.space.resolution).costs()["macs"]
    random = np.asarray(jax.jit(run.space.random, static_argnums=1)(run.key("quantiles"), DRAWS))
    unbent = valid_tokens(sample(run, params, MANY))
    sampler = unlabelled.make_sampler(run, constrained=True)
    found = []
    for quantile, target in zip(QUANTILES, np.quantile(cost.of(random), QUANTILES), strict=True):
        band = Constraint("macs", (1.0 - HALF_BAND) * target, (1.0 + HALF_BAND) * target)
        kept = Constraints(run.space, {"macs": cost}, [band])
        args = {"bands": kept.bands()}
        tokens = valid_tokens(sampler(run.key(f"constrained {quantile}"), POOL, params, args))
        near, filtered = tokens[kept.hold(tokens)], unbent[kept.hold(unbent)]
        share, filtered_share = len(near) / POOL, len(filtered) / MANY
        found.append(
            {
                "quantile": quantile,
                "target": float(target),
                "share": share,
                "filtered": len(filtered),
                "diversity_ratio": metrics.pairwise_hamming(near) / metrics.pairwise_hamming(filtered),
                "times_fewer_samples": share / filtered_share,
            }
        )
    return found


def guided(arguments: argparse.Namespace) -> dict[str, list[float]]:
    """For each seed: the mean accuracy of the whole guided pool, of its best, of random networks, and labels paid."""
    found: dict[str, list[float]] = {"pool_mean": [], "pool_best": [], "distinct": [], "labels": [], "best_paid": []}
    for seed in range(GUIDED_SEEDS):
        config = make_config(arguments, seed)
        path = arguments.workdir / f"guided{seed}"
        finished = path / "results.json"
        runs.run(config, path) if not finished.exists() else None
        results = json.loads(finished.read_text())
        frame = pd.read_csv(path / "architectures.csv").query("pool == 'guided'")
        settings = from_config(config)
        space = build.make_space(settings)
        accuracy = build.make_evaluator(settings, space)(space.from_native(list(frame["arch"])))["accuracy"]
        found["pool_mean"].append(float(np.average(accuracy, weights=frame["times_generated"])))
        found["pool_best"].append(float(accuracy.max()))
        found["distinct"].append(len(frame))
        found["labels"].append(results["labels"]["paid"])
        found["best_paid"].append(results["best"]["value"])
    return found


def speed(arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds for many guided networks, with what the first guided seed learned, once compiled."""
    guided_run = runs.prepare(make_config(arguments, 0), arguments.workdir / "guided0")
    learned = learn.learn(guided_run)
    sampler = learn.make_sampler(guided_run, guided=True)
    inputs = guided_run.key("speed"), MANY, learned.score_params, learned.guidance
    sampler(*inputs)
    start = time.perf_counter()
    samples = sampler(*inputs)
    return {"networks": len(samples.tokens), "seconds": time.perf_counter() - start}


def searches(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """For each task: all strategies with 200 labels, and regularized evolution with many more."""
    found = {}
    for i, (name, constraints) in enumerate(TASKS.items()):
        config = ofa_mbv3_bo.get_config()
        config.seeds = arguments.seeds
        config.constraints = constraints
        config.evaluator.accuracy_file = str(arguments.predictor)
        config.score.checkpoint = str(arguments.workdir / "score_network" / "score")
        config.run = tuple(arguments.strategies)
        results = runs.run(config, arguments.workdir / f"search{i}")
        config.run = ("regularized_evolution",)
        config.search.update({"budget": LONG, "report_at": (200, 500, LONG)})
        long = runs.run(config, arguments.workdir / f"search{i}_long")
        kept = ("objective", "seeds", "initial", "budget", "strategies", "significance", "seconds")
        found[name] = {field: results[field] for field in kept} | {"long": long["strategies"]["regularized_evolution"]}
    return json.loads(json.dumps(found, default=float))


def sample(run: Setting, params: Any, n: int) -> Samples:
    """Unconditional samples, the same at every call."""
    return unlabelled.make_sampler(run, constrained=False)(run.key("benchmark"), n, params)


def valid_tokens(samples: Samples) -> np.ndarray:
    """The valid networks of a pool, tokens `[B, 20]`."""
    return samples.tokens[samples.valid]


if __name__ == "__main__":
    with command_line.ending("experiments.bench.mobilenet"):
        main()
