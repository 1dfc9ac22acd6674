"""Checks of every task, before anything is paid for or written: one list for all of them."""

from typing import Any

from nag_jax.guidance.clamp import clamped
from nag_jax.objectives import Metric, Objectives
from nag_jax.settings import Generate, Settings, Transfer
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
from nag_jax.system.events import Events
from nag_jax.system.fields import check
from nag_jax.system.progress import Phases
from nag_jax.tasks import build
from nag_jax.tasks.aim import Guidance
from nag_jax.tasks.setting import Given, Setting
from nag_jax.tasks.workdir import Workdir

_EVERY = ("seed", "space", "choices", "evaluator", "generator", "sde", "score", "sampler")
_GENERATE = (*_EVERY, "num_samples", "labels", "predictor", "guidance")
FIELDS = {
    "front": (*_EVERY, "num_samples", "labels", "measure", "aims"),
    "generate": _GENERATE,
    "stream": (*_GENERATE, "stream"),
    "search": (*_EVERY, "search", "strategies", "run", "seeds"),
    "train": (*_EVERY, "dataset", "network", "training", "halving"),
}
"""Mode to the fields and blocks of a config that it reads."""


def check_setting(config: Settings, workdir: Workdir, identity: dict[str, Any], given: Given | None = None) -> Setting:
    """Builds what all tasks share, and checks every block that more than one of them reads; changes nothing.

    Such a block is checked wherever a config has it, whether or not its mode reads it.

    Args:
        config: the settings of the run.
        workdir: the folder of the run.
        identity: the fields that make the folder this run's.
        given: what the caller has made already, None for nothing.

    Raises:
        InputError: something in the config, the data or the folder is wrong.
    """
    check_fields(config)
    check(config)
    parallel.on_first(lambda: workdir.check(identity))
    if given is None:
        space = build.make_space(config)
        given = Given(space, build.make_evaluator(config, space), quiet=not parallel.is_first())
    space, evaluator = given.space, given.evaluator
    model: Any = build.make_model(config, space) if given.generator is None else None
    run = Setting(
        config=config,
        workdir=workdir,
        identity=identity,
        space=space,
        evaluator=evaluator,
        constraints=build.make_constraints(config, space, evaluator),
        model=model,
        generator=clamped(given.generator, space) if given.generator else build.make_generator(config, space, model),
        mesh=parallel.make_mesh(),
        phases=Phases(quiet=given.quiet, events=Events(*filter(None, [given.callback]))),
        score_params=given.score_params,
        training_tokens=given.training_tokens,
    )
    _check_prior(config)
    if config.sampler.refine.sweeps or config.sampler.refine.trades:
        _ = space.choices  # refused where they can't be refined by
    config.score.training.optimizer()
    guidance = Guidance(run.constraints.guide())
    if isinstance(config, Generate):
        config.predictor.training.optimizer()
        build.check_guidance(config)
        objectives = build.make_objectives(config, evaluator) or Objectives((Metric("none"),))
        predictor = build.make_predictor(config, space, len(objectives))
        guidance = build.make_guidance(config, predictor, objectives, run.constraints)
    build.check_coupling(config, run.guided_generator(guidance), guidance.guide, run.mesh.size)
    return run


def _check_prior(config: Settings) -> None:
    """Raises InputError where a prior is asked for that can't be learned, or would be lost."""
    given, family = config.score.prior, config.generator.name
    if given.tilt and not (isinstance(config, Transfer) and config.mode == "generate"):
        raise InputError(
            "config.score.prior.tilt learns from the data sets of a transfer, and generates: use it with "
            "configs/nb201_transfer.py or configs/nb_graph_transfer.py and config.mode=generate, or name a corpus"
        )
    if given.is_set and family == "exact":
        raise InputError(
            "the exact generator learns nothing, and so no prior: set config.generator.name=gaussian or masked"
        )
    if given.scale and family != "masked":
        raise InputError(
            f"config.score.prior.scale needs the family that learns for data sets, found {family}: set "
            "config.generator.name=masked, or scale to 0"
        )
    if given.is_set and (config.sampler.refine.sweeps or config.sampler.refine.trades):
        raise InputError(
            "config.sampler.refine draws choices anew as if architectures were alike before labels, which a prior "
            "learns that they aren't: set its sweeps and trades to 0, or leave out config.score.prior"
        )


def check_fields(config: Settings) -> None:
    """Raises InputError where the settings lack a field of their mode."""
    if missing := [field for field in FIELDS.get(config.mode, _EVERY) if not hasattr(config, field)]:
        raise InputError(
            f"config.mode={config.mode} needs config.{missing[0]}, which this config hasn't: name a config that has "
            "it, of those that `python -m experiments.main` lists"
        )
