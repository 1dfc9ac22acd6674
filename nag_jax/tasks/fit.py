"""Learning a space: a generator trained on its architectures, without a label."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nag_jax.fitting.checkpoint import Checkpoints
from nag_jax.fitting.recipe import Recipe
from nag_jax.generators.contract import Generator
from nag_jax.generators.fit import check_batches, draw_share, fit_generator
from nag_jax.generators.gaussian import kernels
from nag_jax.generators.gaussian.generator import gaussian
from nag_jax.generators.gaussian.score_model import make_score_model
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.spaces import NodeSpace, whole
from nag_jax.system import parallel
from nag_jax.system.events import Events, Listener
from nag_jax.system.keys import stream_key
from nag_jax.system.progress import Phases
from nag_jax.tasks.corpus import read_corpus
from nag_jax.tasks.setting import describe_fit


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A trained score network: what the architectures of a space look like. Made by `fit`.

    Attributes:
        space: the space of the architectures.
        generator: what learned them.
        params: its parameters.
        tokens: what it learned from, or a sample of that, `[M, N]`.
        corpus: what it learned in place of the space; empty for the space.

    Example:
        >>> from nag_jax import fit
        >>> model = fit("nasbench201", num_steps=1, network={"width": 8}, progress=False)
        >>> model.tokens.shape
        (15625, 8)
    """

    space: NodeSpace
    generator: Generator = dataclasses.field(repr=False)
    params: Any = dataclasses.field(repr=False)
    tokens: np.ndarray = dataclasses.field(repr=False)
    corpus: str = ""


def fit_score(
    space: NodeSpace,
    process: SDE,
    network: Mapping[str, Any],
    recipe: Recipe,
    *,
    corpus: str | Path | Mapping[str, float] | None = None,
    folder: str | Path | None,
    seed: int,
    quiet: bool,
    callback: Listener | None = None,
) -> Model:
    """Trains a score network on the architectures of a space; see `nag_jax.fit`.

    Args:
        space: the space to learn; all of it, where it is part of another.
        process: the forward process.
        network: all fields of the settings `score.network`.
        recipe: how the network is trained.
        corpus: the file of the architectures to learn, or their weights; None learns the space.
        folder: keeps checkpoints, from which the same call goes on; None keeps none.
        seed: the seed of all randomness.
        quiet: whether no bar is shown.
        callback: is told every event of the fit; see `system.events`.

    Raises:
        InputError: a field can't be, or the folder has a checkpoint of another model.
    """
    learned = whole(space)
    mesh, score = parallel.make_mesh(), make_score_model(learned, process, network)
    generator = gaussian(learned, score, [kernels.make("ancestral", score.sde)])
    found = None if corpus is None else read_corpus(corpus, learned, seed)
    tokens = draw_share(stream_key(seed, "split"), learned) if found is None else found.tokens
    checkpoints = Checkpoints(folder, describe_fit(generator, found)) if folder is not None else None
    if checkpoints is None or checkpoints.latest_step() != recipe.num_steps:
        check_batches(recipe, mesh)
    events = Events(*filter(None, [callback]))
    with Phases(quiet=quiet, events=events)("score network") as update:
        params = fit_generator(
            stream_key(seed, "score"),
            generator,
            learned,
            found or tokens,
            recipe,
            mesh=mesh,
            checkpoints=checkpoints,
            progress=update,
        )
    name = "" if corpus is None else "given" if isinstance(corpus, Mapping) else str(corpus)
    return Model(space, generator, params, tokens, name)
