"""The setting of every mode that generates, and a score network trained on its space."""

import dataclasses
import functools
from contextlib import nullcontext
from typing import Any, NamedTuple

import jax
import numpy as np

from nag_jax.evaluators import Evaluator
from nag_jax.evaluators.base import few_rows
from nag_jax.fitting.checkpoint import Checkpoints, checksum
from nag_jax.fitting.fit import restore
from nag_jax.generators.contract import Generator
from nag_jax.generators.fit import UNLISTED_SAMPLE, Corpus, check_batches, data_and_loss, draw_share, fit_generator
from nag_jax.generators.gaussian.generator import Model
from nag_jax.guidance.constraints import Constraints
from nag_jax.guidance.refine import Tilt, refined
from nag_jax.spaces import NodeSpace, whole
from nag_jax.spaces.capabilities import num_distinct
from nag_jax.spaces.rows import Rows
from nag_jax.system.errors import InputError
from nag_jax.system.events import Listener
from nag_jax.system.keys import stream_key
from nag_jax.system.once import jitted
from nag_jax.system.progress import Phases
from nag_jax.tasks import build
from nag_jax.tasks.aim import Guidance
from nag_jax.tasks.corpus import read_corpus
from nag_jax.tasks.measure import Work, plan_fit
from nag_jax.tasks.workdir import Workdir


class Given(NamedTuple):
    """What a caller has made already, in place of what settings name.

    Attributes:
        space: the space of the run.
        evaluator: gives true values.
        generator: what learned the space, or None where the settings say what learns it.
        score_params: the generator's parameters.
        training_tokens: what it learned from, tokens `[M, N]`.
        quiet: whether no bars of progress are shown.
        callback: is told every event of the run; see `system.events`.
    """

    space: NodeSpace
    evaluator: Evaluator
    generator: Generator | None = None
    score_params: Any = None
    training_tokens: np.ndarray | None = None
    quiet: bool = False
    callback: Listener | None = None


@dataclasses.dataclass(kw_only=True)
class Setting:
    """What the phases of any mode share.

    `config` is the settings of the run: `settings.Generate`, `Search` or `Transfer`, as its task takes them. `identity`
    holds those that make the workdir this run's. `score_params` are those of a score network that is trained already,
    as `check_score` found them, or the caller gave them, with the `training_tokens` `[M, N]` that it learned from. A
    `corpus` is learned in place of the space. The
    `model` is the generator's score network, None for a generator that has none.
    """

    config: Any
    workdir: Workdir
    identity: dict[str, Any]
    space: NodeSpace
    evaluator: Evaluator
    constraints: Constraints
    model: Model | None
    generator: Generator
    mesh: jax.sharding.Mesh
    phases: Phases
    score_params: Any = None
    training_tokens: np.ndarray | None = None
    corpus: Corpus | None = None

    def shared(self) -> dict[str, Any]:
        """Its fields by name, for a setting that has more of them."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(Setting)}

    @functools.cached_property
    def rows(self) -> Rows | None:
        """What can be labelled, where that is few of a large space, as of a table of some; None elsewhere."""
        rows = few_rows(self.evaluator)
        if rows is None or whole(self.space) is self.space:
            return rows
        return Rows(self.space, rows.tokens[np.asarray(self.space.contains(rows.tokens))])

    @functools.cached_property
    def feasible_rows(self) -> Rows | None:
        """Those of `rows` that keep to the constraints."""
        return self.rows and Rows(self.space, self.rows.tokens[self.constraints.hold(self.rows.tokens)])

    @property
    def num_distinct(self) -> int:
        """How many labels there are to pay for."""
        return min(self.evaluator.num_distinct, num_distinct(self.space))

    def claim(self) -> None:
        """Makes the workdir the run's own; refused where another process has it."""
        self.workdir.claim(self.identity)
        self.workdir.report(self.phases.events)

    def guided_generator(self, given: Guidance) -> Generator:
        """The generator, whose score a guide of scores bends where one is given, and whose samples are refined."""
        generator = self.generator
        if given.score_guide is not None:
            assert self.model is not None, "guides of scores are of the gaussian family"
            generator = build.make_generator(self.config, self.space, self.model, given.score_guide)
        return generator if given.tilt is None else self.refined(generator, given.tilt)

    def refined(self, generator: Generator, tilt: Tilt) -> Generator:
        """A generator whose samples are refined as `config.sampler.refine` says."""
        moves = self.config.sampler.refine
        return refined(generator, self.space, tilt, sweeps=moves.sweeps, trades=moves.trades)

    def key(self, stream: str) -> jax.Array:
        """The key of a named stream of randomness: of the config's seed and the name alone."""
        return stream_key(self.config.seed, stream)


def check_score(run: Setting) -> None:
    """Raises InputError where the score network can't be trained or restored; keeps one that needs no more training."""
    if run.score_params is not None:
        return
    if not run.generator.learns:
        if run.config.score.checkpoint or run.config.score.train_fraction < 1:
            raise InputError(
                "the exact generator learns nothing: leave out config.score.checkpoint and score.train_fraction, "
                "or set config.generator.name=gaussian"
            )
        run.score_params = run.generator.init(jax.random.key(0))
        return
    recipe, prior = run.config.score.training, run.config.score.prior
    recipe.optimizer()
    if prior.corpus:
        run.corpus = read_corpus(prior.corpus, run.space, run.config.seed)
    if run.config.score.train_fraction < 1 and not whole(run.space).listable:
        raise InputError(
            f"config.score.train_fraction holds architectures out of a list, and {run.space.name} is too large for "
            "one: set it to 1"
        )
    kept = _checkpoints(run)
    step = kept and kept.latest_step()
    params = None if kept is None or step is None else _restore_score(run, kept)
    if run.config.score.checkpoint:
        given = Checkpoints(run.config.score.checkpoint, describe_fit(run.generator, run.corpus))
        run.score_params = _restore_score(run, given)
    elif step == recipe.num_steps:
        run.score_params = params
    if run.score_params is None:
        check_batches(recipe, run.mesh, "config.score.training.batch_size")


def split_space(run: Setting) -> np.ndarray:
    """The architectures that the score network learns from: a corpus, or a share of the whole space.

    See `generators.fit.draw_share`.
    """
    if run.corpus is not None:
        return run.corpus.tokens
    if run.training_tokens is not None:
        return run.training_tokens
    return draw_share(run.key("split"), whole(run.space), run.config.score.train_fraction)


def unlabelled(run: Setting, training_tokens: np.ndarray) -> np.ndarray:
    """Architectures of the space that guidance is measured on, `[M, N]`.

    Those that the score network learned from, or draws where the space is part of the one that it learned, or some of
    it were preferred.
    """
    if whole(run.space) is run.space and not run.config.score.prior.is_set:
        return training_tokens
    return np.asarray(jitted(run.space.random, static_argnums=1)(run.key("split"), UNLISTED_SAMPLE))


def train_score(run: Setting, training_tokens: np.ndarray) -> Any:
    """Trains the score network, or restores it; returns its parameters."""
    if not run.generator.learns:
        return run.score_params
    with run.phases("score network") as progress:
        if run.score_params is not None:
            return run.score_params
        with _checkpoints(run) or nullcontext() as checkpoints:
            return fit_generator(
                run.key("score"),
                run.generator,
                whole(run.space),
                run.corpus or training_tokens,
                run.config.score.training,
                mesh=run.mesh,
                checkpoints=checkpoints,
                progress=progress,
            )


def plan_score(run: Setting) -> list[Work]:
    """The training of the score network, as far as it isn't done; nothing where the generator doesn't learn."""
    if not run.generator.learns:
        return []
    recipe = run.config.score.training
    done = recipe.num_steps if run.score_params is not None else latest_step(_checkpoints(run))

    def parts():
        tokens = run.corpus or split_space(run)
        data, loss = data_and_loss(run.generator, whole(run.space), tokens, recipe, run.mesh)
        return run.generator.init, loss, data

    return [plan_fit("score network", recipe, done, parts, mesh=run.mesh)]


def describe_fit(generator: Generator, corpus: Corpus | None) -> dict[str, Any]:
    """What a checkpoint of a generator must agree with: its own description, and the corpus that it learned, if any."""
    learned = {} if corpus is None else {"corpus": checksum(corpus)}
    return dict(generator.description) | learned


def latest_step(kept: Checkpoints | None) -> int:
    """The step of the newest checkpoint, 0 where there is none."""
    return (kept and kept.latest_step()) or 0


def _checkpoints(run: Setting) -> Checkpoints | None:
    return run.workdir.checkpoints("score", describe_fit(run.generator, run.corpus))


def _restore_score(run: Setting, kept: Checkpoints) -> Any:
    optimizer = run.config.score.training.optimizer()
    return jax.device_get(restore(run.generator.init, optimizer, kept, run.mesh).ema)
