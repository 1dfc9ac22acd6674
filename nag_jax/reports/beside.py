"""The guided pool beside samplers without a generator, which are given the same predictor and the same target."""

from collections.abc import Callable
from typing import Any

from nag_jax.generators.contract import Samples, all_valid
from nag_jax.guidance.baselines import Baseline, Baselines
from nag_jax.guidance.refine import calls
from nag_jax.tasks import build
from nag_jax.tasks.generate import Generated
from nag_jax.tasks.learn import Run, steps_of_pool

MOST_CALLS = 2**17
"""A baseline that takes more predictions is left out of the report: benchmarks have it."""
_DRAWS, _SWEEPS = 64, 3


def guided_calls(run: Run) -> int:
    """How many predictions, some with their gradient, a guided pool takes."""
    moves = run.config.sampler.refine
    steps = steps_of_pool(run.config, guided=True) + (run.config.sampler.final == "denoise")
    return run.config.num_samples * (steps + calls(run.space, sweeps=moves.sweeps, trades=moves.trades))


def describe(
    outcome: Generated, guided: dict[str, Any], describe_pool: Callable[[Samples], dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """What `describe_pool` says of each sampler's pool, with the predictions and the seconds that it took, by name.

    Of the guided pool it is what it said already, `guided`.
    There is nothing to say where a guide of one's own doesn't tell what it aims at.
    """
    run = outcome.run
    tilt = build.make_guidance(run.config, run.predictor, run.objectives, run.constraints).tilt
    if tilt is None:
        return {}
    n, key = run.config.num_samples, run.key("baselines")
    baselines = Baselines(run.space, tilt, outcome.learned.guidance, n)
    cost = guided_calls(run)
    samplers: dict[str, tuple[int, Callable[[], Baseline]]] = {
        "filtered, equal predictions": (cost, lambda: baselines.filtered(key, max(n, cost))),
        f"resampled from {_DRAWS}": (_DRAWS * n, lambda: baselines.resampled(key, _DRAWS)),
        f"{_SWEEPS} Gibbs sweeps": (n * calls(run.space, sweeps=_SWEEPS), lambda: baselines.gibbs(key, _SWEEPS)),
    }
    if run.space.listable:
        samplers = {"exact tilt": (run.space.size, lambda: baselines.exact(key)), **samplers}
    most = MOST_CALLS if run.transfer is None else max(cost, run.space.size)  # a meta-predictor's are dear
    found = {"guided": {**guided, "predictions": cost}}
    for name, (predictions, draw) in samplers.items():
        if predictions <= most:
            pool = draw()
            found[name] = {**describe_pool(all_valid(pool.tokens)), "predictions": pool.calls, "seconds": pool.seconds}
    return found
