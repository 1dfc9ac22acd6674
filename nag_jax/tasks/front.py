"""The task `front`: a pool that covers the front of several objectives, and labels for the best few of it."""

from collections import Counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.evaluators import Evaluator
from nag_jax.generators.contract import Samples
from nag_jax.generators.sharded import ShardedSampler, sharded
from nag_jax.guidance import chain, pareto
from nag_jax.guidance.calibrate import estimate_spread
from nag_jax.guidance.constraints import read_worst
from nag_jax.objectives.fronts import Box, choose, redundant
from nag_jax.settings import Front
from nag_jax.spaces.capabilities import HasCosts
from nag_jax.spaces.distinct import distinct_rows, random_distinct
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
from nag_jax.system.extras import check_installed
from nag_jax.system.fields import to_dict
from nag_jax.system.keys import sample_keys
from nag_jax.tasks import build
from nag_jax.tasks.aim import PROGRESS, SPREAD_SAMPLES
from nag_jax.tasks.check import check_setting
from nag_jax.tasks.contract import Task
from nag_jax.tasks.front_run import Run, kind_of
from nag_jax.tasks.known import MEASURED, PAID, Known, box_of, know
from nag_jax.tasks.plan import Plan
from nag_jax.tasks.pool import FINAL, TRAINING
from nag_jax.tasks.setting import check_score, plan_score, split_space, train_score, unlabelled
from nag_jax.tasks.workdir import Workdir

_REFERENCE = 2**14
"""Unlabelled architectures at most on which aims are measured."""
_LADDER = 8
"""Shares between the least and the greatest, which preferences take in turn."""


class Learned(NamedTuple):
    """What a pool starts from.

    Attributes:
        score_params: parameters of the generator.
        labelled: architectures with a paid label, `[L, N]`, and their values `[L, M]`, NaN where one isn't known.
        known: models of the objectives.
        reference: unlabelled architectures, `[R, N]`.
        spread: how far estimates are from final values, as `measure_spread` found.
        redundant: pairs of objectives that rank the reference alike.
    """

    score_params: Any
    labelled: tuple[np.ndarray, np.ndarray]
    known: Known
    reference: np.ndarray
    spread: np.ndarray
    redundant: list[tuple[str, str]]


class Fronts(NamedTuple):
    """What came of it.

    Attributes:
        run: the run, checked.
        learned: what the pools started from.
        pools: name to what was generated.
        final: tokens `[F, N]` that were labelled and measured at the end.
        final_values: their values `[F, M]`, higher is better.
        box: what counts, by the reference's predictions and the bounds.
    """

    run: Run
    learned: Learned
    pools: dict[str, Samples]
    final: np.ndarray
    final_values: np.ndarray
    box: Box


def check(config: Front, workdir: Workdir) -> Run:
    """Builds everything and checks all that can be wrong; changes nothing.

    Raises:
        InputError: something in the config, the data or the workdir is wrong.
    """
    setting = check_setting(config, workdir, to_dict(config))
    check_installed("moocore", extra="hypervolume", needed_by="a front")
    space, evaluator = setting.space, setting.evaluator
    measuring = build.make_evaluator_of(config.measure, space, "training") if config.measure.name else None
    costs = dict(getattr(evaluator, "costs", None) or (space.costs() if isinstance(space, HasCosts) else {}))
    found = [kind_of(name, evaluator, measuring, costs) for name in config.objectives]
    metrics, kinds = tuple(metric for metric, _ in found), tuple(kind for _, kind in found)
    if len(set(config.objectives)) < len(config.objectives):
        raise InputError(f"config.objectives names one twice, {config.objectives!r}: leave it out once")
    check_score(setting)
    for kind, source, wanted in (
        (PAID, evaluator, config.labels.training + config.labels.final),
        (MEASURED, measuring, config.measure.training + config.labels.final),
    ):
        if kind in kinds and source is not None and not 2 <= wanted <= source.num_distinct:
            raise InputError(
                f"config asks for {wanted:,} labels of {source.name}, which has {source.num_distinct:,} architectures "
                "that differ: ask for 2 or more, and no more than there are"
            )
    run = Run(metrics=metrics, kinds=kinds, costs=costs, measuring=measuring, worst={}, **setting.shared())
    run.worst = read_worst(config.aims.bounds, metrics, "config.aims.bounds")
    return run


def run(ready: Run) -> Fronts:
    """Learns the space and the objectives, generates pools, and pays for the best of the guided one."""
    parallel.on_first(ready.claim)
    learned = learn(ready)
    box = box_of(learned.known.values(learned.reference), ready.worst)
    pools = generate_pools(ready, learned)
    with ready.phases("labels of the best", "label") as progress:
        final = choose_final(ready, learned, pools["guided"], box)
        values = ready.values(final, FINAL, progress) if len(final) else np.zeros((0, len(ready.metrics)))
    return Fronts(ready, learned, pools, final, values, box)


def learn(run: Run) -> Learned:
    """Trains the generator, pays for labels and measurements of random architectures, and models the objectives."""
    tokens = split_space(run)
    params = train_score(run, tokens)
    tokens = unlabelled(run, tokens)
    reference = tokens[np.random.default_rng(run.config.seed).permutation(len(tokens))[:_REFERENCE]]
    empty = np.zeros((0, run.space.width), np.int32), np.zeros((0, 0))
    labels, measurements = empty, empty
    if run.of_kind(PAID):
        labels = _label(run, "labels for training", "labels", run.evaluator, run.config.labels.training, run.pay)
    if run.measuring is not None and run.of_kind(MEASURED):
        count = run.config.measure.training
        measurements = _label(run, "measurements", "measurements", run.measuring, count, run.measured)
    with run.phases("models of the objectives"):
        known = know(
            run.space,
            run.metrics,
            run.kinds,
            costs=run.costs,
            labels=labels,
            measurements=measurements,
            normalization=run.config.aims.normalization,
            reference=reference,
        )
    values = np.full((len(labels[0]), len(run.metrics)), np.nan)
    values[:, run.of_kind(PAID)] = labels[1]
    alike = redundant(known.values(reference), run.names)
    with run.phases("aim"):
        spread = measure_spread(run, params, known, reference)
    return Learned(params, (labels[0], values), known, reference, spread, alike)


def _label(run: Run, phase: str, stream: str, evaluator: Evaluator, count: int, pay) -> tuple[np.ndarray, np.ndarray]:
    """Labels of random architectures that differ: tokens `[L, N]` and values of those that didn't fail."""
    with run.phases(phase, "label") as progress:
        tokens = random_distinct(run.space, run.key(stream), count, covers=evaluator.covers)
        values = pay(tokens, TRAINING, progress)
    good = np.isfinite(values).all(axis=1)
    if good.sum() < 2:
        raise InputError(f"{good.sum()} of {len(good)} {phase} are finite, too few to learn from: ask for more")
    return tokens[good], values[good]


def generate_pools(run: Run, learned: Learned) -> dict[str, Samples]:
    """The unconditional and the guided pool, the latter in rounds that aim further each."""
    n, pools, reference = run.config.num_samples, {}, learned.reference
    with run.phases("unconditional samples") as progress:
        sampler = sharded(run.generator, guide=None, num_steps=run.config.sampler.num_steps, mesh=run.mesh)
        pools["unconditional"] = sampler(run.key("unconditional"), n, learned.score_params, progress=progress)
    sampler = make_sampler(run, learned.known)
    with run.phases("guided samples") as progress:
        for i in range(run.config.aims.rounds):
            args = aim_at(run, learned.known, reference, learned.spread)
            samples = sampler(run.key(f"guided {i}"), n, learned.score_params, args, progress=progress)
            reference = np.concatenate([reference, samples.tokens[samples.valid]])
    pools["guided"] = samples
    return pools


def make_sampler(run: Run, known: Known) -> ShardedSampler:
    """The sampler of guided pools, which is given what `aim_at` returns."""
    if run.config.aims.rule == "linear_sum":
        guide, tilt = pareto.sum_guide(known.estimates), pareto.sum_tilt(known.estimates)
    else:
        guide, tilt = pareto.aim_guide(known.estimates), pareto.aim_tilt(known.estimates)
    bands = run.constraints.guide()
    generator = run.refined(run.generator, tilt._replace(limits=run.constraints.log_chances()))
    guide = guide if bands is None else chain(guide, bands)
    return sharded(pareto.with_own(generator), guide=guide, num_steps=run.config.sampler.num_steps, mesh=run.mesh)


def aim_at(run: Run, known: Known, reference: np.ndarray, spread: np.ndarray) -> dict[str, Any]:
    """What guides: the models, and aims by the config's rule, measured on unlabelled architectures.

    Args:
        run: the run.
        known: models of the objectives.
        reference: unlabelled architectures `[R, N]`.
        spread: how far estimates are from final values, as `measure_spread` found.
    """
    config = run.config.aims
    values = known.predict(reference)[0]
    worst = values.min(axis=0)
    for place, bound in run.worst.items():
        column = known.order.index(place)
        worst[column] = min(known.from_units(place, bound), values[:, column].max())
    inside = (values >= worst).all(axis=1)
    values = values[inside] if inside.sum() >= len(known.order) * _LADDER else values
    preferences = np.repeat(pareto.das_dennis(len(known.order), config.divisions), _LADDER, axis=0)
    shares = np.tile(np.geomspace(config.shares[0], config.shares[1], _LADDER), len(preferences) // _LADDER)
    width = values.max(axis=0) - worst
    if config.rule == "linear_sum":
        aims = preferences / np.where(width > 0, width, 1.0)
    elif config.rule == "achievement":
        aims = pareto.achievement(values, preferences, shares, worst)
    else:
        aims = pareto.epsilon_constraint(values, shares, worst, run.config.seed)
    return {
        **known.args,
        "aims": np.asarray(aims, np.float32),
        "scale": np.float32(config.scale),
        "softness": np.asarray(config.softness * np.where(width > 0, width, 1.0), np.float32),
        "progress": PROGRESS,
        "spread": spread,
        "bands": run.constraints.bands(),
    }


def measure_spread(run: Run, score_params: Any, known: Known, reference: np.ndarray) -> np.ndarray:
    """How far estimates of the learned objectives are from final values, by progress, float32 `[T, L]`."""
    few, estimates = reference[:SPREAD_SAMPLES], known.estimates
    if not estimates.num_learned:
        return np.zeros((len(PROGRESS), 0), np.float32)

    @jax.jit
    def measured(params, args, keys, tokens):
        return estimate_spread(
            lambda keys, tokens, progress: run.generator.believe(params, keys, tokens, progress),
            keys,
            lambda x: estimates.of_learned(args, x)[0],
            run.space.encode(tokens),
            tokens,
            jnp.asarray(PROGRESS),
        )

    keys = sample_keys(run.key("spread"), len(few))
    return np.asarray(measured(score_params, known.args, keys, few), np.float32)


def choose_final(run: Run, learned: Learned, samples: Samples, box: Box) -> np.ndarray:
    """The generated architectures to be labelled, tokens `[F, N]`: those that add most hypervolume, by caution.

    Predictions are lowered, for the best of many are the luckiest; of what computes the same, the cheapest stands.
    """
    tokens = new_tokens(run, samples, learned.labelled[0])
    if not len(tokens):
        return tokens
    values = learned.known.values(tokens, caution=run.config.aims.caution)
    order = np.argsort(-box.scale(values).sum(axis=1), kind="stable")
    tokens, values = tokens[order], values[order]
    first = distinct_rows(run.space.canonical(tokens))
    return tokens[first][choose(values[first], box, run.config.labels.final)]


def new_tokens(run: Run, samples: Samples, labelled: np.ndarray) -> np.ndarray:
    """The generated architectures that can be labelled, and aren't, tokens `[B, N]`."""
    tokens = samples.tokens[samples.valid]
    known = run.evaluator.covers(tokens) & run.constraints.hold(tokens)
    if run.measuring is not None:
        known &= run.measuring.covers(tokens)
    tokens = tokens[known]
    return tokens[~np.isin(run.space.canonical(tokens), run.space.canonical(labelled))]


def plan(ready: Run) -> Plan:
    """What `run` would do and cost."""
    config = ready.config
    wanted = {TRAINING: config.labels.training, FINAL: config.labels.final} if ready.of_kind(PAID) else {}
    trials = parallel.on_first(lambda: ready.workdir.trials(ready.evaluator))
    paid = Counter(trial.purpose for trial in trials or [])
    n = config.num_samples
    notes = [
        f"Objectives: {', '.join(f'{name} ({kind})' for name, kind in zip(ready.names, ready.kinds, strict=True))}"
    ]
    if ready.of_kind(MEASURED):
        notes.append(f"{config.measure.training + config.labels.final:,} measurements come beside the labels")
    return Plan(
        setting=ready,
        metric=ready.metrics[0],
        labels={purpose: (count, paid[purpose]) for purpose, count in wanted.items()},
        samples={"unconditional": n, "guided": n * config.aims.rounds},
        work=plan_score(ready),
        notes=notes,
    )


def task() -> Task:
    """The task."""
    return Task(check, plan, run)
