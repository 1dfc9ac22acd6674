"""Random architectures that differ from each other."""

from collections.abc import Callable

import jax
import numpy as np

from nag_jax.spaces.contract import Space
from nag_jax.spaces.rows import Rows
from nag_jax.system.errors import InputError

MOST_DRAWS = 10**6
"""With which `random_distinct` gives up: 64 times all cells of NAS-Bench-201, and 1 GB of memory."""


def random_distinct(
    space: Space,
    key: jax.Array,
    n: int,
    *,
    covers: Callable[[np.ndarray], np.ndarray] | None = None,
    rows: Rows | None = None,
) -> np.ndarray:
    """The first n architectures of a random stream that differ up to `canonical`: tokens `[n, N]`.

    Args:
        space: the space to draw from.
        key: the key of the random stream.
        n: how many.
        covers: tokens `[B, N]` -> bool `[B]`, to skip those that an evaluator doesn't know.
        rows: where the evaluator knows few of a large space, those; the stream is then of them, each once.

    Raises:
        InputError: there are fewer rows than n, or a stream of a million draws, or of 4 n if that is more, has fewer.
    """
    if rows is not None:
        tokens = rows.shuffled(key)
        tokens = tokens if covers is None else tokens[covers(tokens)]
        return _first_distinct(space, tokens, n)
    size, most = 4 * n, max(4 * n, MOST_DRAWS)
    while True:
        tokens = np.asarray(space.random(key, size))
        if covers is not None:
            tokens = tokens[covers(tokens)]
        if size == most or len(distinct_rows(space.canonical(tokens))) >= n:
            return _first_distinct(space, tokens, n)
        size = min(4 * size, most)


def _first_distinct(space: Space, tokens: np.ndarray, n: int) -> np.ndarray:
    first = distinct_rows(space.canonical(tokens))
    if len(first) < n:
        raise InputError(f"found only {len(first):,} of {n:,} architectures that differ: ask for fewer")
    return tokens[first[:n]]


def distinct_rows(keys: np.ndarray) -> np.ndarray:
    """Where each key comes first, in increasing order."""
    return np.sort(np.unique(keys, return_index=True)[1])
