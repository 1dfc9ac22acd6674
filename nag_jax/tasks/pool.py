"""Pools: what was generated, counted, ranked and labelled."""

from collections.abc import Callable

import numpy as np

from nag_jax.generators.contract import Samples
from nag_jax.spaces import Space
from nag_jax.spaces.distinct import distinct_rows
from nag_jax.system.errors import InputError

TRAINING, FINAL = "training", "final"
"""Purposes in ledgers: of the labels that a predictor learns from, and of those of the best that were generated."""


def rank(space: Space, tokens: np.ndarray, predictions: np.ndarray, *, exclude=None) -> np.ndarray:
    """Rows of a pool in the order of the predictions, best first, each thing that is computed once.

    Args:
        space: the space of the pool.
        tokens: valid architectures `[B, N]`.
        predictions: `[B]`, higher is better.
        exclude: keys of `space.canonical` to leave out, as those of architectures already labelled.
    """
    keys = space.canonical(tokens)
    order = np.argsort(-predictions, kind="stable")
    order = order[distinct_rows(keys[order])]
    return order if exclude is None else order[~np.isin(keys[order], exclude)]


def tally(
    tokens: np.ndarray, predict: Callable[[np.ndarray], np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each architecture of a pool once, best by the predictor first.

    Args:
        tokens: valid architectures `[B, N]`.
        predict: tokens `[B, N]` -> predictions `[B]`, higher is better; None for no predictor.

    Returns:
        Tokens `[D, N]`, how often each is in the pool `[D]`, and their predictions `[D]`, NaN without a predictor.

    Example:
        >>> cells = np.array([[0, 1], [0, 2], [0, 2]])
        >>> [column.tolist() for column in tally(cells, lambda tokens: tokens[:, 1].astype(float))]
        [[[0, 2], [0, 1]], [2, 1], [2.0, 1.0]]
    """
    unique, counts = np.unique(tokens, axis=0, return_counts=True)
    if predict is None or not len(unique):
        return unique, counts, np.full(len(unique), np.nan)
    predictions = predict(unique)
    order = np.argsort(-predictions, kind="stable")
    return unique[order], counts[order], predictions[order]


def rank_new(
    space: Space,
    samples: Samples,
    predict: Callable[[np.ndarray], np.ndarray],
    *,
    may_be_labelled: Callable[[np.ndarray], np.ndarray],
    labelled: np.ndarray,
) -> np.ndarray:
    """The generated architectures that can be labelled, each once, best by the predictor first: tokens `[m, N]`.

    Args:
        space: the space of the pool.
        samples: the pool.
        predict: tokens `[B, N]` -> predictions `[B]`, higher is better.
        may_be_labelled: tokens `[B, N]` -> bool `[B]`.
        labelled: architectures that have a label, tokens `[L, N]`; they and what computes the same are left out.

    Raises:
        InputError: there is none.
    """
    tokens = samples.tokens[samples.valid]
    tokens = tokens[may_be_labelled(tokens)]
    order = rank(space, tokens, predict(tokens), exclude=space.canonical(labelled)) if len(tokens) else []
    if not len(order):
        raise InputError(
            "no generated architecture is valid, within the constraints, known to the evaluator and still without "
            "a label: raise num_samples, lower labels.training, or train the score network longer"
        )
    return tokens[order]
