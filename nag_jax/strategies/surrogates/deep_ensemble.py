"""An ensemble of networks whose spread is calibrated on the labels that a member did not see."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from nag_jax.networks.mlp import FeaturePerceptron
from nag_jax.predictors import Predictor, ensemble, features, make_predictor
from nag_jax.spaces import NodeSpace
from nag_jax.strategies.surrogates.base import Surrogate

_LEAST_SPREAD = 0.05
"""Least standard deviation between members that is told apart from none; labels have standard deviation 1."""


class Posterior(NamedTuple):
    """Fitted members, and the factor that makes their spread a standard deviation."""

    params: Any
    stretch: Array


def deep_ensemble(
    space: NodeSpace,
    *,
    groups: Sequence[str] | None = None,
    members: int = 5,
    width: int = 32,
    num_layers: int = 2,
    num_steps: int = 200,
    learning_rate: float = 1e-2,
    weight_decay: float = 1e-2,
) -> Surrogate:
    """Perceptrons on features of the architecture (White et al., AAAI 2021), with `calibrated_ensemble`.

    Args:
        space: the space of the architectures.
        groups: names of `features.REGISTRY`, joined; None for `features.default`.
        members: K.
        width: the number of features of a hidden layer.
        num_layers: hidden layers.
        num_steps: steps of AdamW, each on all labels at once.
        learning_rate: the learning rate of AdamW.
        weight_decay: the weight decay of AdamW.
    """
    functions = [features.make(name, space) for name in groups or features.default(space)]

    def joined(x):
        return jnp.concatenate([function(x) for function in functions], axis=1)

    network = FeaturePerceptron(joined, width=width, num_layers=num_layers)
    predictor = ensemble(make_predictor(network, (space.num_nodes, space.num_classes)), members)
    optimizer = optax.adamw(learning_rate, weight_decay=weight_decay)
    return calibrated_ensemble(predictor, members, optimizer=optimizer, num_steps=num_steps)


def calibrated_ensemble(
    predictor: Predictor, members: int, *, optimizer: optax.GradientTransformation, num_steps: int
) -> Surrogate:
    """Any ensemble of predictors as a surrogate (Lakshminarayanan et al., NeurIPS 2017).

    Each member is fitted on its own bootstrap of the labels. The labels that a member did not draw tell how far it errs
    on what it hasn't seen: the members' spread is stretched until those errors have, on average, the size that the
    spread says, so no label has to be held out.

    Args:
        predictor: an ensemble, of the utility alone.
        members: K, at least 2.
        optimizer: an optimiser of optax.
        num_steps: steps of the fit, each on all labels at once.
    """

    def fit(key, data):
        init_key, draw_key = jax.random.split(key)
        drawn = jax.random.poisson(draw_key, 1.0, (data.mask.shape[0], members)) * data.mask[:, None]
        params = predictor.init(init_key)

        def loss(params):
            errors = (_columns(predictor, params, data.x) - data.values[:, None]) ** 2
            return ((drawn * errors).sum(axis=0) / jnp.maximum(drawn.sum(axis=0), 1)).sum()

        def step(carry, _):
            params, state = carry
            updates, state = optimizer.update(jax.grad(loss)(params), state, params)
            return (optax.apply_updates(params, updates), state), None

        params = jax.lax.scan(step, (params, optimizer.init(params)), length=num_steps)[0][0]
        unseen = (drawn == 0) & data.mask[:, None]
        return Posterior(params, _stretch(_columns(predictor, params, data.x), data.values, unseen))

    def predict(posterior, x):
        mean, spread = _moments(_columns(predictor, posterior.params, x))
        return mean, posterior.stretch * spread

    return Surrogate(fit, predict, lambda posterior: jnp.zeros((), jnp.float32))


def _columns(predictor: Predictor, params: Any, x: Array) -> Array:
    """What each member says, `[B, K]`."""
    return predictor.apply(params, x, jnp.zeros(x.shape[0], jnp.float32))[:, 0]


def _moments(columns: Array) -> tuple[Array, Array]:
    mean = columns.mean(axis=1)
    return mean, jnp.sqrt(((columns - mean[:, None]) ** 2).mean(axis=1) + _LEAST_SPREAD**2)


def _stretch(columns: Array, values: Array, unseen: Array) -> Array:
    """Root mean square of the error over the spread, where each label is judged by the members that didn't see it.

    A mean of m members errs less than one of them; the mean of those that didn't see a label stands in for the
    ensemble's. Labels that all members saw don't count.
    """
    count = unseen.sum(axis=1)
    mean = (columns * unseen).sum(axis=1) / jnp.maximum(count, 1)
    spread = _moments(columns)[1]
    ratio = ((values - mean) / spread) ** 2
    judged = count > 0
    return jnp.sqrt((ratio * judged).sum() / jnp.maximum(judged.sum(), 1) + 1e-6)
