"""The contract of surrogates: a belief about all architectures, from the few that are labelled."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_jax.predictors.labels import normalize
from nag_jax.spaces import NodeSpace
from nag_jax.strategies.base import History


class Data(NamedTuple):
    """Labels padded to a capacity C that doesn't change as they grow, so that a fit is compiled once.

    Attributes:
        x: float32 `[C, N, V]`.
        values: float32 `[C]`, the normalised utilities; 0 where padded.
        mask: bool `[C]`, False where padded.
    """

    x: Array
    values: Array
    mask: Array


class Surrogate(NamedTuple):
    """A probabilistic model of the normalised utility, which is the objective where there is one.

    Attributes:
        fit: (key, data) -> posterior, a pytree of arrays whose shapes depend on the capacity alone.
        predict: (posterior, x `[B, N, V]`) -> (mean `[B]`, std `[B]`) of the objective, without the noise of labels.
            Differentiable in relaxed x.
        noise: posterior -> standard deviation of a label around the objective, a scalar.
    """

    fit: Callable[[Array, Data], Any]
    predict: Callable[[Any, Array], tuple[Array, Array]]
    noise: Callable[[Any], Array]


def padded_capacity(n: int, least: int) -> int:
    """The least `least * 2^k` that holds n labels."""
    return least << max(0, (-(-n // least) - 1).bit_length())


def make_data(space: NodeSpace, history: History, *, labels: str, least: int) -> Data:
    """The trials that didn't fail, as what surrogates are fitted on.

    Args:
        space: the space of the architectures.
        history: the trials so far, at least one of which didn't fail.
        labels: normalisation; see `training.labels.normalize`.
        least: capacity, doubled until the labels fit.
    """
    good = history.succeeded()
    n = len(good)
    capacity = padded_capacity(n, least)
    tokens = np.concatenate([good.tokens, np.repeat(good.tokens[:1], capacity - n, axis=0)])
    values = np.zeros(capacity, np.float32)
    values[:n] = normalize(good.utilities, labels)
    return Data(space.encode(tokens), jnp.asarray(values), jnp.arange(capacity, dtype=jnp.int32) < n)
