"""The score network of a space: made, described, and trained on the architectures of the space."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from nag_jax.fitting.checkpoint import Checkpoints
from nag_jax.fitting.fit import Progress
from nag_jax.fitting.recipe import Recipe, fit_recipe
from nag_jax.fitting.state import LossFn
from nag_jax.generators.gaussian.score_model import ScoreModel, batch_loss, drawn_loss
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.networks.score_network import GraphTransformer
from nag_jax.spaces import Space
from nag_jax.system import parallel
from nag_jax.system.errors import InputError

UNLISTED_SAMPLE = 2**15
"""Random architectures that stand for a space too large to list, where guidance is measured on unlabelled ones."""


def make_score_model(
    space: Space, process: SDE, network: Mapping[str, Any], *, parametrization: str = "denoiser"
) -> ScoreModel:
    """The score network of a space, with the space's closed form where its architectures keep to inequalities.

    Args:
        space: of the architectures.
        process: the forward process.
        network: fields of `GraphTransformer`.
        parametrization: see `ScoreModel`.

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
    closed_form = space.class_posterior if space.is_ruled and space.has_posterior else None
    return ScoreModel(made, process, space.allowed, parametrization, closed_form)


def describe_score_model(model: ScoreModel, space: Space) -> dict[str, Any]:
    """What a checkpoint of the model must agree with."""
    network = {
        field.name: getattr(model.network, field.name)
        for field in dataclasses.fields(model.network)
        if field.name not in ("parent", "name", "adjacency", "coordinates", "dropout", "dtype")
    }
    return {
        "space": space.fingerprint,
        "nodes": space.num_nodes,
        "parametrization": model.parametrization,
        "sde": f"{type(model.sde).__name__}({dataclasses.asdict(model.sde)})",
        **{f"network.{name}": value for name, value in network.items()},
    }


def draw_share(key: jax.Array, space: Space, share: float = 1.0) -> np.ndarray:
    """The architectures that a score network may learn from: a random share of the space, tokens `[M, N]`.

    Of a space too large to list, a random sample. The score network then learns from draws of its own, new at every
    step, and nothing is held out: what is generated is novel because hardly anything was ever drawn.
    """
    if not space.listable:
        return np.asarray(jax.jit(space.random, static_argnums=1)(key, UNLISTED_SAMPLE))
    tokens = space.all_tokens()
    order = np.asarray(jax.random.permutation(key, len(tokens)))
    return tokens[order[: max(1, round(share * len(tokens)))]]


def check_batches(recipe: Recipe, mesh: jax.sharding.Mesh, name: str = "batch_size") -> None:
    """Raises InputError, with the batch size under that name, unless the devices can share batches equally."""
    if recipe.batch_size % mesh.size:
        raise InputError(
            f"{name}, {recipe.batch_size}, must be a multiple of the {mesh.size} devices that share it: change it"
        )


def fit_score(
    key: jax.Array,
    model: ScoreModel,
    space: Space,
    tokens: np.ndarray,
    recipe: Recipe,
    *,
    mesh: jax.sharding.Mesh,
    checkpoints: Checkpoints | None = None,
    progress: Progress | None = None,
) -> Any:
    """Fits a score network to the architectures tokens `[M, N]` of `draw_share`, or to fresh draws of a large space.

    See `training.fit.fit` for the rest.

    Returns:
        Its parameters.
    """
    data, loss = data_and_loss(model, space, tokens, recipe, mesh)
    return fit_recipe(model.init, loss, key, data, recipe, mesh=mesh, checkpoints=checkpoints, progress=progress)


def data_and_loss(
    model: ScoreModel, space: Space, tokens: np.ndarray, recipe: Recipe, mesh: jax.sharding.Mesh
) -> tuple[Any, LossFn]:
    """What a score network is fitted to and with: a list of architectures, or draws of its own where there is none."""
    shared = {"batch_size": recipe.batch_size, "sharding": parallel.batched(mesh)}
    if space.listable:
        return space.encode(tokens), batch_loss(model, **shared)
    return (), drawn_loss(model, lambda key, n: space.encode(space.random(key, n)), **shared)
