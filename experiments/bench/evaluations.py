"""Quality of samples against the number of evaluations of the score network, for every kernel."""

from pathlib import Path
from typing import Any

import numpy as np

from configs import nb201
from experiments import runs
from experiments.bench.timing import best_seconds
from nag_jax.evaluators.reporting import reporting_view
from nag_jax.generators.gaussian import kernels
from nag_jax.reports import generated as generate_report
from nag_jax.settings.config import from_config
from nag_jax.tasks import build
from nag_jax.tasks.learn import learn, make_sampler

COUNTS = (5, 10, 20, 50, 1000)
CORRECTED = "euler_maruyama"
"""What follows a Langevin step, which by itself goes to no lower noise."""


def curve(variant: str, path: Path, counts: list[int], n: int) -> list[dict[str, Any]]:
    """Seconds of n samples, how many are valid and differ, and their regret, unconditional and guided.

    Args:
        variant: a variant of configs/nb201.py.
        path: a workdir, in which networks are trained or restored.
        counts: evaluations of the network, at least 3; of the kernels, and one for the last estimate.
        n: samples.
    """
    config = nb201.get_config(variant)
    config.num_samples = n
    config.guidance.num_steps = config.sampler.refine.sweeps = 0  # guided pools in as many steps, and nothing else
    run = runs.prepare(config, path)
    learned, truth = learn(run), generate_report.Truth(run, reporting_view(run.evaluator))
    predictions = learned.predict(truth.tokens)
    points = []

    def describe(samples):
        values = generate_report.describe_values(truth, samples, predictions)
        return generate_report.describe_pool(run, samples, None) | values

    for name in kernels.REGISTRY:
        chain = (name, CORRECTED) if name == "langevin" else (name,)
        for count in counts:
            config.sampler.kernels, config.sampler.num_steps = chain, (count - 1) // len(chain)
            run.config = from_config(config)
            run.generator = build.make_generator(run.config, run.space, run.model)
            for guided in (False, True):
                sampler = make_sampler(run, guided=guided)
                arguments = run.key("evaluations"), n, learned.score_params, learned.guidance if guided else None
                pool = describe(sampler(*arguments))
                points.append(
                    {
                        "kernels": " + ".join(chain),
                        "evaluations": count,
                        "guided": guided,
                        "seconds": round(best_seconds(sampler, *arguments, repetitions=2), 4),
                        "valid": pool["validity_argmax"],
                        "distinct": pool["distinct"],
                        "mean": pool.get("value_mean", np.nan),
                        "pool_regret": pool.get("pool_regret", np.nan),
                        "guidance_gap": pool.get("guidance_gap", np.nan),
                    }
                )
    return points


def table(points: list[dict[str, Any]]) -> list[str]:
    """Markdown lines of `curve`."""
    rows = [
        "| kernels | evaluations | guided | seconds | valid, % | distinct | mean | pool regret | guidance gap |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for point in points:
        rows.append(
            f"| {point['kernels']} | {point['evaluations']} | {'yes' if point['guided'] else 'no'} "
            f"| {point['seconds']:.3f} | {100 * point['valid']:.1f} | {point['distinct']} | {point['mean']:.2f} "
            f"| {point['pool_regret']:.2f} | {point['guidance_gap']:.2f} |"
        )
    return rows
