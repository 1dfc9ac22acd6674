"""Plans of `nag_jax.tasks.learn`: what it would pay for and train, and what generation from there would cost."""

from collections import Counter
from math import ceil

import jax
import numpy as np

from nag_jax.guidance.additive import Additive
from nag_jax.predictors.fit import regression_loss
from nag_jax.predictors.labels import normalize_each
from nag_jax.system import parallel
from nag_jax.tasks import build, transfer
from nag_jax.tasks.aim import PROGRESS, make_aim
from nag_jax.tasks.learn import Run, make_sampler, predictor_checkpoints, steps_of_pool
from nag_jax.tasks.measure import Work, measure_sampler, plan_fit
from nag_jax.tasks.pool import TRAINING
from nag_jax.tasks.setting import latest_step, plan_score


def plan_labels(run: Run, final: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Purpose to the labels wanted and those paid already, for learning and, as given, for what comes after it."""
    if run.transfer is None:
        wanted = {TRAINING: run.config.labels.training}
    else:
        wanted = {transfer.LANDMARKS: len(run.transfer.landmarks)}
    trials = parallel.on_first(lambda: run.workdir.trials(run.evaluator))
    paid = Counter(trial.purpose for trial in trials or [])
    return {purpose: (count, paid[purpose]) for purpose, count in (wanted | final).items() if count}


def plan_learning(run: Run) -> list[Work]:
    """The networks that `learn` would still train. Fitting a meta-predictor isn't measured."""
    work = plan_score(run)
    return work if run.transfer is not None else [*work, _plan_predictor(run)]


def plan_sampling(run: Run, name: str, n: int, *, pools: float = 1, guided: bool = True) -> Work:
    """The generation of so many pools of n samples; without guidance where that needs a fitted meta-predictor.

    A pool takes as many evaluations of the network as its time grid has steps, and one more to denoise.
    """
    denoises = run.config.sampler.final == "denoise"
    count = ceil(pools * (steps_of_pool(run.config, guided=guided) + denoises))
    guided = guided and run.transfer is None
    seconds, memory = measure_sampler(
        make_sampler(run, guided=guided, num_steps=1),
        n,
        run.generator.init(jax.random.key(0)),
        _any_guidance(run) if guided else None,
        evaluations=1 + denoises,
        mesh=run.mesh,
    )
    return Work(name, count, f"evaluations of {n:,} samples", 0, seconds, memory)


def notes_of(run: Run) -> list[str]:
    """What the estimate leaves out."""
    notes = [] if run.transfer is None else ["Fitting the meta-predictor and its guidance come on top"]
    return notes if run.evaluator.batch_size > 1 else [*notes, "So does the evaluator's own time for each label"]


def _plan_predictor(run: Run) -> Work:
    recipe = run.config.predictor.training
    done = recipe.num_steps if run.predictor_params is not None else latest_step(predictor_checkpoints(run))

    def parts():
        untrained = run.generator.init(jax.random.key(0))
        view = build.make_view(run.config, run.space, run.generator, untrained)
        loss = regression_loss(run.predictor, view, batch_size=recipe.batch_size)
        tokens = run.space.random(jax.random.key(0), run.config.labels.training)
        return run.predictor.init, loss, (tokens, np.zeros((len(tokens), len(run.objectives)), np.float32))

    return plan_fit("predictor", recipe, done, parts, mesh=run.mesh)


def _any_guidance(run: Run):
    """What the guide takes, of any values."""
    scales = None if run.objectives.is_single else normalize_each(np.zeros((2, len(run.objectives))), "z")[1]
    aimed = make_aim(run.predictor.init(jax.random.key(0)), 0.0, [1.0] * len(PROGRESS), scale=1.0, scales=scales)
    if run.config.sampler.refine.trades:
        table = np.zeros(run.space.allowed.shape, np.float32)
        aimed["additive"] = Additive(np.float32(0.0), table, np.float32(1.0))
    return aimed | {"bands": run.constraints.bands()}
