"""Predictions of each objective in its own unit, with their spread, from the labels of a search alone."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from nag_jax.spaces import NodeSpace
from nag_jax.strategies import surrogates
from nag_jax.strategies.base import History
from nag_jax.strategies.bo import make_believe
from nag_jax.strategies.surrogates import Surrogate, make_data
from nag_jax.system.once import once

_CAPACITY = 64
"""Labels that a fit is compiled for, as strategies have it, so that both share what is compiled."""
_FEWEST = 2
"""Labels that a spread can be learned from."""


def learn_each(key: jax.Array, space: NodeSpace, tokens: np.ndarray, values: np.ndarray) -> Callable | None:
    """Fits a Gaussian process to each objective.

    Args:
        key: the key of the fits.
        space: the space of the architectures.
        tokens: labelled architectures `[T, N]`.
        values: their values `[T, M]`; NaN for failed trials, which say nothing.

    Returns:
        Tokens `[B, N]` -> mean and standard deviation of the values, each float64 `[B, M]`; None where fewer than two
        trials didn't fail.

    Example:
        >>> from nag_jax import spaces
        >>> graphs = spaces.make("nasbench_graph")
        >>> tokens = np.asarray(graphs.random(jax.random.key(0), 8))
        >>> predict = learn_each(jax.random.key(1), graphs, tokens, np.linspace(90.0, 91.0, 8)[:, None])
        >>> mean, std = predict(tokens)
        >>> mean.shape, bool((std > 0).all())
        ((8, 1), True)
    """
    good = np.isfinite(values).all(axis=1)
    if good.sum() < _FEWEST:
        return None
    model = surrogates.for_search("gaussian_process", space)
    believe, predict = make_believe(model), make_predict(space, model)
    scales, posteriors = [], []
    for column in values[good].T:
        history = History.empty(space).add(space, tokens[good], column[:, None])
        posteriors.append(believe(key, make_data(space, history, labels="z", least=_CAPACITY)).posterior)
        scales.append((column.mean(), column.std()))

    def in_units(tokens):
        each = [predict(posterior, np.asarray(tokens, np.int32)) for posterior in posteriors]
        mean = [centre + scale * of[0] for of, (centre, scale) in zip(each, scales, strict=True)]
        std = [scale * of[1] for of, (_, scale) in zip(each, scales, strict=True)]
        return np.stack(mean, axis=1).astype(np.float64), np.stack(std, axis=1).astype(np.float64)

    return in_units


@once
def make_predict(space: NodeSpace, model: Surrogate) -> Callable[[Any, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """(posterior, tokens `[B, N]`) -> normalised mean and standard deviation `[B]`, compiled for few sizes."""
    compiled = jax.jit(lambda posterior, tokens: model.predict(posterior, space.encode(tokens)))

    def predict(posterior, tokens):
        if not len(tokens):
            return np.zeros(0, np.float32), np.zeros(0, np.float32)
        mean, std = compiled(posterior, surrogates.padded_tokens(tokens, 16))
        return np.asarray(mean)[: len(tokens)], np.asarray(std)[: len(tokens)]

    return predict
