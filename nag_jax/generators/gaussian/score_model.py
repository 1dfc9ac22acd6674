"""Score models: the network behind a score, with the parametrisation that turns it into one."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

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
from nag_jax.spaces.capabilities import TokenSpace, closed_form
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys
from nag_jax.system.once import once

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
        class_posterior: the closed form of the space, or None where nodes are independent; see `denoiser_logits`.
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

    @property
    def description(self) -> dict[str, Any]:
        """What a checkpoint of the parameters must agree with, beside the space and the process."""
        network = {
            f"network.{field.name}": getattr(self.network, field.name)
            for field in dataclasses.fields(self.network)
            if field.name not in ("parent", "name", "adjacency", "coordinates", "dropout", "dtype")
        }
        return {"parametrization": self.parametrization, **network}

    def init(self, key) -> Any:
        """Fresh parameters."""
        return self.network.init(key, jnp.zeros((1, *self.shape), jnp.float32), jnp.ones(1, jnp.float32))

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


@once
def make_score_model(
    space: TokenSpace, process: SDE, network: Mapping[str, Any], *, parametrization: str = "denoiser"
) -> ScoreModel:
    """The score network of a space, with the space's closed form where its architectures keep to inequalities.

    Args:
        space: the space whose architectures are diffused.
        process: the forward process.
        network: fields of `GraphTransformer`.
        parametrization: what the output means, `"denoiser"` or `"raw_score"`; see `ScoreModel`.

    Example:
        >>> from nag_jax import spaces
        >>> from nag_jax.generators.gaussian import sde
        >>> make_score_model(spaces.make("nasbench201"), sde.make("ve"), {"width": 16}).shape
        (8, 7)
    """
    made = GraphTransformer(
        adjacency=tuple(map(tuple, space.adjacency.tolist())),
        num_classes=space.num_classes,
        coordinates=tuple(map(tuple, space.coordinates.tolist())),
        **network,
    )
    return ScoreModel(made, process, space.allowed, parametrization, closed_form(space))
