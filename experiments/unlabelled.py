"""Generation under constraints where there is nothing to search by: no label is paid for and no predictor learned."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from rich.table import Table

from experiments import build, facts
from experiments.config import Config
from experiments.measure import Work, measure_generator
from experiments.plan import Plan, header
from experiments.ranges import check_numbers
from experiments.report import page
from experiments.score import Setting, check_score, plan_score, split_space, train_score
from experiments.terminal import console
from experiments.workdir import Workdir
from nag_jax.generators.gaussian.compiled import Generator
from nag_jax.reports import figures, metrics
from nag_jax.spaces.mobilenet_v3 import MobileNetV3
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
from nag_jax.system.progress import Phases

DRAWN = 5
"""Networks in the figure."""


def run(config: Config, path: Path) -> dict[str, Any]:
    """Trains the score network and generates a pool without and one under the constraints; returns `results.json`.

    Raises:
        InputError: something in the config or the workdir is wrong.
    """
    run = prepare(config, path)
    params = train_score(run, split_space(run))
    pools = generate_pools(run, params)
    return parallel.on_first(lambda: report(run, pools))


def plan(config: Config, path: Path) -> Plan:
    """What `run` would do, after all its checks; changes nothing.

    Raises:
        InputError: something in the config or the workdir is wrong.
    """
    run = check(config, path)
    n, denoises = config.num_samples, config.sampler.final == "denoise"
    seconds, memory = measure_generator(
        make_generator(run, constrained=True, num_steps=1),
        n,
        run.model.init(jax.random.key(0)),
        run.constraints.bands(),
        evaluations=1 + denoises,
        mesh=run.mesh,
    )
    evaluations = 2 * (config.sampler.num_steps + denoises)
    return Plan(
        setting=run,
        samples={"unconditional": n, "constrained": n},
        work=[plan_score(run), Work("samples", evaluations, f"evaluations of {n:,} samples", 0, seconds, memory)],
    )


def report(run: Setting, pools: dict[str, np.ndarray]) -> dict[str, Any]:
    """Writes everything into the workdir, prints the summary, and returns what stands in `results.json`."""
    config = run.config
    with run.phases("report"):
        random = np.asarray(jax.jit(run.space.random, static_argnums=1)(run.key("random"), config.num_samples))
        found = {name: valid_tokens(run, x) for name, x in pools.items()}
        described = {"random": describe(run, random, run.space.encode(random))}
        described |= {name: describe(run, found[name], x) for name, x in pools.items()}
        frame = list_architectures(run, found)
        run.workdir.write("architectures.csv", lambda path: frame.to_csv(path, index=False))
        draw(run, {"random": random, **found})
    results = {
        "space": run.space.name,
        "evaluator": run.evaluator.name,
        "constraints": [str(constraint) for constraint in run.constraints.constraints],
        "pools": described,
        "times_fewer_samples_than_filtering": saving(described),
        "facts": getattr(run.evaluator, "facts", {}),
        **facts.of_setting(run),
    }
    run.workdir.write_json("results.json", results)
    page.write(run.workdir)
    summarize(run, results)
    return results


def prepare(config: Config, path: Path) -> Setting:
    """Builds everything, checks all that can be wrong, and claims the workdir last."""
    run = check(config, path)
    parallel.on_first(lambda: run.workdir.claim(config.to_dict()))
    return run


def check(config: Config, path: Path) -> Setting:
    """Builds everything and checks all that can be wrong; changes nothing.

    Raises:
        InputError: something in the config or the workdir is wrong.
    """
    check_numbers(config)
    workdir = Workdir(path)
    parallel.on_first(lambda: workdir.check(config.to_dict()))
    space = build.make_space(config)
    evaluator = build.make_evaluator(config, space)
    run = Setting(
        config=config,
        workdir=workdir,
        space=space,
        evaluator=evaluator,
        constraints=build.make_constraints(config, space, evaluator),
        model=build.make_score_model(config, space),
        mesh=parallel.make_mesh(),
        phases=Phases(header(config, path), quiet=not parallel.is_first()),
    )
    if not run.constraints:
        raise InputError(
            f"there is nothing to generate for: set config.constraints to one of {', '.join(evaluator.metrics)}, as "
            "'macs <= 300e6', or config.evaluator.accuracy_file"
        )
    build.check_sampler(config, run.model, None, run.mesh.size)
    check_score(run)
    return run


def generate_pools(run: Setting, params: Any) -> dict[str, np.ndarray]:
    """The unconditional and the constrained pool, x `[n, N, V]`."""
    pools = {}
    for name, bands in (("unconditional", None), ("constrained", run.constraints.bands())):
        with run.phases(f"{name} samples") as progress:
            generator = make_generator(run, constrained=bands is not None)
            pools[name] = generator(run.key(name), run.config.num_samples, params, bands, progress=progress)
    return pools


def make_generator(run: Setting, *, constrained: bool, num_steps: int | None = None) -> Generator:
    """The sampler of the config; a constrained one takes the constraints' bands. `num_steps` stands in for its own."""

    def guide(score_fn, bands):
        return run.constraints.transform(run.model.sde, bands)

    return Generator(
        run.model,
        build.make_kernels(run.config),
        guide=guide if constrained else None,
        num_steps=num_steps or run.config.sampler.num_steps,
        final=run.config.sampler.final,
        mesh=run.mesh,
    )


def valid_tokens(run: Setting, x: np.ndarray) -> np.ndarray:
    """The valid architectures of a pool, tokens `[B, N]`."""
    tokens, valid = map(np.asarray, run.space.decode(x))
    return tokens[valid]


def describe(run: Setting, tokens: np.ndarray, x) -> dict[str, Any]:
    """Metrics of a pool, the share of its samples that keep to the constraints, and the range of their costs."""
    feasible = run.constraints.hold(tokens)
    found = metrics.pool_metrics(run.space, x)._asdict()
    found["feasible_share"] = float(feasible.sum() / len(x))
    found["feasible_diversity"] = metrics.pairwise_hamming(tokens[feasible]) if feasible.any() else None
    for name, values in run.evaluator(tokens).items():
        if len(values):
            found[name] = metrics.quality(values)._asdict()
    return found


def saving(described: dict[str, Any]) -> float | None:
    """How many times as many samples the unconditional pool needs for one that keeps to the constraints."""
    filtering = described["unconditional"]["feasible_share"]
    return described["constrained"]["feasible_share"] / filtering if filtering else None


def list_architectures(run: Setting, pools: dict[str, np.ndarray]) -> pd.DataFrame:
    """Every distinct generated architecture with its costs."""
    frames = []
    for name, tokens in reversed(pools.items()):
        unique, counts = np.unique(tokens, axis=0, return_counts=True)
        columns = {"pool": name, "arch": run.space.to_native(unique), "times_generated": counts}
        columns |= {"feasible": run.constraints.hold(unique), **run.evaluator(unique)}
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def draw(run: Setting, pools: dict[str, np.ndarray]) -> None:
    """The costs of the pools against the constraints, and a few of the constrained networks."""
    folder = run.workdir.path / "figures"
    folder.mkdir(exist_ok=True)
    for metric, low, high in run.constraints.constraints:
        values = {name: run.evaluator(tokens)[metric] for name, tokens in pools.items() if len(tokens)}
        unit = run.evaluator.metrics[metric].unit
        label = f"{metric} in {unit}" if unit else metric
        figures.cost_histograms(values, (low, high), folder / f"{metric}", label=label)
    chosen = pools["constrained"][:DRAWN]
    if isinstance(run.space, MobileNetV3) and len(chosen):
        costs = run.evaluator(chosen)["macs"]
        figures.draw_networks(run.space, chosen, [f"{c / 1e6:.0f} M MACs" for c in costs], folder / "networks")


def summarize(run: Setting, results: dict[str, Any]) -> None:
    """Prints the pools against each other."""
    table = Table(title=f"{'; '.join(results['constraints'])}, {run.config.num_samples:,} samples a pool")
    table.add_column("pool", no_wrap=True)
    for title in ("valid", "distinct", "feasible", "diversity of the feasible, layers"):
        table.add_column(title, justify="right")
    for name, pool in results["pools"].items():
        diversity = pool["feasible_diversity"]
        table.add_row(
            name,
            f"{pool['validity_argmax']:.1%}",
            f"{pool['distinct']:,}",
            f"{pool['feasible_share']:.1%}",
            "" if diversity is None else f"{diversity:.2f}",
        )
    terminal = console()
    terminal.print(table)
    times = results["times_fewer_samples_than_filtering"]
    terminal.print(
        ("filtering would find none; " if times is None else f"{times:.1f} times fewer samples than by filtering; ")
        + f"{sum(results['seconds'].values()):.0f} s; everything is in {run.workdir.path}, told in {page.NAME}",
        soft_wrap=True,
    )
