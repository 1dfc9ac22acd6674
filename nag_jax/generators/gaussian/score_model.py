"""What is fitted once a space: the network behind the score, with the parametrisation that turns it into one."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.fitting.recipe import Recipe
from nag_jax.fitting.state import LossFn
from nag_jax.generators.gaussian import losses
from nag_jax.generators.gaussian.parametrization import (
    PosteriorFn,
    ScoreFn,
    denoiser_logits,
    denoiser_score,
    raw_score,
)
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.networks.score_network import GraphTransformer
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys

RECIPE = Recipe(
    num_steps=600,
    batch_size=256,
    learning_rate=1e-3,
    warmup_steps=50,
    decay="cosine",
    clip_norm=1.0,
    weight_decay=0.0,
    ema_decay=0.995,
    chunk_steps=50,
    checkpoint_every=200,
)
"""For spaces of cells."""
PARAMETRIZATIONS = ("denoiser", "raw_score")


@dataclasses.dataclass(frozen=True, eq=False)
class ScoreModel:
    """A score network and what its output means.

    Attributes:
        network: the graph transformer.
        sde: the forward process.
        allowed: bool `[N, V]`.
        parametrization: `"denoiser"` (class probabilities, trained by cross-entropy) or `"raw_score"` (as published,
            trained by denoising score matching).
        class_posterior: see `denoiser_logits`.
    """

    network: GraphTransformer
    sde: SDE
    allowed: np.ndarray
    parametrization: str = "denoiser"
    class_posterior: PosteriorFn | None = None

    def __post_init__(self):
        if self.parametrization not in PARAMETRIZATIONS:
            raise InputError(f"unknown parametrization {self.parametrization!r}: use one of {PARAMETRIZATIONS}")

    @property
    def shape(self) -> tuple[int, int]:
        """(N, V)."""
        return self.allowed.shape

    def init(self, key) -> Any:
        """Fresh parameters."""
        return self.network.init(key, jnp.zeros((1, *self.shape)), jnp.ones(1))

    def _bind(self, params, dropout_key=None) -> ScoreFn:
        """The network as the function that the parametrisation wants; with a dropout key as in training."""
        rngs = None if dropout_key is None else {"dropout": dropout_key}

        def network(x, condition) -> Any:
            return self.network.apply(params, x, condition, deterministic=dropout_key is None, rngs=rngs)

        if self.parametrization == "denoiser":
            return denoiser_logits(network, self.sde, self.allowed, self.class_posterior)
        return raw_score(network, self.sde)

    def score_fn(self, params) -> ScoreFn:
        """The score (x `[B, N, V]`, t `[B]`) -> `[B, N, V]`."""
        bound = self._bind(params)
        return denoiser_score(bound, self.sde) if self.parametrization == "denoiser" else bound

    def loss(self, params, key, x0) -> jax.Array:
        """Training loss on clean architectures x0 `[B, N, V]`."""
        dropout_key, noise_key = jax.random.split(key)
        bound = self._bind(params, dropout_key)
        keys = sample_keys(noise_key, x0.shape[0])
        if self.parametrization == "denoiser":
            return losses.class_cross_entropy(keys, bound, x0, self.sde)
        return losses.score_matching(keys, bound, x0, self.sde)


def batch_loss(model: ScoreModel, *, batch_size: int, sharding=None) -> LossFn:
    """The loss of `model` on batches drawn with replacement from the data, clean architectures x `[M, N, V]`.

    Args:
        model: what is fitted.
        batch_size: a multiple of the mesh's size where a sharding is given.
        sharding: how a batch is cut over devices.
    """

    def loss(params, key, data):
        batch_key, loss_key = jax.random.split(key)
        x0 = data[jax.random.randint(batch_key, (batch_size,), 0, data.shape[0])]
        if sharding is not None:
            x0 = jax.lax.with_sharding_constraint(x0, sharding)
        return model.loss(params, loss_key, x0)

    return loss


def drawn_loss(
    model: ScoreModel, draw: Callable[[jax.Array, int], jax.Array], *, batch_size: int, sharding=None
) -> LossFn:
    """The loss of `model` on batches drawn afresh at every step, for spaces too large to list; there are no data.

    Args:
        model: what is fitted.
        draw: (key, n) -> clean architectures x `[n, N, V]`, jittable.
        batch_size: a multiple of the mesh's size where a sharding is given.
        sharding: how a batch is cut over devices.
    """

    def loss(params, key, data):
        batch_key, loss_key = jax.random.split(key)
        x0 = draw(batch_key, batch_size)
        if sharding is not None:
            x0 = jax.lax.with_sharding_constraint(x0, sharding)
        return model.loss(params, loss_key, x0)

    return loss
