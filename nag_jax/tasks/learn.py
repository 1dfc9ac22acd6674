"""The preparation of every guided mode: learn the space, learn a predictor, aim.

The predictor learns from a few labels that are paid for, or from other data sets; see `nag_jax.tasks.transfer`.
"""

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import jax
import numpy as np

from nag_jax.fitting.checkpoint import Checkpoints, checksum
from nag_jax.fitting.fit import restore
from nag_jax.generators.sharded import ShardedSampler, sharded
from nag_jax.guidance.additive import Additive
from nag_jax.objectives import Metric, Objectives
from nag_jax.predictors import Predictor
from nag_jax.predictors.fit import fit_predictor
from nag_jax.predictors.labels import Scales, normalize_each
from nag_jax.settings import Generate
from nag_jax.spaces.distinct import random_distinct
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
from nag_jax.system.fields import to_dict
from nag_jax.tasks import build, learned_prior, transfer
from nag_jax.tasks.aim import PROGRESS, Guidance, additive_model, feasible, make_aim, measure, predict_utility
from nag_jax.tasks.check import check_setting
from nag_jax.tasks.pool import TRAINING
from nag_jax.tasks.setting import Setting, check_score, split_space, train_score, unlabelled
from nag_jax.tasks.transfer import Transfer
from nag_jax.tasks.workdir import LEDGER, Workdir


@dataclasses.dataclass(kw_only=True)
class Run(Setting):
    """What the phases of runs with an objective share, checked by `checked`.

    Attributes:
        objectives: the metrics that count, and their utility.
        predictor: the model of them.
        predictor_params: those of a predictor that is trained already.
        transfer: what the predictor learns from, where that isn't paid labels.
    """

    objectives: Objectives
    predictor: Predictor
    predictor_params: Any = None
    transfer: Transfer | None = None

    @property
    def metric(self) -> Metric:
        """What is searched by: the objective, or the utility of several."""
        return self.objectives.metric

    def claim(self) -> None:
        """Makes the workdir the run's own, once its ledger is known to be intact and of this evaluator."""
        if self.workdir.holds(LEDGER):
            with self.workdir.ledger(self.evaluator):
                pass
        super().claim()

    def pay(self, tokens: np.ndarray, purpose: str, progress: Callable[[int, int], None]) -> np.ndarray:
        """Values `[B, M]` of tokens `[B, N]`, paid for through the ledger by the first process; higher is better."""

        def label():
            with self.workdir.ledger(self.evaluator) as ledger:
                return self.objectives.of(ledger.label(tokens, purpose, progress))

        return parallel.from_first(label)

    def pay_for_labels(self, tokens: np.ndarray, purpose: str, progress: Callable[[int, int], None]) -> np.ndarray:
        """Labels `[B]` in the unit of `metric`; see `pay`."""
        return self.objectives.worth(self.pay(tokens, purpose, progress))


@dataclasses.dataclass
class Learned:
    """What generation starts from.

    Attributes:
        training_tokens: what the score network learned from, `[M, N]`.
        score_params: parameters of the score network.
        labelled: architectures that the predictor learned from, `[L, N]`.
        predict: tokens `[B, N]` -> the predicted utility `[B]`, higher is better; see `aim.predicted_utility`.
        guidance: what guides, see `aim`; its `params` are the predictor's.
        in_units: what `predict` gives `[B]` -> in the metric's own unit and direction; as it is where no label says
            what that is, as in transfer.
    """

    training_tokens: np.ndarray
    score_params: Any
    labelled: np.ndarray
    predict: Callable[[np.ndarray], np.ndarray]
    guidance: dict[str, Any]
    in_units: Callable[[np.ndarray], np.ndarray] = lambda predictions: predictions


def learn(run: Run) -> Learned:
    """Runs the phases up to generation, or restores what they left."""
    training_tokens = split_space(run)
    score_params = train_score(run, training_tokens)
    if run.transfer is None:
        labelled, values = pay_for_training(run)
        predictor_params, scales = train_predictor(run, score_params, labelled, values)
        in_units = _in_units(run, values)
    else:
        in_units = Learned.in_units
        labelled, scales = run.transfer.landmarks, None
        predictor_params = transfer.learn(run, run.transfer, score_params, run.pay_for_labels)
    return Learned(
        training_tokens=training_tokens,
        score_params=score_params,
        labelled=labelled,
        predict=lambda tokens: predict_utility(
            run.objectives, scales, run.predictor, predictor_params, run.space.encode(tokens)
        ),
        guidance=aim(
            run, score_params, predictor_params, scales, feasible(run.constraints, unlabelled(run, training_tokens))
        ),
        in_units=in_units,
    )


def _in_units(run: Run, values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """How predictions become the metric's own, given the labels `[L, M]` that the predictor learned from.

    Those of several objectives are their utility in units already; see `aim.predicted_utility`.
    """
    if not run.objectives.is_single:
        return lambda predictions: run.metric.sign * predictions
    scales = normalize_each(values, run.config.predictor.labels)[1]
    return lambda predictions: run.metric.sign * scales.column_to_units(predictions)


def check(config: Generate, workdir: Workdir) -> Run:
    """Builds everything and checks all that can be wrong; changes nothing.

    Raises:
        InputError: something in the config, the data or the workdir is wrong.
    """
    return checked(check_setting(config, workdir, to_dict(config)))


def checked(setting: Setting) -> Run:
    """The run of a setting; checks what only runs with an objective need, and changes nothing.

    Raises:
        InputError: there is no objective, or something in the config, the data or the workdir is wrong.
    """
    config, space, evaluator = setting.config, setting.space, setting.evaluator
    objectives = build.make_objectives(config, evaluator)
    if objectives is None:
        raise InputError(f"{evaluator.name} has no metric to search by: name one with config.evaluator.metric")
    learns_of_others = bool(config.score.prior.tilt)
    if not learns_of_others:  # what the score network needs is wrong sooner than data sets are read
        check_score(setting)
    source = transfer.prepare(config, space, evaluator)
    if learns_of_others:
        if source is not None:
            learned_prior.learn_from_others(setting, source)
        check_score(setting)
    if source is None and config.labels.training < 2:
        raise InputError(f"config.labels.training must be at least 2, found {config.labels.training}")
    wanted = config.labels.training + config.labels.final
    if wanted > setting.num_distinct:
        raise InputError(
            f"config.labels asks for {wanted:,} labels, and {evaluator.name} has {setting.num_distinct:,} "
            "architectures that differ: ask for fewer"
        )
    predictor = build.make_predictor(config, space, len(objectives)) if source is None else source.predictor
    run = Run(objectives=objectives, predictor=predictor, transfer=source, **setting.shared())
    optimizer = config.predictor.training.optimizer()
    if source is None and (kept := predictor_checkpoints(run)) and (step := kept.latest_step()) is not None:
        state = restore(run.predictor.init, optimizer, kept, run.mesh)
        if step == config.predictor.training.num_steps:
            run.predictor_params = jax.device_get(state.ema)
    return run


def make_sampler(run: Run, *, guided: bool, num_steps: int | None = None) -> ShardedSampler:
    """The sampler of the config over the run's devices; a guided one takes `Learned.guidance`.

    `num_steps` stands in for the config's.
    """
    given = Guidance(None)
    if guided:
        given = build.make_guidance(run.config, run.predictor, run.objectives, run.constraints)
    steps = num_steps or steps_of_pool(run.config, guided=guided)
    return sharded(run.guided_generator(given), guide=given.guide, num_steps=steps, mesh=run.mesh)


def steps_of_pool(config: Generate, *, guided: bool) -> int:
    """Steps of the time grid of a guided pool, or of another."""
    return (guided and config.guidance.num_steps) or config.sampler.num_steps


def pay_for_training(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Pays for random architectures that differ: tokens `[L, N]` and values `[L, M]` of those that didn't fail."""
    with run.phases("labels for training", "label") as progress:
        tokens = random_distinct(
            run.space, run.key("labels"), run.config.labels.training, covers=run.evaluator.covers, rows=run.rows
        )
        values = run.pay(tokens, TRAINING, progress)
    good = np.asarray(np.isfinite(values).all(axis=-1))
    if good.sum() < 2:
        raise InputError(
            f"{good.sum()} of {len(good)} training labels are finite, too few to learn from: see the failed trials in "
            f"{run.workdir.place(LEDGER)}, or ask for more with config.labels.training"
        )
    return tokens[good], values[good]


def train_predictor(run: Run, score_params: Any, tokens: np.ndarray, values: np.ndarray) -> tuple[Any, Scales | None]:
    """Trains the predictor on the paid labels, or restores it; returns its parameters and the scales of its values."""
    config = run.config.predictor
    targets, scales = normalize_each(values, config.labels)
    scales = None if run.objectives.is_single else scales
    view = build.make_view(run.config, run.space, run.generator, score_params)
    with run.phases("predictor") as progress, predictor_checkpoints(run) or nullcontext() as checkpoints:
        if run.predictor_params is not None:
            return run.predictor_params, scales
        params = fit_predictor(
            run.key("predictor"),
            run.predictor,
            view,
            tokens,
            targets,
            config.training,
            mesh=run.mesh,
            checkpoints=checkpoints,
            progress=progress,
        )
        return params, scales


def aim(
    run: Run, score_params: Any, predictor_params: Any, scales: Scales | None, tokens: np.ndarray
) -> dict[str, Any]:
    """What guides: the predictor, the value to exceed, and how far estimates are from final values, by time.

    Target and spread are measured with the predictor on unlabelled architectures, so they cost no label. `aim.json`
    keeps them for the networks that they were measured with.

    Args:
        run: the run.
        score_params: the parameters of the score network.
        predictor_params: the parameters of the predictor.
        scales: bring predicted means into units, or None; see `aim.predicted_utility`.
        tokens: unlabelled architectures of the space, `[M, N]`.
    """
    networks = checksum((score_params, predictor_params, scales))
    with run.phases("aim"):
        found = parallel.from_first(lambda: read_aim(run.workdir, networks))
        if found is None:
            predictions, spread = measure(
                run.key("spread"),
                run.generator,
                score_params,
                run.predictor,
                predictor_params,
                run.space,
                tokens,
                objectives=run.objectives,
                scales=scales,
                softness=run.config.guidance.softness,
            )
            target = np.float32(np.quantile(predictions, 1.0 - run.config.guidance.top_share))
            found = {"networks": networks, "target": float(target), "spread": spread}
            parallel.on_first(lambda: run.workdir.write_json("aim.json", found))
    aimed = make_aim(predictor_params, found["target"], found["spread"], scale=run.config.guidance.scale, scales=scales)
    if run.config.sampler.refine.trades:
        x = run.space.encode(tokens)
        model = parallel.from_first(lambda: additive_model(run.objectives, scales, run.predictor, predictor_params, x))
        aimed["additive"] = Additive(*(np.asarray(part, np.float32) for part in model))
    return aimed | {"bands": run.constraints.bands()}


def read_aim(workdir: Workdir, networks: int) -> dict[str, Any] | None:
    """What `aim.json` holds, or None where it was measured with other networks or can't be read."""
    found = workdir.read_json("aim.json")
    try:
        numbers = np.array([found["target"], *found["spread"]])
        readable = numbers.shape == (1 + len(PROGRESS),) and numbers.dtype.kind in "if" and np.isfinite(numbers).all()
        return found if readable and found["networks"] == networks else None
    except (ValueError, KeyError, TypeError):
        return None


def predictor_checkpoints(run: Run) -> Checkpoints | None:
    """Where the run keeps its predictor; None where it keeps none."""
    description = {
        "space": run.space.fingerprint,
        "predictor": run.config.predictor.name,
        "metric": ", ".join(run.objectives.names),
    }
    return run.workdir.checkpoints("predictor", description, max_to_keep=1)
