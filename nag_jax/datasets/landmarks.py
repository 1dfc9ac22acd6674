"""Landmarks: a data set described by how well a few fixed architectures do on it.

The labels are real ones, so whoever asks for them pays for them through the ledger; nothing here can.
"""

from collections.abc import Callable, Sequence

import jax
import numpy as np

from nag_jax.datasets.base import Description, single
from nag_jax.spaces import Space
from nag_jax.system.errors import InputError
from nag_jax.system.seeds import check_seed

_ROUNDS = 50


def choose(
    space: Space, k: int, *, seed: int = 0, covers: Callable[[np.ndarray], np.ndarray] | None = None
) -> np.ndarray:
    """The landmarks of a space: k random architectures that compute different things, the same for every data set.

    Args:
        space: the space to draw from.
        k: how many.
        seed: the seed of the draw.
        covers: tokens `[B, N]` -> bool `[B]`: which can be labelled on every data set; None for all.

    Returns:
        Tokens int32 `[k, N]`. The landmarks of a smaller k come first in those of a larger one.

    Raises:
        InputError: k is less than 1, or so many different architectures can't be found.
    """
    if k < 1:
        raise InputError(f"a data set needs at least 1 landmark, found {k}")
    key, tokens = jax.random.key(check_seed(seed)), np.zeros((0, space.width), np.int32)
    for i in range(_ROUNDS):
        new = np.asarray(space.random(jax.random.fold_in(key, i), 64))
        tokens = np.concatenate([tokens, new if covers is None else new[covers(new)]])
        _, first = np.unique(space.canonical(tokens), return_index=True)
        tokens = tokens[np.sort(first)]
        if len(tokens) >= k:
            return tokens[:k]
    raise InputError(f"only {len(tokens)} different landmarks were found in {space.name}: ask for fewer than {k}")


def load(*, labels: Sequence[float] | np.ndarray, name: str, unit: float = 100.0) -> Description:
    """Describes a data set by the labels of its landmarks.

    Args:
        labels: the labels of the k architectures of `choose`, in order; NaN where a training failed.
        name: the name of the data set.
        unit: what the mean and the spread of the labels are divided by; 100 for accuracies in %.

    Returns:
        A description of one item: the labels' z-scores, 0 where failed; which ones are known, 1 or 0; their mean and
        standard deviation in units. F = 2 k + 2.

    Raises:
        InputError: labels aren't k numbers, or all of them failed.
    """
    labels = np.asarray(labels, np.float64)
    known = np.isfinite(labels)
    if labels.ndim != 1 or not known.any():
        raise InputError(f"data set {name!r}: expected the labels of its landmarks, at least one a number")
    mean, std = labels[known].mean(), labels[known].std()
    scores = np.where(known, (labels - mean) / (std or 1.0), 0.0)
    figures = np.concatenate([scores, known, [mean / unit, std / unit]])
    return single(name, figures, facts={"landmarks": len(labels), "failed": int((~known).sum())})
