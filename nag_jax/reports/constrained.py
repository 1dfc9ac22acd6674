"""The report of generation under constraints: results.json, architectures.csv, figures and report.html."""

from typing import Any

import jax
import numpy as np
import pandas as pd

from nag_jax.generators.contract import Samples, all_valid
from nag_jax.reports import facts, figures, metrics
from nag_jax.reports.architectures import draw_architectures
from nag_jax.reports.page import page
from nag_jax.spaces.capabilities import Drawable, HasCosts
from nag_jax.tasks.constrained import Constrained
from nag_jax.tasks.setting import Setting

DRAWN = 5
"""Networks in the figure."""


def write(outcome: Constrained) -> dict[str, Any]:
    """Writes everything into the workdir, and returns what stands in `results.json`."""
    run, pools = outcome
    config = run.config
    with run.phases("report"):
        random = np.asarray(jax.jit(run.space.random, static_argnums=1)(run.key("random"), config.num_samples))
        found = {name: samples.tokens[samples.valid] for name, samples in pools.items()}
        described = {"random": describe(run, all_valid(random))}
        described |= {name: describe(run, samples) for name, samples in pools.items()}
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
    return results


def describe(run: Setting, samples: Samples) -> dict[str, Any]:
    """Metrics of a pool, the share of its samples that keep to the constraints, and the range of their costs."""
    tokens = samples.tokens[samples.valid]
    feasible = run.constraints.hold(tokens)
    found = metrics.pool_metrics(run.space, samples)._asdict()
    found["feasible_share"] = float(feasible.sum() / len(samples.tokens))
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
    if isinstance(run.space, Drawable) and isinstance(run.space, HasCosts) and len(chosen):
        draw_architectures(run.space, chosen, run.space.cost_lines(chosen), folder / "networks")
