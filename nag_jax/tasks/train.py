"""The task `train`: generate architectures, train them in stages, and keep the weights of the best."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from nag_jax import settings
from nag_jax.datasets import examples
from nag_jax.evaluators import trained
from nag_jax.evaluators.trained import TrainedEvaluator
from nag_jax.objectives import Objectives
from nag_jax.spaces.capabilities import HasPaths
from nag_jax.spaces.distinct import distinct_rows
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
from nag_jax.system.extras import check_installed
from nag_jax.system.fields import to_dict
from nag_jax.tasks import build, constrained
from nag_jax.tasks.check import check_fields, check_setting
from nag_jax.tasks.contract import Task
from nag_jax.tasks.halving import Stage, halve, stages
from nag_jax.tasks.measure import Work
from nag_jax.tasks.plan import Plan
from nag_jax.tasks.setting import Given, Setting, check_score, plan_score, split_space, train_score
from nag_jax.tasks.workdir import Workdir
from nag_jax.training.run import Run, compile_programs

SEEDS = "seeds"
"""The purpose, in the ledger, of the best architecture's further seeds."""
TRAININGS = "trainings"
"""The folder of the workdir that keeps trainings."""
_SPARE = 4
"""How many times the candidates are drawn, of which some compute the same or nothing."""


@dataclasses.dataclass(kw_only=True)
class Training(Setting):
    """A run of this task.

    Attributes:
        evaluator: trains.
        objectives: what architectures are compared by.
        stages: the stages of successive halving.
    """

    evaluator: TrainedEvaluator
    objectives: Objectives
    stages: list[Stage]

    @property
    def seeds(self) -> range:
        """The seeds of the best architecture."""
        return range(self.config.seed, self.config.seed + self.config.halving.seeds)


class Weights(NamedTuple):
    """A whole training of one architecture.

    Attributes:
        seed: the seed.
        run: the training; the average of its state are the variables of the space's `AnyNetwork`.
        variables: those of the architecture's own network, as NumPy arrays.
    """

    seed: int
    run: Run
    variables: Any


class Trained(NamedTuple):
    """What came of a run; its trials are in the ledger.

    Attributes:
        run: the run, checked.
        tokens: the best architecture, `[W]`.
        weights: its trainings, the best by the objective first.
    """

    run: Training
    tokens: np.ndarray
    weights: list[Weights]


def check(config: settings.Train, workdir: Workdir) -> Training:
    """Builds everything, reads the data set, and checks all that can be wrong; changes nothing.

    Raises:
        InputError: something in the config, the data or the workdir is wrong.
    """
    check_fields(config)
    check_installed("safetensors", extra="weights", needed_by="the mode train")
    space = build.make_space(config)
    evaluator = make_evaluator(config, space, workdir)
    setting = check_setting(config, workdir, to_dict(config), Given(space, evaluator, quiet=not parallel.is_first()))
    objectives = build.make_objectives(config, evaluator)
    assert objectives is not None, "an evaluator that trains has an objective"
    check_score(setting)
    return Training(
        objectives=objectives,
        stages=stages(config.halving, config.training.epochs),
        **setting.shared(),
    )


def make_evaluator(config: settings.Train, space: Any, workdir: Workdir) -> TrainedEvaluator:
    """The evaluator that trains on the data set of the config, and keeps trainings in the workdir.

    Raises:
        InputError: the data set can't be read or split, the space has no network to train, or a field is wrong.
    """
    given = build.options(config.dataset, "validation", "test", "seed")
    found = examples.make(given.pop("name"), **{name: value for name, value in given.items() if value != 0})
    source = config.dataset
    return trained.load(
        data=examples.split(found, validation=source.validation, test=source.test, seed=source.seed),
        recipe=config.training,
        space=space,
        sizes=config.sizes,
        metric=config.evaluator.metric,
        folder=workdir.folder(TRAININGS),
        mesh=parallel.make_local_mesh(),
    )


def plan(ready: Training) -> Plan:
    """What `run` would do and cost."""
    trials = ready.workdir.trials(ready.evaluator)
    paid = {stage.purpose: sum(trial.purpose == stage.purpose for trial in trials) for stage in ready.stages}
    wanted = {stage.purpose: stage.count for stage in ready.stages} | {SEEDS: len(ready.seeds) - 1}
    paid[SEEDS] = sum(trial.purpose == SEEDS for trial in trials)
    epochs = sum(stage.count * (stage.epochs - before) for before, stage in _with_before(ready.stages))
    epochs += wanted[SEEDS] * ready.config.training.epochs
    done = sum(len(trial.curve) for trial in trials if trial.fidelity == trained.FULL)
    return Plan(
        setting=ready,
        metric=ready.objectives.metric,
        labels={purpose: (wanted[purpose], paid[purpose]) for purpose in wanted},
        samples={"candidates": _SPARE * ready.config.halving.candidates},
        work=[*plan_score(ready), Work("training", epochs, "epochs", min(done, epochs))],
        notes=["The ledger will say how long an epoch takes once some are trained"],
    )


def _with_before(steps: list[Stage]) -> list[tuple[int, Stage]]:
    """The stages, each with the epochs that its architectures have already."""
    return [(steps[i - 1].epochs if i else 0, stage) for i, stage in enumerate(steps)]


def run(ready: Training) -> Trained:
    """Generates candidates, trains them in stages, and trains the best with further seeds."""
    parallel.on_first(ready.claim)
    tokens = candidates(ready, train_score(ready, split_space(ready)))
    with ready.phases("compiling"):
        parallel.on_first(lambda: compile_programs(ready.evaluator.setting, tokens[0]))
    best = np.asarray(parallel.from_first(lambda: best_of(ready, tokens)))
    with ready.phases("weights", "seed"):
        found = parallel.on_first(lambda: weights_of(ready, best)) or []
    return Trained(ready, best, found)


def candidates(run: Training, params: Any) -> np.ndarray:
    """Generated architectures that differ, connect their input with their output and keep to the constraints.

    Raises:
        InputError: too few of those that were generated do.
    """
    count = run.config.halving.candidates
    sampler = constrained.make_sampler(run, constrained=bool(run.constraints))
    with run.phases("candidates", "sample") as progress:
        samples = sampler(
            run.key("candidates"), _SPARE * count, params, {"bands": run.constraints.bands()}, progress=progress
        )
    tokens = samples.tokens[samples.valid]
    tokens = tokens[run.constraints.hold(tokens) & _connected(run.space, tokens)]
    tokens = tokens[distinct_rows(run.space.canonical(tokens))]
    if len(tokens) < count:
        raise InputError(
            f"{len(tokens)} of the architectures that were generated differ and keep to the constraints, and "
            f"config.halving.candidates asks for {count}: lower it, or widen config.constraints"
        )
    return tokens[:count]


def _connected(space: Any, tokens: np.ndarray) -> np.ndarray:
    return space.connected(tokens) if isinstance(space, HasPaths) else np.ones(len(tokens), bool)


def best_of(run: Training, tokens: np.ndarray) -> list[int]:
    """Trains the candidates `[B, W]` in stages, and the best of them with further seeds; returns it."""
    with run.workdir.ledger(run.evaluator) as ledger:
        with run.phases("training", "label") as progress:
            best = halve(
                ledger, run.evaluator, run.objectives, tokens, run.stages, seed=run.config.seed, progress=progress
            )
        with run.phases("further seeds", "seed") as progress:
            for done, seed in enumerate(run.seeds[1:]):
                progress(done, len(run.seeds) - 1)
                ledger.label(best[None], SEEDS, fidelity=run.evaluator.fidelity(run.config.training.epochs), seed=seed)
    return best.tolist()


def weights_of(run: Training, tokens: np.ndarray) -> list[Weights]:
    """The trainings of the best architecture that didn't fail, restored, the best by the objective first."""
    found = [Weights(seed, *run.evaluator.weights(tokens, seed)) for seed in run.seeds]
    good = [weights for weights in found if not weights.run.reason]
    labels = [run.evaluator.labels(weights.run) for weights in good]
    worth = run.objectives.utilities(run.objectives.of_each(labels))
    return [good[i] for i in np.argsort(-worth, kind="stable")]


def task() -> Task:
    """The task."""
    return Task(check, plan, run)
