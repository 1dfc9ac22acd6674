"""What every mode that generates needs: a run's setting, and a score network trained on its space."""

import dataclasses
import zlib
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments import build
from experiments.config import Config
from experiments.progress import Phases
from experiments.workdir import Workdir
from nag_jax import parallel
from nag_jax.evaluators import Evaluator, Metric
from nag_jax.spaces import Space
from nag_jax.training.checkpoint import Checkpoints
from nag_jax.training.fit import fit, restore
from nag_jax.training.score import ScoreModel, batch_loss


@dataclasses.dataclass
class Setting:
    """What the phases of any mode share."""

    config: Config
    workdir: Workdir
    space: Space
    evaluator: Evaluator
    metric: Metric
    model: ScoreModel
    mesh: jax.sharding.Mesh
    phases: Phases

    def key(self, stream: str) -> jax.Array:
        """The key of a named stream of randomness: of the config's seed and the name alone."""
        return jax.random.fold_in(jax.random.key(self.config.seed), zlib.crc32(stream.encode()))


def check_score(run: Setting) -> None:
    """Raises InputError where the score network of the config or of the workdir can't be restored."""
    own = run.workdir.path / "score"
    for folder in (Path(run.config.score.checkpoint) if run.config.score.checkpoint else None, own):
        if folder is not None and (folder.exists() or folder != own):
            _restore_score(run, folder)


def split_space(run: Setting) -> np.ndarray:
    """The architectures that the score network may learn from: a random share of the space, tokens `[M, N]`."""
    tokens = run.space.all_tokens()
    order = np.asarray(jax.random.permutation(run.key("split"), len(tokens)))
    return tokens[order[: max(1, round(run.config.score.train_fraction * len(tokens)))]]


def train_score(run: Setting, training_tokens: np.ndarray) -> Any:
    """Trains the score network, or restores it; returns its parameters."""
    training = run.config.score.training
    with run.phases("score network") as progress:
        if run.config.score.checkpoint:
            return _restore_score(run, Path(run.config.score.checkpoint))
        with Checkpoints(run.workdir.path / "score", build.describe_score_model(run.model, run.space)) as checkpoints:
            return fit(
                run.model.init,
                batch_loss(run.model, batch_size=training.batch_size, sharding=parallel.batched(run.mesh)),
                run.key("score"),
                run.space.encode(training_tokens),
                optimizer=build.optimizer(training),
                num_steps=training.num_steps,
                mesh=run.mesh,
                ema_decay=training.ema_decay,
                chunk_steps=training.chunk_steps,
                checkpoints=checkpoints,
                checkpoint_every=training.checkpoint_every,
                progress=progress,
            )


def _restore_score(run: Setting, folder: Path) -> Any:
    checkpoints = Checkpoints(folder, build.describe_score_model(run.model, run.space))
    return restore(run.model.init, build.optimizer(run.config.score.training), checkpoints, run.mesh).ema
