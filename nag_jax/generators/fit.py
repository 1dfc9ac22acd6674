"""Fitting a generator to the architectures of a space."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.fitting.checkpoint import Checkpoints
from nag_jax.fitting.fit import Progress, fit_recipe
from nag_jax.fitting.recipe import Recipe
from nag_jax.fitting.state import LossFn
from nag_jax.generators.contract import Generator
from nag_jax.spaces import Space
from nag_jax.spaces.capabilities import can_list
from nag_jax.system import parallel
from nag_jax.system.errors import InputError
from nag_jax.system.once import jitted, once

UNLISTED_SAMPLE = 2**15
"""Random architectures that stand for a space too large to list, where guidance is measured on unlabelled ones."""

WEIGHTED_ROWS = 2**17
"""Rows that stand for weighted architectures: a weight is kept to within a row, 1e-5 of all."""


class Corpus(NamedTuple):
    """Architectures that are learned in place of those of a space, which are all alike.

    Attributes:
        tokens: int32 `[M, N]`; an architecture that comes twice is learned twice.
        task: the data set of each, int32 `[M]`; None where they aren't learned for data sets.
        contexts: the embeddings of the data sets, float32 `[T, D]`; None likewise.
    """

    tokens: Any
    task: Any = None
    contexts: Any = None

    def of(self, rows) -> tuple[Any, ...]:
        """The architectures of rows `[B]`, and the embeddings of their data sets where they have some."""
        if self.task is None:
            return (self.tokens[rows],)
        return self.tokens[rows], self.contexts[self.task[rows]]


def weighted_rows(weights: np.ndarray, seed: int) -> np.ndarray:
    """Rows that stand for architectures with weights `[M]`: each comes as often as its weight says, int `[2^17]`.

    So any family learns from weighted architectures, which needn't know of weights. By systematic sampling: as often as
    that, or once more.

    Example:
        >>> np.unique(weighted_rows(np.array([3.0, 0.0, 1.0]), 0), return_counts=True)[1].tolist()
        [98304, 32768]
    """
    ends = np.cumsum(np.asarray(weights, np.float64))
    places = (np.arange(WEIGHTED_ROWS) + np.random.default_rng(seed).random()) / WEIGHTED_ROWS * ends[-1]
    return np.minimum(np.searchsorted(ends, places, side="right"), np.flatnonzero(weights)[-1])


def draw_share(key: jax.Array, space: Space, share: float = 1.0) -> np.ndarray:
    """The architectures that a generator may learn from: a random share of the space, tokens `[M, N]`.

    Of a space too large to list, a random sample. The generator then learns from draws of its own, new at every
    step, and nothing is held out: what is generated is novel because hardly anything was ever drawn.
    """
    if not can_list(space):
        return np.asarray(jitted(space.random, static_argnums=1)(key, UNLISTED_SAMPLE))
    tokens = space.all_tokens()
    order = np.asarray(jax.random.permutation(key, len(tokens)))
    return tokens[order[: max(1, round(share * len(tokens)))]]


def check_batches(recipe: Recipe, mesh: jax.sharding.Mesh, name: str = "batch_size") -> None:
    """Raises InputError, with the batch size under that name, unless the devices can share batches equally."""
    if recipe.batch_size % mesh.size:
        raise InputError(
            f"{name}, {recipe.batch_size}, must be a multiple of the {mesh.size} devices that share it: change it"
        )


def fit_generator(
    key: jax.Array,
    generator: Generator,
    space: Space,
    tokens: np.ndarray | Corpus,
    recipe: Recipe,
    *,
    mesh: jax.sharding.Mesh,
    checkpoints: Checkpoints | None = None,
    progress: Progress | None = None,
) -> Any:
    """Fits a generator to the architectures tokens `[M, N]` of `draw_share`, or to fresh draws of a large space.

    A corpus is learned as it is. See `fitting.fit.fit` for the rest.

    Returns:
        Its parameters.
    """
    data, loss = data_and_loss(generator, space, tokens, recipe, mesh)
    return fit_recipe(generator.init, loss, key, data, recipe, mesh=mesh, checkpoints=checkpoints, progress=progress)


def data_and_loss(
    generator: Generator, space: Space, tokens: np.ndarray | Corpus, recipe: Recipe, mesh: jax.sharding.Mesh
) -> tuple[Any, LossFn]:
    """What a generator is fitted to and with: a list of architectures, or draws of its own where there is none."""
    shared = {"batch_size": recipe.batch_size, "sharding": parallel.batched(mesh)}
    if isinstance(tokens, Corpus):
        return tokens, batch_loss(generator, **shared)
    if can_list(space):
        return np.asarray(tokens, np.int32), batch_loss(generator, **shared)
    return (), drawn_loss(generator, space, **shared)


@once
def batch_loss(generator: Generator, *, batch_size: int, sharding=None) -> LossFn:
    """The loss on batches drawn with replacement from the data, tokens `[M, N]` or a `Corpus`.

    Args:
        generator: what is fitted.
        batch_size: a multiple of the mesh's size where a sharding is given.
        sharding: how a batch is cut over devices.
    """

    def loss(params, key, data):
        batch_key, loss_key = jax.random.split(key)
        corpus = data if isinstance(data, Corpus) else Corpus(data)
        batch = corpus.of(jax.random.randint(batch_key, (batch_size,), 0, corpus.tokens.shape[0], jnp.int32))
        if sharding is not None:
            batch = jax.lax.with_sharding_constraint(batch, sharding)
        return generator.loss(params, loss_key, *batch)

    return loss


@once
def drawn_loss(generator: Generator, space: Space, *, batch_size: int, sharding=None) -> LossFn:
    """The loss on batches drawn afresh at every step, for spaces too large to list; there are no data.

    Args:
        generator: what is fitted.
        space: what is drawn from.
        batch_size: a multiple of the mesh's size where a sharding is given.
        sharding: how a batch is cut over devices.
    """

    def loss(params, key, data):
        batch_key, loss_key = jax.random.split(key)
        batch = space.random(batch_key, batch_size)
        if sharding is not None:
            batch = jax.lax.with_sharding_constraint(batch, sharding)
        return generator.loss(params, loss_key, batch)

    return loss
