"""Generation under constraints alone, where there is no objective: no label is paid for and no predictor learned."""

from typing import Any, NamedTuple

import jax

from nag_jax.generators.contract import Samples
from nag_jax.generators.sharded import ShardedSampler, sharded
from nag_jax.guidance.refine import Tilt
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
from nag_jax.tasks.measure import Work, measure_sampler
from nag_jax.tasks.plan import Plan
from nag_jax.tasks.setting import Setting, check_score, plan_score, split_space, train_score


class Constrained(NamedTuple):
    """What came of generation under constraints.

    Attributes:
        run: the run, checked.
        pools: the unconditional and the constrained pool.
    """

    run: Setting
    pools: dict[str, Samples]


def run(ready: Setting) -> Constrained:
    """Learns the space, and generates a pool without the constraints and one under them."""
    parallel.on_first(ready.claim)
    params = train_score(ready, split_space(ready))
    return Constrained(ready, generate_pools(ready, params))


def plan(ready: Setting) -> Plan:
    """What `run` would do and cost."""
    n, denoises = ready.config.num_samples, ready.config.sampler.final == "denoise"
    seconds, memory = measure_sampler(
        make_sampler(ready, constrained=True, num_steps=1),
        n,
        ready.generator.init(jax.random.key(0)),
        {"bands": ready.constraints.bands()},
        evaluations=1 + denoises,
        mesh=ready.mesh,
    )
    evaluations = 2 * (ready.config.sampler.num_steps + denoises)
    return Plan(
        setting=ready,
        samples={"unconditional": n, "constrained": n},
        work=[*plan_score(ready), Work("samples", evaluations, f"evaluations of {n:,} samples", 0, seconds, memory)],
    )


def checked(run: Setting) -> Setting:
    """The setting, where there is something to generate for; changes nothing.

    Raises:
        InputError: there are no constraints, or the score network can't be restored.
    """
    if not run.constraints:
        names = ", ".join(run.evaluator.metrics)
        raise InputError(
            f"there is nothing to generate for: set config.constraints to one of {names}, as 'macs <= 300e6', or "
            "config.evaluator.accuracy_file"
        )
    check_score(run)
    return run


def generate_pools(run: Setting, params: Any) -> dict[str, Samples]:
    """The unconditional and the constrained pool."""
    pools = {}
    for name in ("unconditional", "constrained"):
        pools[name] = sample_pool(run, name, params)
    return pools


def sample_pool(run: Setting, name: str, params: Any) -> Samples:
    """Generates the pool of that name, "unconditional" or "constrained", which is also its stream of randomness."""
    sampler, args = make_sampler(run, constrained=name == "constrained"), {"bands": run.constraints.bands()}
    with run.phases(f"{name} samples") as progress:
        return sampler(run.key(name), run.config.num_samples, params, args, progress=progress)


def make_sampler(run: Setting, *, constrained: bool, num_steps: int | None = None) -> ShardedSampler:
    """The sampler of the config; a constrained one takes the constraints' bands. `num_steps` stands in for its own."""
    generator, guide = run.generator, None
    if constrained:
        generator, guide = run.refined(generator, Tilt(limits=run.constraints.log_chances())), run.constraints.guide()
    return sharded(
        generator,
        guide=guide,
        num_steps=num_steps or run.config.sampler.num_steps,
        mesh=run.mesh,
    )
