"""Strategies of a task's settings, with what they need of its run."""

from collections.abc import Callable
from typing import Any

from nag_jax.guidance.constraints import read_worst
from nag_jax.objectives import Metric
from nag_jax.settings.search import AnyStrategy
from nag_jax.strategies import Strategy, make, needs_generator, takes_known
from nag_jax.strategies.bo_nag import Source
from nag_jax.system.fields import to_dict
from nag_jax.tasks.prior import Prior


def make_strategy(run: Any, block: AnyStrategy, params: Any, prior: Prior | None = None) -> Strategy:
    """The strategy of a block; one that generates gets the generator of the run.

    The surrogate of one whose field `prior` is set starts from the prior.

    Args:
        run: the run, a `Setting` that also has `objectives` and `may_be_labelled`.
        block: the strategy's name and options.
        params: the generator's parameters.
        prior: what transfer knows.
    """
    options = {option: value for option, value in to_dict(block).items() if option not in ("name", "initial")}
    if options.pop("prior", False) and prior is not None:
        options["surrogate_options"] = {**options.get("surrogate_options", {}), "prior": prior.value}
    if needs_generator(block.name):
        options["generator"] = Source(
            run.generator,
            params,
            run.config.sampler.num_steps,
            run.constraints.guide(),
            {"bands": run.constraints.bands()},
            run.constraints.log_chances(),
            run.config.sampler.refine.sweeps,
            run.config.sampler.refine.trades,
        )
    if takes_known(block.name):
        options["known"] = known_objectives(run)
        if bounds := options.pop("bounds", ""):
            options["worst"] = read_worst(bounds, run.objectives.metrics, f"bounds of the strategy {block.name!r}")
    return make(
        block.name,
        run.space,
        covers=run.may_be_labelled,
        utility=run.objectives.utility,
        rows=run.feasible_rows,
        **options,
    )


def known_objectives(run: Any) -> dict[int, Callable[[Any], Any]]:
    """The place of each objective that a formula gives, to its value of relaxed x `[B, N, V]`, higher is better."""
    costs = getattr(run.evaluator, "costs", None) or {}

    def value(metric: Metric) -> Callable[[Any], Any]:
        return lambda x: metric.sign * costs[metric.name].relaxed(x)

    return {place: value(metric) for place, metric in enumerate(run.objectives.metrics) if metric.name in costs}
