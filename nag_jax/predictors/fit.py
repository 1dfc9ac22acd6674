"""What is fitted once a task: a predictor, on the few architectures that were paid for."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.fitting.checkpoint import Checkpoints
from nag_jax.fitting.fit import Progress
from nag_jax.fitting.recipe import Recipe, fit_recipe
from nag_jax.fitting.state import LossFn
from nag_jax.generators.gaussian.losses import perturb
from nag_jax.generators.gaussian.parametrization import ScoreFn, score_to_denoised
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.predictors import Predictor
from nag_jax.predictors.meta_predictor import MetaPredictor
from nag_jax.system.keys import expand, fold_in, sample_keys, uniform

RECIPE = Recipe(
    num_steps=600,
    batch_size=64,
    learning_rate=1e-2,
    warmup_steps=60,
    decay="cosine",
    clip_norm=1.0,
    weight_decay=0.01,
    ema_decay=0.99,
    chunk_steps=100,
    checkpoint_every=600,
)
"""For some hundred labels."""
View = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
"""(keys `[B]`, clean x `[B, N, V]`) -> the x `[B, N, V]` and t `[B]` that the predictor is shown."""


def clean_view() -> View:
    """Clean architectures at t = 0."""
    return lambda keys, x0: (x0, jnp.zeros(x0.shape[0]))


def noised_view(sde: SDE) -> View:
    """Noised architectures at t uniform in [t_min, 1], as published: for guidance at the noised x."""
    return lambda keys, x0: perturb(keys, x0, sde)[:2]


def denoised_view(score_fn: ScoreFn, sde: SDE, *, share: float) -> View:
    """A share of the batch as E[x_0 | x_t] at random t, the rest clean, all at t = 0.

    Guidance through the denoiser asks for values of such soft architectures, so the predictor learns their average
    labels; with `share` 0 it only ever saw hard ones.
    """

    def view(keys, x0):
        x, t, _ = perturb(keys, x0, sde)
        soft = score_to_denoised(score_fn(x, t), x, t, sde)
        chosen = expand(uniform(fold_in(keys, 2)) < share, x0)
        return jnp.where(chosen, soft, x0), jnp.zeros(x0.shape[0])

    return view


def regression_loss(predictor: Predictor, view: View, *, batch_size: int) -> LossFn:
    """Mean squared error of every member on batches of data = (x `[M, N, V]`, labels `[M]`), with replacement."""

    def loss(params, key, data):
        x0, labels = data
        batch_key, view_key, dropout_key = jax.random.split(key, 3)
        rows = jax.random.randint(batch_key, (batch_size,), 0, x0.shape[0])
        x, t = view(sample_keys(view_key, batch_size), x0[rows])
        values = predictor.apply(params, x, t, dropout_key=dropout_key)
        return jnp.mean((values - labels[rows][:, None]) ** 2)

    return loss


def meta_loss(predictor: MetaPredictor, view: View, *, batch_size: int) -> LossFn:
    """The same on triples: data = (x `[R, N, V]`, labels `[R]`, task `[R]`, table), a `datasets.triples.TaskTable`."""

    def loss(params, key, data):
        x0, labels, task, table = data
        batch_key, view_key, dropout_key = jax.random.split(key, 3)
        rows = jax.random.randint(batch_key, (batch_size,), 0, x0.shape[0])
        x, t = view(sample_keys(view_key, batch_size), x0[rows])
        contexts = jax.vmap(lambda i: predictor.embed(params, *table.of(i)))(task[rows])
        values = predictor.apply(params, x, t, contexts, dropout_key=dropout_key)
        return jnp.mean((values - labels[rows][:, None]) ** 2)

    return loss


def fit_predictor(
    key: jax.Array,
    predictor: Predictor,
    view: View,
    x,
    labels,
    recipe: Recipe,
    *,
    mesh: jax.sharding.Mesh,
    checkpoints: Checkpoints | None = None,
    progress: Progress | None = None,
):
    """Fits a predictor to architectures x `[M, N, V]` and their labels `[M]`, which `labels.normalize` made.

    See `training.fit.fit` for the rest.

    Returns:
        Its parameters.
    """
    loss = regression_loss(predictor, view, batch_size=recipe.batch_size)
    return fit_recipe(
        predictor.init, loss, key, (x, labels), recipe, mesh=mesh, checkpoints=checkpoints, progress=progress
    )


def predict(predictor: Predictor, params, x, *, batch_size: int = 4096) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over members, each `[B]`, for clean architectures x `[B, N, V]`."""
    apply = _compiled(predictor)
    size = min(batch_size, len(x))
    pieces = []
    for start in range(0, len(x), size):
        piece = np.asarray(x[start : start + size])
        padded = np.concatenate([piece, np.repeat(piece[-1:], size - len(piece), axis=0)])
        pieces.append(np.asarray(apply(params, padded))[: len(piece)])
    values = np.concatenate(pieces)
    return values.mean(axis=1), values.std(axis=1)


@functools.cache
def _compiled(predictor: Predictor) -> Callable:
    """(params, clean x) -> values of the members, traced once a predictor and size."""
    return jax.jit(lambda params, x: predictor.apply(params, x, jnp.zeros(x.shape[0])))
