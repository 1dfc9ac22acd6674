"""Speed of the main job, of its sampler and of all around it, as JSON and as tables.

    python -m experiments.bench.speed

Writes experiments/results/speed.md and speed.json. Times on shared machines are noisy, so the sampler's are the best of
several repetitions, and the score network's time is set against that of its matrix products alone, measured in the same
run. Parts that aren't run keep their figures. `--config configs/nb201.py:smoke --memory 1000 --results DIRECTORY` shows
in a few minutes that everything works.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from configs import nb201
from experiments import command_line
from experiments.bench import evaluations, machine, scale, speed_tables
from experiments.bench.products import dense_products, flops, phases, repeated, seconds_alone
from experiments.bench.timing import best_seconds
from experiments.compilation_cache import use_compilation_cache
from nag_jax.generators.sharded import COLLECTIVES, ShardedSampler
from nag_jax.objectives import Metric, Objectives
from nag_jax.settings.config import from_config
from nag_jax.system import parallel
from nag_jax.system.keys import normal, sample_keys
from nag_jax.tasks import build
from nag_jax.tasks.aim import PROGRESS, make_aim

PARTS = ("jobs", "sampler", "host", "first_sample", "devices", "stream", "memory", "evaluations")


def main() -> None:
    """Measures the parts and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    parser.add_argument("--config", default="configs/nb201.py", help="that file, or a variant of it")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--host", type=int, default=1_000_000, help="architectures of the host work")
    parser.add_argument("--shared", type=int, default=8_000, help="samples that 1 and 8 devices make")
    parser.add_argument("--stream", type=int, default=100_000, help="samples of the rates")
    parser.add_argument("--memory", type=int, nargs="+", default=scale.STREAMS, help="samples of the streams")
    parser.add_argument("--counts", type=int, nargs="+", default=evaluations.COUNTS, help="evaluations of the network")
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    arguments = parser.parse_args()
    use_compilation_cache()
    path = arguments.results / "speed.json"
    values = {name: value for name, value in vars(arguments).items() if name not in ("parts", "results")}
    changed = " ".join(_flag(name, value) for name, value in values.items() if value != parser.get_default(name))
    with tempfile.TemporaryDirectory() as folder:
        parts = {part: (changed, measure) for part, measure in measurements(arguments, Path(folder)).items()}
        known = machine.keep_parts(path, "python -m experiments.bench.speed", parts)
    lines = ["# Speed", "", *speed_tables.page(known)]
    path.with_suffix(".md").write_text("\n".join(lines).rstrip() + "\n")
    print(json.dumps(known, indent=1))


def _flag(name: str, value: Any) -> str:
    return " ".join([f"--{name}", *map(str, value if isinstance(value, list) else [value])])


def measurements(arguments: argparse.Namespace, folder: Path) -> dict[str, Callable[[], Any]]:
    """What measures each part that is asked for; they share one trained stream, in that folder."""
    config, variant = arguments.config, arguments.config.partition(":")[2]
    trained = functools.cache(lambda: scale.train(config, folder / "trained"))
    every = {
        "jobs": lambda: main_jobs(config),
        "sampler": lambda: sampler(variant, arguments.samples),
        "host": lambda: scale.host_work(arguments.host),
        "first_sample": lambda: scale.first_sample(config, trained()),
        "devices": lambda: scale.device_cost(config, trained(), arguments.shared),
        "stream": lambda: scale.stream_rate(config, trained(), arguments.stream),
        "memory": lambda: scale.peak_memory(config, trained(), arguments.memory),
        "evaluations": lambda: evaluations.curve(variant, folder / "evaluations", arguments.counts, arguments.samples),
    }
    return {part: every[part] for part in PARTS if part in arguments.parts}


def main_jobs(config: str) -> dict[str, Any]:
    """Seconds of the main job, from process start to exit: cold (no compiled program, no workdir) and repeated."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "experiments.main", f"--config={config}", f"--workdir={folder}/run"]
        environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": f"{folder}/cache"}
        found = {}
        for name in ("cold main job", "repeated main job"):
            start = time.perf_counter()
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            phases = json.loads(Path(folder, "run", "results.json").read_text())["seconds"]
            found[name] = {"seconds": round(time.perf_counter() - start, 2), "phases": phases}
        return found


def sampler(variant: str, n: int) -> dict[str, Any]:
    """Seconds of n samples of the config once compiled, of their parts, and rates of matrix products."""
    config: Any = from_config(nb201.get_config(variant))
    space = build.make_space(config)
    model: Any = build.make_model(config, space)
    predictor = build.make_predictor(config, space)
    score_params, predictor_params = model.init(jax.random.key(0)), predictor.init(jax.random.key(1))
    aim = make_aim(predictor_params, 1.0, [1.0] * len(PROGRESS), scale=1.0)
    mesh, steps = parallel.make_mesh(), config.sampler.num_steps
    given = build.make_guidance(config, predictor, Objectives((Metric("accuracy"),)))
    unconditional = ShardedSampler(build.make_generator(config, space, model), num_steps=steps, mesh=mesh)
    guided = ShardedSampler(
        build.make_generator(config, space, model, given.score_guide), guide=given.guide, num_steps=steps, mesh=mesh
    )
    key = jax.random.key(2)
    x = normal(sample_keys(key, n), model.shape)
    t = jnp.full(n, 0.5)

    def forward(x, t):
        return model.score_fn(score_params)(x, t)

    def slope(x, t):
        return jax.grad(lambda x: predictor.apply(predictor_params, x, t).sum())(x)

    def noise(x, t):
        return normal(sample_keys(jax.random.fold_in(key, (1e6 * t[0]).astype(jnp.int32)), n), model.shape) + x

    count = steps + 1
    timed = {"score network": forward, "predictor and its gradient": slope, "random numbers": noise}
    parts = {name: best_seconds(repeated(part, count, model.sde.t_min), x) for name, part in timed.items()}
    seconds = {
        "unconditional": best_seconds(unconditional, key, n, score_params),
        "guided": best_seconds(guided, key, n, score_params, aim),
    }
    text = guided.compiled_text(parallel.padded_size(n, mesh), score_params, aim)
    products = dense_products(forward, x, t)
    evaluation, alone = parts["score network"] / count, seconds_alone(products, count)
    spent = {"matrix products": alone, **phases(model.network, n, count)}
    return {
        "samples": n,
        "evaluations": count,
        "seconds": _rounded(seconds),
        "samples_per_second": {name: round(n / value) for name, value in seconds.items()},
        "parts_of_guided_seconds": _rounded(parts | {"the rest": seconds["guided"] - sum(parts.values())}),
        "parts_of_score_network_ms": _rounded(
            {name: 1e3 * value for name, value in {**spent, "the rest": evaluation - sum(spent.values())}.items()}
        ),
        "score_network_product_flops": flops(products),
        "gigaflops_achieved_in_score_network": round(flops(products) / evaluation / 1e9, 2),
        "gigaflops_of_its_matrix_products_alone": round(flops(products) / alone / 1e9, 2),
        "share_of_that_rate": round(alone / evaluation, 3),
        "collectives": sum(text.count(f" {name}") for name in COLLECTIVES),
    }


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


if __name__ == "__main__":
    with command_line.ending("experiments.bench.speed", goes_on=False):
        main()
