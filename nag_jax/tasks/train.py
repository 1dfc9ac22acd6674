"""The task `train`: generate architectures, train them in stages, and keep the weights of the best."""

import dataclasses
import functools
from typing import Any, NamedTuple

import numpy as np

from nag_jax import settings
from nag_jax.datasets import examples
from nag_jax.evaluators import trained
from nag_jax.evaluators.trained import TrainedEvaluator
from nag_jax.objectives import Objectives
from nag_jax.settings.search import Strategy, default_options
from nag_jax.spaces.capabilities import HasPaths
from nag_jax.spaces.distinct import distinct_rows
from nag_jax.strategies.course import Course
from nag_jax.strategies.halving import Ladder, Standing, climb
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
from nag_jax.system.extras import check_installed
from nag_jax.system.fields import to_dict
from nag_jax.tasks import build, constrained
from nag_jax.tasks.check import check_fields, check_setting
from nag_jax.tasks.contract import Task
from nag_jax.tasks.halving import expected, make_ladder, make_limits
from nag_jax.tasks.measure import Work
from nag_jax.tasks.plan import Plan
from nag_jax.tasks.setting import Given, Setting, check_score, plan_score, split_space, train_score
from nag_jax.tasks.strategy import make_strategy
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
        ladder: the stages of successive halving.
    """

    evaluator: TrainedEvaluator
    objectives: Objectives
    ladder: Ladder

    @property
    def seeds(self) -> range:
        """The seeds of the best architecture."""
        return range(self.config.seed, self.config.seed + self.config.halving.seeds)

    @property
    def begun(self) -> int:
        """How many architectures are generated and begun: all candidates, or those that a strategy begins with."""
        given = self.config.halving
        return min(given.candidates, given.initial) if given.strategy else given.candidates

    def may_be_labelled(self, tokens: np.ndarray) -> np.ndarray:
        """Bool `[B]`: whether tokens `[B, W]` connect input with output and keep to the constraints."""
        return self.constraints.hold(tokens) & _connected(self.space, tokens)


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
    run = Training(objectives=objectives, ladder=make_ladder(config.halving, evaluator, objectives), **setting.shared())
    if config.halving.strategy:
        make_course(run, None, np.zeros((0, space.width), np.int32))
    return run


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
    trials, given = ready.workdir.trials(ready.evaluator), ready.config.halving
    counts, rungs = expected(given, ready.ladder), ready.ladder.rungs
    wanted = {rung.purpose: count for rung, count in zip(rungs, counts, strict=True)} | {SEEDS: len(ready.seeds) - 1}
    paid = {purpose: sum(trial.purpose == purpose for trial in trials) for purpose in wanted}
    epochs = sum(count * ready.ladder.epochs(level) for level, count in enumerate(counts))
    epochs = min(epochs, given.epochs or epochs) + wanted[SEEDS] * ready.config.training.epochs
    done = sum(len(trial.curve) for trial in trials if trial.fidelity == trained.FULL)
    notes = ["The ledger will say how long an epoch takes once some are trained"]
    if given.strategy:
        notes.append("How many go on depends on what comes: the stages' numbers are what is expected")
    if given.seconds:
        notes.append(f"Before the further seeds, trainings end after {given.seconds:g} s in all")
    return Plan(
        setting=ready,
        metric=ready.objectives.metric,
        labels={purpose: (wanted[purpose], paid[purpose]) for purpose in wanted},
        samples={"candidates": _SPARE * ready.begun},
        work=[*plan_score(ready), Work("training", epochs, "epochs", min(done, epochs))],
        notes=notes,
    )


def run(ready: Training) -> Trained:
    """Generates candidates, trains them in stages, and trains the best with further seeds."""
    parallel.on_first(ready.claim)
    params = train_score(ready, split_space(ready))
    tokens = candidates(ready, params)
    with ready.phases("compiling"):
        parallel.on_first(lambda: compile_programs(ready.evaluator.setting, tokens[0]))
    best = np.asarray(parallel.from_first(lambda: best_of(ready, params, tokens)))
    with ready.phases("weights", "seed"):
        found = parallel.on_first(lambda: weights_of(ready, best)) or []
    return Trained(ready, best, found)


def candidates(run: Training, params: Any) -> np.ndarray:
    """Generated architectures that differ, connect their input with their output and keep to the constraints.

    Raises:
        InputError: too few of those that were generated do.
    """
    count = run.begun
    sampler = constrained.make_sampler(run, constrained=bool(run.constraints))
    with run.phases("candidates", "sample") as progress:
        samples = sampler(
            run.key("candidates"), _SPARE * count, params, {"bands": run.constraints.bands()}, progress=progress
        )
    tokens = samples.tokens[samples.valid]
    tokens = tokens[run.may_be_labelled(tokens)]
    tokens = tokens[distinct_rows(run.space.canonical(tokens))]
    if len(tokens) < count:
        raise InputError(
            f"{len(tokens)} of the architectures that were generated differ and keep to the constraints, and "
            f"config.halving asks for {count}: lower its candidates, or widen config.constraints"
        )
    return tokens[:count]


def _connected(space: Any, tokens: np.ndarray) -> np.ndarray:
    return space.connected(tokens) if isinstance(space, HasPaths) else np.ones(len(tokens), bool)


def best_of(run: Training, params: Any, tokens: np.ndarray) -> list[int]:
    """Trains architectures in stages, those that were generated, `[B, W]`, first, and the best with further seeds."""
    with run.workdir.ledger(run.evaluator) as ledger:
        with run.phases("training", "label") as progress:
            limits, course = make_limits(run.config.halving), make_course(run, params, tokens)
            total = sum(expected(run.config.halving, run.ladder))

            def report(standing: Standing) -> None:
                progress(min(total, len(standing.trials)), total)

            begin = functools.partial(begin_next, run, course, tokens)
            standing = climb(run.ladder, ledger, begin, limits=limits, seed=run.config.seed, progress=report)
            progress(total, total)
        best = run.space.from_native([standing.best().architecture])
        with run.phases("further seeds", "seed") as progress:
            for done, seed in enumerate(run.seeds[1:]):
                progress(done, len(run.seeds) - 1)
                ledger.label(best, SEEDS, fidelity=trained.FULL, seed=seed)
    return best[0].tolist()


def make_course(run: Training, params: Any, tokens: np.ndarray) -> Course | None:
    """The course of the strategy that decides what begins after tokens `[B, W]`; None where none does."""
    name = run.config.halving.strategy
    if not name:
        return None
    strategy = make_strategy(run, Strategy(name=name, own=default_options(name)), params)
    return Course(
        key=run.key("strategy"),
        strategy=strategy,
        space=run.space,
        objectives=run.objectives,
        initial=len(tokens),
        design=lambda n: tokens[:n],
    ).start()


def begin_next(run: Training, course: Course | None, tokens: np.ndarray, standing: Standing) -> np.ndarray:
    """What begins next, tokens `[m, W]`: of the generated ones, `[B, W]`, the rest, then what a strategy says."""
    begun = standing.keys
    left = tokens[[key not in begun for key in run.space.canonical(tokens).tolist()]]
    if len(left) or course is None:
        return left[:1]
    return course.tell(standing.told()).ask(1, at=len(begun))[0]


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
