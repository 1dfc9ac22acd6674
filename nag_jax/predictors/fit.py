"""Fitting a predictor to the few architectures that were paid for, and asking it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.fitting.checkpoint import Checkpoints
from nag_jax.fitting.fit import Progress, fit_recipe
from nag_jax.fitting.recipe import Recipe
from nag_jax.fitting.state import LossFn
from nag_jax.predictors import Predictor
from nag_jax.predictors.meta_predictor import MetaPredictor
from nag_jax.predictors.views import View
from nag_jax.system.keys import sample_keys
from nag_jax.system.once import once

LEAST_ROWS = 64
"""Architectures are predicted in powers of two from here on, so that few numbers of them are compiled."""


def regression_loss(predictor: Predictor, view: View, *, batch_size: int) -> LossFn:
    """Mean squared error of every member on batches of data = (tokens `[L, N]`, labels `[L, M]`), with replacement."""
    loss = _viewed_loss(predictor, batch_size)
    return lambda params, key, data: loss(params, key, (*data, _as_pytree(view)))


def _as_pytree(view: View) -> jax.tree_util.Partial:
    return view if isinstance(view, jax.tree_util.Partial) else jax.tree_util.Partial(view)


@once
def _viewed_loss(predictor: Predictor, batch_size: int) -> LossFn:
    """The loss of `regression_loss` on data = (tokens, labels, view)."""

    def loss(params, key, data):
        tokens, labels, view = data
        batch_key, view_key, dropout_key = jax.random.split(key, 3)
        rows = jax.random.randint(batch_key, (batch_size,), 0, tokens.shape[0], jnp.int32)
        x, t = view(sample_keys(view_key, batch_size), tokens[rows])
        values = predictor.apply(params, x, t, dropout_key=dropout_key)
        return jnp.mean((values - labels[rows][:, :, None]) ** 2)

    return loss


def meta_loss(predictor: MetaPredictor, view: View, *, batch_size: int) -> LossFn:
    """The same on triples: data = (tokens `[R, N]`, labels `[R, M]`, task `[R]`, a `datasets.triples.TaskTable`)."""

    def loss(params, key, data):
        tokens, labels, task, table = data
        batch_key, view_key, dropout_key = jax.random.split(key, 3)
        rows = jax.random.randint(batch_key, (batch_size,), 0, tokens.shape[0], jnp.int32)
        x, t = view(sample_keys(view_key, batch_size), tokens[rows])
        contexts = jax.vmap(lambda i: predictor.embed(params, *table.of(i)))(task[rows])
        values = predictor.apply(params, x, t, contexts, dropout_key=dropout_key)
        return jnp.mean((values - labels[rows][:, :, None]) ** 2)

    return loss


def fit_predictor(
    key: jax.Array,
    predictor: Predictor,
    view: View,
    tokens,
    labels,
    recipe: Recipe,
    *,
    mesh: jax.sharding.Mesh,
    checkpoints: Checkpoints | None = None,
    progress: Progress | None = None,
):
    """Fits a predictor to architectures tokens `[L, N]` and their labels `[L, M]`, which `labels.normalize_each` made.

    See `training.fit.fit` for the rest.

    Returns:
        Its parameters.
    """
    loss, data = _viewed_loss(predictor, recipe.batch_size), (tokens, labels, _as_pytree(view))
    return fit_recipe(predictor.init, loss, key, data, recipe, mesh=mesh, checkpoints=checkpoints, progress=progress)


def predict(predictor: Predictor, params, x, *, batch_size: int = 4096) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over members, each `[B, M]`, for clean architectures x `[B, N, V]`."""
    apply = _compiled(predictor)
    size = min(batch_size, 1 << (max(LEAST_ROWS, len(x)) - 1).bit_length())
    pieces = []
    for start in range(0, len(x), size):
        piece = np.asarray(x[start : start + size])
        padded = np.concatenate([piece, np.repeat(piece[-1:], size - len(piece), axis=0)])
        pieces.append(np.asarray(apply(params, padded))[: len(piece)])
    values = np.concatenate(pieces)
    return values.mean(axis=-1), values.std(axis=-1)


@once
def _compiled(predictor: Predictor) -> Callable:
    """(params, clean x) -> values of the members, traced once a predictor and size."""
    return jax.jit(lambda params, x: predictor.apply(params, x, jnp.zeros(x.shape[0], jnp.float32)))
