"""Random architectures that differ from each other."""

from collections.abc import Callable

import jax
import numpy as np

from nag_jax.spaces.contract import Space
from nag_jax.system.errors import InputError

MOST_DRAWS = 10**6
"""With which `random_distinct` gives up: 64 times all cells of NAS-Bench-201, and 1 GB of memory."""


def random_distinct(
    space: Space, key: jax.Array, n: int, *, covers: Callable[[np.ndarray], np.ndarray] | None = None
) -> np.ndarray:
    """The first n architectures of a random stream that differ up to `canonical`: tokens `[n, N]`.

    Args:
        space: the space to draw from.
        key: the key of the random stream.
        n: how many.
        covers: tokens `[B, N]` -> bool `[B]`, to skip those that an evaluator doesn't know.

    Raises:
        InputError: a stream of a million draws, or of 4 n if that is more, has fewer than n.
    """
    size, most = 4 * n, max(4 * n, MOST_DRAWS)
    while True:
        tokens = np.asarray(space.random(key, size))
        if covers is not None:
            tokens = tokens[covers(tokens)]
        first = distinct_rows(space.canonical(tokens))
        if len(first) >= n:
            return tokens[first[:n]]
        if size == most:
            raise InputError(f"found only {len(first):,} of {n:,} architectures that differ: ask for fewer")
        size = min(4 * size, most)


def distinct_rows(keys: np.ndarray) -> np.ndarray:
    """Where each key comes first, in increasing order."""
    return np.sort(np.unique(keys, return_index=True)[1])
