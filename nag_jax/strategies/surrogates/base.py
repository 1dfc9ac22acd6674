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


def padded_tokens(tokens: np.ndarray, least: int) -> np.ndarray:
    """Tokens `[B, N]`, B at least 1, with the first one repeated behind them up to `padded_capacity(B, least)`.

    So what is compiled for them is compiled for few sizes.
    """
    missing = padded_capacity(len(tokens), least) - len(tokens)
    return np.concatenate([tokens, np.repeat(tokens[:1], missing, axis=0)])


def make_data(space: NodeSpace, history: History, *, labels: str, least: int) -> Data:
    """The trials that didn't fail, as what surrogates are fitted on.

    Args:
        space: the space of the architectures.
        history: the trials so far, at least one of which didn't fail.
        labels: the normalisation, of `predictors.labels.normalize`.
        least: capacity, doubled until the labels fit.
    """
    good = history.succeeded()
    return data_of(space, good.tokens, normalize(good.utilities, labels), least=least)


def data_of(space: NodeSpace, tokens: np.ndarray, values: np.ndarray, *, least: int) -> Data:
    """Normalised values `[T]` of tokens `[T, N]`, at least one, as what surrogates are fitted on; see `make_data`."""
    rows = padded_tokens(tokens, least)
    padded = np.zeros(len(rows), np.float32)
    padded[: len(tokens)] = values
    return Data(space.encode(rows), jnp.asarray(padded), jnp.arange(len(rows), dtype=jnp.int32) < len(tokens))
