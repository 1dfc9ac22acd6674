"""Speed of the main job and of its sampler, as JSON and as a table.

    python -m experiments.bench.speed

Writes experiments/results/speed.md and speed.json. Times on shared machines are noisy, so the sampler's are the best of
several repetitions, and its work is set against the rate of matrix products measured in the same run.
"""

import argparse
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
import numpy as np

from configs import nb201
from experiments import build
from experiments.bench import machine
from experiments.config import Config
from experiments.main import use_compilation_cache
from nag_jax import parallel
from nag_jax.diffusion.noise import normal, sample_keys
from nag_jax.search.generate import Generator

REPETITIONS = 20


def main() -> None:
    """Measures everything and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--skip_jobs", action="store_true", help="leave out the whole main jobs")
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    arguments = parser.parse_args()
    figures = {} if arguments.skip_jobs else main_jobs()
    use_compilation_cache()
    figures["sampler"] = sampler(arguments.samples)
    about = machine.describe("python -m experiments.bench.speed")
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "speed.json").write_text(json.dumps({"about": about, **figures}, indent=1) + "\n")
    (arguments.results / "speed.md").write_text("\n".join([*machine.heading("Speed", about), *_table(figures), ""]))
    print(json.dumps(figures, indent=1))


def main_jobs() -> dict[str, Any]:
    """Seconds of the main job, from process start to exit: cold (no compiled program, no workdir) and repeated."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "experiments.main", "--config=configs/nb201.py", f"--workdir={folder}/run"]
        environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": f"{folder}/cache"}
        found = {}
        for name in ("cold main job", "repeated main job"):
            start = time.perf_counter()
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            phases = json.loads(Path(folder, "run", "results.json").read_text())["seconds"]
            found[name] = {"seconds": round(time.perf_counter() - start, 2), "phases": phases}
        return found


def sampler(n: int) -> dict[str, Any]:
    """Seconds of n samples of the default config once compiled, of their parts, and rates of matrix products."""
    config: Config = nb201.get_config()
    space = build.make_space(config)
    model, predictor = build.make_score_model(config, space), build.make_predictor(config, space)
    score_params, predictor_params = model.init(jax.random.key(0)), predictor.init(jax.random.key(1))
    times = jnp.linspace(model.sde.t_min, 1.0, 21)
    aim = {
        "params": predictor_params,
        "scale": np.float32(1.0),
        "target": np.float32(1.0),
        "times": times,
        "spread": jnp.ones_like(times),
    }
    mesh, kernels, steps = parallel.make_mesh(), build.make_kernels(config), config.sampler.num_steps
    shared = {"num_steps": steps, "mesh": mesh, "final": config.sampler.final}
    unconditional = Generator(model, kernels, guide=None, **shared)
    guided = Generator(model, kernels, guide=build.make_guide(config, predictor, model.sde), **shared)
    key = jax.random.key(2)
    x = normal(sample_keys(key, n), model.shape)
    t = jnp.full(n, 0.5)

    def forward(x):
        return model.score_fn(score_params)(x, t)

    def slope(x):
        return jax.grad(lambda x: predictor.apply(predictor_params, x, t).sum())(x)

    def noise(x):
        return normal(sample_keys(key, n), model.shape) + x

    evaluations = steps + 1
    parts = {
        "score network": best_seconds(repeated(forward, evaluations), x),
        "predictor and its gradient": best_seconds(repeated(slope, evaluations), x),
        "random numbers": best_seconds(repeated(noise, evaluations), x),
    }
    seconds = {
        "unconditional": best_seconds(unconditional, key, n, score_params),
        "guided": best_seconds(guided, key, n, score_params, aim),
    }
    rate = product_rate(n * space.num_nodes, config.score.network.width, config.score.network.mlp_width)
    flops = _flops(jax.jit(forward), x)
    achieved = flops / (parts["score network"] / evaluations)
    return {
        "samples": n,
        "evaluations": evaluations,
        "seconds": _rounded(seconds),
        "samples_per_second": {name: round(n / value) for name, value in seconds.items()},
        "parts_of_guided_seconds": _rounded(parts | {"the rest": seconds["guided"] - sum(parts.values())}),
        "score_network_flops": flops,
        "gigaflops_achieved_in_score_network": round(achieved / 1e9, 2),
        "gigaflops_of_matrix_products_of_its_sizes": round(rate / 1e9, 2),
        "share_of_that_rate": round(achieved / rate, 3),
    }


def repeated(function: Callable[[Any], Any], times: int) -> Callable[[Any], Any]:
    """Compiles as many evaluations as a sampler does, one after another in a scan as there."""
    return jax.jit(lambda x: jax.lax.scan(lambda x, _: (x + 1e-6 * function(x), None), x, length=times)[0])


def product_rate(rows: int, width: int, hidden: int) -> float:
    """Best rate in FLOP/s of one product `[rows, width] @ [width, hidden]` in float32."""
    a, b = jnp.ones((rows, width)), jnp.ones((width, hidden))
    return 2.0 * rows * width * hidden / best_seconds(jax.jit(jnp.matmul), a, b)


def best_seconds(function: Callable[..., Any], *arguments: Any) -> float:
    """Least time of a call, once compiled."""
    jax.block_until_ready(function(*arguments))
    found = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        found.append(time.perf_counter() - start)
    return min(found)


def _flops(function: Any, *arguments: Any) -> float:
    return float(function.lower(*arguments).compile().cost_analysis()["flops"])


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def _table(figures: dict[str, Any]) -> list[str]:
    found = figures["sampler"]
    rows = ["| what | seconds | target |", "|---|---|---|"]
    for name, target in (("cold main job", "at most 240"), ("repeated main job", "at most 60")):
        if name in figures:
            rows.append(f"| {name} | {figures[name]['seconds']:.1f} | {target} |")
    n = found["samples"]
    rows += [
        f"| {n:,} guided samples, compiled | {found['seconds']['guided']:.3f} | at most 1 |",
        f"| {n:,} unconditional samples, compiled | {found['seconds']['unconditional']:.3f} | |",
    ]
    rows += [f"| of the guided: {name} | {value:.3f} | |" for name, value in found["parts_of_guided_seconds"].items()]
    return [
        *rows,
        "",
        f"The score network runs at {found['gigaflops_achieved_in_score_network']} GFLOP/s, "
        f"{100 * found['share_of_that_rate']:.0f} % of the {found['gigaflops_of_matrix_products_of_its_sizes']} that "
        "single matrix products of its sizes reach in the same run.",
    ]


if __name__ == "__main__":
    main()
