"""What every mode that generates needs: a run's setting, and a score network trained on its space."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nag_jax.evaluators import Evaluator
from nag_jax.fitting.checkpoint import Checkpoints
from nag_jax.fitting.fit import restore
from nag_jax.generators.contract import Generator
from nag_jax.generators.fit import check_batches, data_and_loss, draw_share, fit_generator
from nag_jax.generators.gaussian.score_model import ScoreModel
from nag_jax.guidance.constraints import Constraints
from nag_jax.spaces import Space
from nag_jax.system.errors import InputError
from nag_jax.system.keys import stream_key
from nag_jax.system.progress import Phases
from nag_jax.tasks.measure import Work, plan_fit
from nag_jax.tasks.workdir import Workdir


@dataclasses.dataclass(kw_only=True)
class Setting:
    """What the phases of any mode share.

    `config` is the settings of the run: `settings.Generate`, `Search` or `Transfer`, as its task takes them. `identity`
    holds those that make the workdir this run's. `score_params` are those of a score network that is trained already,
    as `check_score` found them.
    """

    config: Any
    workdir: Workdir
    identity: dict[str, Any]
    space: Space
    evaluator: Evaluator
    constraints: Constraints
    model: ScoreModel
    generator: Generator
    mesh: jax.sharding.Mesh
    phases: Phases
    score_params: Any = None

    def shared(self) -> dict[str, Any]:
        """Its fields by name, for a setting that has more of them."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(Setting)}

    def claim(self) -> None:
        """Makes the workdir the run's own; refused where another process has it."""
        self.workdir.claim(self.identity)

    def key(self, stream: str) -> jax.Array:
        """The key of a named stream of randomness: of the config's seed and the name alone."""
        return stream_key(self.config.seed, stream)


def check_score(run: Setting) -> None:
    """Raises InputError where the score network can't be trained or restored; keeps one that needs no more training."""
    recipe = run.config.score.training
    recipe.optimizer()
    if run.config.score.train_fraction < 1 and not run.space.listable:
        raise InputError(
            f"config.score.train_fraction holds architectures out of a list, and {run.space.name} is too large for "
            "one: set it to 1"
        )
    step = _checkpoints(run).latest_step()
    params = None if step is None else _restore_score(run)
    if run.config.score.checkpoint:
        run.score_params = _restore_score(run, Path(run.config.score.checkpoint))
    elif step == run.config.score.training.num_steps:
        run.score_params = params
    if run.score_params is None:
        check_batches(recipe, run.mesh, "config.score.training.batch_size")


def split_space(run: Setting) -> np.ndarray:
    """The architectures that the score network may learn from; see `generators.fit.draw_share`."""
    return draw_share(run.key("split"), run.space, run.config.score.train_fraction)


def train_score(run: Setting, training_tokens: np.ndarray) -> Any:
    """Trains the score network, or restores it; returns its parameters."""
    with run.phases("score network") as progress:
        if run.score_params is not None:
            return run.score_params
        with _checkpoints(run) as checkpoints:
            return fit_generator(
                run.key("score"),
                run.generator,
                run.space,
                training_tokens,
                run.config.score.training,
                mesh=run.mesh,
                checkpoints=checkpoints,
                progress=progress,
            )


def plan_score(run: Setting) -> Work:
    """The training of the score network, as far as it isn't done."""
    recipe = run.config.score.training
    done = recipe.num_steps if run.score_params is not None else _checkpoints(run).latest_step() or 0

    def parts():
        data, loss = data_and_loss(run.generator, run.space, split_space(run), recipe, run.mesh)
        return run.generator.init, loss, data

    return plan_fit("score network", recipe, done, parts, mesh=run.mesh)


def _checkpoints(run: Setting, folder: Path | None = None) -> Checkpoints:
    return Checkpoints(folder or run.workdir.path / "score", dict(run.generator.description))


def _restore_score(run: Setting, folder: Path | None = None) -> Any:
    optimizer = run.config.score.training.optimizer()
    return jax.device_get(restore(run.generator.init, optimizer, _checkpoints(run, folder), run.mesh).ema)
