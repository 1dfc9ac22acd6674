"""Rows: the few architectures of a large space that have labels, which chance would never meet."""

import jax
import numpy as np

from nag_jax.spaces.contract import Space

_PIECE = 256
"""Architectures that are compared with all rows at once: with a few thousand rows of 20 tokens, some 10 MB."""


class Rows:
    """The architectures that alone can be labelled: draws are of them, and what is proposed becomes the nearest one.

    Attributes:
        tokens: int32 `[R, N]`.

    Args:
        space: the space of the architectures.
        tokens: the rows, int32 `[R, N]`.

    Example:
        >>> from nag_jax import spaces
        >>> space = spaces.make("nasbench_graph")
        >>> tokens = space.from_native(["0012|gcn|gat|fc|skip", "0123|gin|gat|fc|gcn"])
        >>> rows = Rows(space, tokens)
        >>> other = space.from_native(["0123|gin|gat|fc|sage"])
        >>> space.to_native(rows.nearest(other))
        ['0123|gin|gat|fc|gcn']
    """

    def __init__(self, space: Space, tokens: np.ndarray):
        self.tokens = np.ascontiguousarray(tokens, np.int32)
        self._space = space
        self._keys = space.canonical(self.tokens)

    def __len__(self) -> int:
        return len(self.tokens)

    def shuffled(self, key: jax.Array) -> np.ndarray:
        """All rows in random order, tokens `[R, N]`."""
        return self.tokens[np.asarray(jax.random.permutation(key, len(self.tokens)))]

    def nearest(self, tokens: np.ndarray, taken: np.ndarray | None = None) -> np.ndarray:
        """What each of tokens `[B, N]` stands for, tokens `[B, N]`, or `[0, N]` where no row is left.

        A row stands for itself. Another architecture stands for the row that differs from it in the fewest tokens, of
        those whose canonical key isn't among `taken`; the first of several.
        """
        tokens = np.asarray(tokens, np.int32)
        left = self.tokens if taken is None else self.tokens[~np.isin(self._keys, taken)]
        is_row = np.isin(self._space.canonical(tokens), self._keys)
        if not len(left):
            return tokens[:0]
        found, others = tokens.copy(), np.flatnonzero(~is_row)
        for start in range(0, len(others), _PIECE):
            piece = others[start : start + _PIECE]
            differing = (tokens[piece][:, None] != left[None]).sum(axis=2)
            found[piece] = left[differing.argmin(axis=1)]
        return found
