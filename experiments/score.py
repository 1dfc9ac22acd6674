"""What every mode that generates needs: a run's setting, and a score network trained on its space."""

import dataclasses
import zlib
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments import build
from experiments.config import Config
from experiments.measure import Work, measure_fit
from experiments.progress import Phases
from experiments.workdir import Workdir
from nag_jax import parallel
from nag_jax.errors import InputError
from nag_jax.evaluators import Evaluator
from nag_jax.search.constraints import Constraints
from nag_jax.spaces import Space
from nag_jax.training.checkpoint import Checkpoints
from nag_jax.training.fit import fit, restore
from nag_jax.training.score import ScoreModel, batch_loss, drawn_loss
from nag_jax.training.state import LossFn

UNLISTED_SAMPLE = 2**15
"""Random architectures that stand for a space too large to list, where guidance is measured on unlabelled ones."""


@dataclasses.dataclass(kw_only=True)
class Setting:
    """What the phases of any mode share.

    `score_params` are those of a score network that is trained already, as `check_score` found them.
    """

    config: Config
    workdir: Workdir
    space: Space
    evaluator: Evaluator
    constraints: Constraints
    model: ScoreModel
    mesh: jax.sharding.Mesh
    phases: Phases
    score_params: Any = None

    def key(self, stream: str) -> jax.Array:
        """The key of a named stream of randomness: of the config's seed and the name alone."""
        return jax.random.fold_in(jax.random.key(self.config.seed), zlib.crc32(stream.encode()))


def check_score(run: Setting) -> None:
    """Raises InputError where the score network can't be trained or restored; keeps one that needs no more training."""
    if run.config.score.training.batch_size % run.mesh.size:
        raise InputError(
            f"config.score.training.batch_size, {run.config.score.training.batch_size}, must be a multiple of the "
            f"{run.mesh.size} devices that share it: change it"
        )
    build.optimizer(run.config.score.training)
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


def split_space(run: Setting) -> np.ndarray:
    """The architectures that the score network may learn from: a random share of the space, tokens `[M, N]`.

    Of a space too large to list, a random sample. The score network then learns from draws of its own, new at every
    step, and nothing is held out: what is generated is novel because hardly anything was ever drawn.
    """
    if not run.space.listable:
        return np.asarray(jax.jit(run.space.random, static_argnums=1)(run.key("split"), UNLISTED_SAMPLE))
    tokens = run.space.all_tokens()
    order = np.asarray(jax.random.permutation(run.key("split"), len(tokens)))
    return tokens[order[: max(1, round(run.config.score.train_fraction * len(tokens)))]]


def train_score(run: Setting, training_tokens: np.ndarray) -> Any:
    """Trains the score network, or restores it; returns its parameters."""
    training = run.config.score.training
    with run.phases("score network") as progress:
        if run.score_params is not None:
            return run.score_params
        data, loss = _data_and_loss(run, training_tokens)
        with _checkpoints(run) as checkpoints:
            return fit(
                run.model.init,
                loss,
                run.key("score"),
                data,
                optimizer=build.optimizer(training),
                num_steps=training.num_steps,
                mesh=run.mesh,
                ema_decay=training.ema_decay,
                chunk_steps=training.chunk_steps,
                checkpoints=checkpoints,
                checkpoint_every=training.checkpoint_every,
                progress=progress,
            )


def plan_score(run: Setting) -> Work:
    """The training of the score network, as far as it isn't done."""
    training = run.config.score.training
    done = training.num_steps if run.score_params is not None else _checkpoints(run).latest_step() or 0
    work = Work("score network", training.num_steps, "steps", done)
    if not work.left:
        return work
    data, loss = _data_and_loss(run, split_space(run))
    seconds, memory = measure_fit(
        run.model.init,
        loss,
        data,
        optimizer=build.optimizer(training),
        ema_decay=training.ema_decay,
        mesh=run.mesh,
    )
    return work._replace(seconds=seconds, memory=memory)


def _data_and_loss(run: Setting, training_tokens: np.ndarray) -> tuple[Any, LossFn]:
    """What the score network learns from: a list of architectures, or draws of its own where there is none."""
    shared = {"batch_size": run.config.score.training.batch_size, "sharding": parallel.batched(run.mesh)}
    if run.space.listable:
        return run.space.encode(training_tokens), batch_loss(run.model, **shared)
    return (), drawn_loss(run.model, lambda key, n: run.space.encode(run.space.random(key, n)), **shared)


def _checkpoints(run: Setting, folder: Path | None = None) -> Checkpoints:
    return Checkpoints(folder or run.workdir.path / "score", build.describe_score_model(run.model, run.space))


def _restore_score(run: Setting, folder: Path | None = None) -> Any:
    optimizer = build.optimizer(run.config.score.training)
    return jax.device_get(restore(run.model.init, optimizer, _checkpoints(run, folder), run.mesh).ema)
