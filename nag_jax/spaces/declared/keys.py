"""Keys that tell all rows of tokens apart."""

import math

import numpy as np

_LETTERS = 26
MOST_CLASSES = _LETTERS**2
"""Classes that two letters can name."""


def row_keys(tokens: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Keys `[B]`: int64 where 64 bits are enough for all allowed tokens, otherwise strings of two letters per node.

    Args:
        tokens: `[B, N]`, of allowed classes.
        allowed: bool `[N, V]`.
    """
    counts = allowed.sum(axis=1).tolist()
    if math.prod(counts) < 2**63:
        places = np.append(np.cumprod(counts[:0:-1], dtype=np.int64)[::-1], 1).astype(np.int64)
        digits = (np.cumsum(allowed, axis=1) - 1)[np.arange(len(allowed)), tokens]
        return digits.astype(np.int64) @ places
    letters = np.stack([tokens // _LETTERS, tokens % _LETTERS], axis=-1) + ord("a")
    text = np.ascontiguousarray(letters.reshape(len(tokens), 2 * len(allowed)), np.uint32)
    return text.view(f"U{2 * len(allowed)}").reshape(-1)
