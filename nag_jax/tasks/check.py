"""What every task refuses before anything is paid for or written: one list for all of them."""

from typing import Any

from nag_jax.settings import Generate, Settings
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
from nag_jax.system.fields import check
from nag_jax.system.progress import Phases
from nag_jax.tasks import build
from nag_jax.tasks.aim import Guidance
from nag_jax.tasks.setting import Setting
from nag_jax.tasks.workdir import Workdir

_EVERY = ("seed", "space", "evaluator", "sde", "score", "sampler")
_GENERATE = (*_EVERY, "num_samples", "labels", "predictor", "guidance")
FIELDS = {
    "generate": _GENERATE,
    "stream": (*_GENERATE, "stream"),
    "search": (*_EVERY, "search", "strategies", "run", "seeds"),
}
"""Mode to the fields and blocks of a config that it reads."""


def check_setting(config: Settings, workdir: Workdir, identity: dict[str, Any]) -> Setting:
    """Builds what all tasks share, and checks every block that more than one of them reads; changes nothing.

    Such a block is checked wherever a config has it, whether or not its mode reads it.

    Args:
        config: the settings of the run.
        workdir: the folder of the run.
        identity: the fields that make the folder this run's.

    Raises:
        InputError: something in the config, the data or the folder is wrong.
    """
    check_fields(config)
    check(config)
    parallel.on_first(lambda: workdir.check(identity))
    space = build.make_space(config)
    evaluator = build.make_evaluator(config, space)
    model = build.make_score_model(config, space)
    run = Setting(
        config=config,
        workdir=workdir,
        identity=identity,
        space=space,
        evaluator=evaluator,
        constraints=build.make_constraints(config, space, evaluator),
        model=model,
        generator=build.make_generator(config, space, model),
        mesh=parallel.make_mesh(),
        phases=Phases(quiet=not parallel.is_first()),
    )
    config.score.training.optimizer()
    given = Guidance(run.constraints.guide() if run.constraints else None)
    if isinstance(config, Generate):
        config.predictor.training.optimizer()
        build.check_guidance(config)
        given = build.make_guidance(config, build.make_predictor(config, space), run.constraints)
    build.check_sampler(config, space, model, given, run.mesh.size)
    return run


def check_fields(config: Settings) -> None:
    """Raises InputError where the settings lack a field of their mode."""
    if missing := [field for field in FIELDS.get(config.mode, _EVERY) if not hasattr(config, field)]:
        raise InputError(
            f"config.mode={config.mode} needs config.{missing[0]}, which this config hasn't: name a config that has "
            "it, of those that `python -m experiments.main` lists"
        )
