"""Speed of the main job, of its sampler and of all around it, as JSON and as tables.

    python -m experiments.bench.speed

Writes experiments/results/speed.md and speed.json. Times on shared machines are noisy, so the sampler's are the best of
several repetitions, and the score network's time is set against that of its matrix products alone, measured in the same
run. `--only` names the parts to measure, `--memory 100000 1000000 10000000` adds the largest stream, and `--config
configs/nb201.py:smoke` shows in a few minutes that everything works.
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
from experiments import build, command_line
from experiments.bench import evaluations, machine, scale
from experiments.bench.products import dense_products, flops, phases, repeated, seconds_alone
from experiments.bench.timing import best_seconds
from experiments.config import Config
from experiments.main import use_compilation_cache
from nag_jax import parallel
from nag_jax.diffusion.noise import normal, sample_keys
from nag_jax.search.generate import COLLECTIVES, Generator

PARTS = ("jobs", "sampler", "host", "first_sample", "devices", "stream", "memory", "evaluations")


def main() -> None:
    """Measures everything and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="the parts to measure")
    parser.add_argument("--config", default="configs/nb201.py", help="that file, or a variant of it")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--host", type=int, default=1_000_000, help="architectures of the host work")
    parser.add_argument("--shared", type=int, default=8_000, help="samples that 1 and 8 devices make")
    parser.add_argument("--stream", type=int, default=100_000, help="samples of the rates")
    parser.add_argument("--memory", type=int, nargs="+", default=[100_000, 1_000_000], help="samples of the streams")
    parser.add_argument("--counts", type=int, nargs="+", default=evaluations.COUNTS, help="evaluations of the network")
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    arguments = parser.parse_args()
    figures = measure(arguments)
    about = machine.describe(" ".join(["python -m experiments.bench.speed", *sys.argv[1:]]))
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "speed.json").write_text(json.dumps({"about": about, **figures}, indent=1) + "\n")
    (arguments.results / "speed.md").write_text("\n".join([*machine.heading("Speed", about), *_tables(figures), ""]))
    print(json.dumps(figures, indent=1))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """The figures of the parts asked for, by the names of `PARTS`."""
    variant = arguments.config.partition(":")[2]
    figures: dict[str, Any] = {}
    if "jobs" in arguments.only:
        figures["jobs"] = main_jobs(arguments.config)
    use_compilation_cache()
    if "sampler" in arguments.only:
        figures["sampler"] = sampler(variant, arguments.samples)
    if "host" in arguments.only:
        figures["host"] = scale.host_work(arguments.host)
    around: dict[str, Callable[[Path], Any]] = {
        "first_sample": lambda path: scale.first_sample(arguments.config, path),
        "devices": lambda path: scale.device_cost(arguments.config, path, arguments.shared),
        "stream": lambda path: scale.stream_rate(arguments.config, path, arguments.stream),
        "memory": lambda path: scale.peak_memory(arguments.config, path, arguments.memory),
    }
    wanted = [name for name in around if name in arguments.only]
    if wanted:
        with scale.trained(arguments.config) as path:
            figures |= {name: around[name](path) for name in wanted}
    if "evaluations" in arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            figures["evaluations"] = evaluations.curve(variant, Path(folder), arguments.counts, arguments.samples)
    return figures


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
    config: Config = nb201.get_config(variant)
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

    def forward(x, t):
        return model.score_fn(score_params)(x, t)

    def slope(x, t):
        return jax.grad(lambda x: predictor.apply(predictor_params, x, t).sum())(x)

    def noise(x, t):
        return normal(sample_keys(key, n), model.shape) + x

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


def _tables(figures: dict[str, Any]) -> list[str]:
    """Markdown lines: what was measured against its targets, then the curve of evaluations."""
    rows = ["| what | measured | target |", "|---|---|---|"]
    for name, target in (("cold main job", "at most 240"), ("repeated main job", "at most 60")):
        if "jobs" in figures:
            rows.append(f"| {name}, s | {figures['jobs'][name]['seconds']:.1f} | {target} |")
    if "sampler" in figures:
        rows += _sampler_rows(figures["sampler"])
    if "host" in figures:
        host = figures["host"]
        rows.append(
            f"| {host['architectures']:,} decoded, canonicalised, de-duplicated, s | {host['seconds']:.2f} "
            "| at most 10 |"
        )
    if "first_sample" in figures:
        rows.append(f"| process start to first 1,000 samples, s | {figures['first_sample']['seconds']} | at most 6 |")
    if "devices" in figures:
        found = figures["devices"]
        rows.append(
            f"| CPU time of {found['samples']:,} samples, {scale.DEVICES} virtual devices over 1 | {found['ratio']} "
            "| at most 1.1 |"
        )
    if "stream" in figures:
        found = figures["stream"]
        rows.append(f"| stream over in-memory rate, {found['samples']:,} samples | {found['ratio']} | at least 0.9 |")
        rows.append(f"| streamed a second | {found['streamed a second']:,} | |")
    for n, mebibytes in figures.get("memory", {}).items():
        rows.append(f"| peak memory of a stream of {n}, MiB | {mebibytes:,} | flat |")
    lines = rows if len(rows) > 2 else []
    if "sampler" in figures:
        lines += ["", *_products_lines(figures["sampler"])]
    if "evaluations" in figures:
        lines += ["", "Quality against evaluations of the network, one seed:", ""]
        lines += evaluations.table(figures["evaluations"])
    return lines


def _sampler_rows(found: dict[str, Any]) -> list[str]:
    n = found["samples"]
    return [
        f"| {n:,} guided samples, compiled, s | {found['seconds']['guided']:.3f} | at most 0.4 |",
        f"| {n:,} unconditional samples, compiled, s | {found['seconds']['unconditional']:.3f} | at most 0.1 |",
        *(f"| of the guided: {name}, s | {value:.3f} | |" for name, value in found["parts_of_guided_seconds"].items()),
    ]


def _products_lines(found: dict[str, Any]) -> list[str]:
    milliseconds = found["parts_of_score_network_ms"]
    return [
        f"The matrix products of the score network's dense layers alone would take "
        f"{100 * found['share_of_that_rate']:.0f} % (target: 50) of its time: it computes them at "
        f"{found['gigaflops_achieved_in_score_network']} GFLOP/s, and they reach "
        f"{found['gigaflops_of_its_matrix_products_alone']} when nothing else is done, each at its sizes. Collectives "
        f"in the guided sampler: {found['collectives']}. Where an evaluation of {found['samples']:,} samples goes:",
        "",
        "| phase | ms | share, % |",
        "|---|---|---|",
        *(
            f"| {name} | {value:.2f} | {100 * value / sum(milliseconds.values()):.0f} |"
            for name, value in milliseconds.items()
        ),
    ]


if __name__ == "__main__":
    with command_line.ending("experiments.bench.speed", goes_on=False):
        main()
