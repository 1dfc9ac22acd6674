"""The lookup of an architecture's row, the one behind every table and every report of a table."""

import hashlib
from typing import Any

import numpy as np

from nag_jax.spaces import Space
from nag_jax.spaces.capabilities import Counted, num_distinct
from nag_jax.system.errors import InputError, quoted
from nag_jax.system.names import check_name


class ArchitectureTable:
    """Values of a set of distinct architectures, in memory.

    Attributes:
        space: the space whose architectures they are.
        source: the file or package they come from, for messages.
        tokens: int32 `[R, N]`, one row per architecture.
        columns: float64 `[R]` for each metric.
        one_a_class: whether a row holds for all architectures that `space.canonical` calls the same; otherwise for its
            own alone.
    """

    def __init__(
        self,
        space: Space,
        source: str,
        tokens: np.ndarray,
        columns: dict[str, np.ndarray],
        *,
        one_a_class: bool = False,
    ):
        self.space = space
        self.source = source
        self.tokens = np.ascontiguousarray(tokens, np.int32)
        self.columns = {name: np.asarray(values, np.float64) for name, values in columns.items()}
        self.one_a_class = one_a_class
        self._row_of = {key: i for i, key in reversed(list(enumerate(self._names(self.tokens))))}

    def average_twins(self) -> None:
        """Replaces every value by the mean over the rows of its canonical class, those that failed left out."""
        _, twins = np.unique(self.space.canonical(self.tokens), return_inverse=True)
        for name, values in self.columns.items():
            known = np.isfinite(values)
            counts = np.bincount(twins, known)
            means = np.bincount(twins, np.where(known, values, 0.0)) / np.where(counts > 0, counts, np.nan)
            self.columns[name] = means[twins]

    def rows(self, tokens) -> np.ndarray:
        """Rows int64 `[B]` of tokens `[B, N]`; -1 for an architecture that the table doesn't have."""
        tokens = np.ascontiguousarray(tokens, np.int32)
        found = np.full(len(tokens), -1, np.int64)
        inside = np.nonzero(np.asarray(self.space.contains(tokens)))[0] if self.one_a_class else np.arange(len(tokens))
        found[inside] = [self._row_of.get(name, -1) for name in self._names(tokens[inside])]
        return found

    def known_rows(self, tokens) -> np.ndarray:
        """Rows int64 `[B]` of tokens `[B, N]`.

        Raises:
            InputError: the table doesn't have one of them.
        """
        rows = self.rows(tokens)
        if (rows < 0).any():
            first = int(np.argmax(rows < 0))
            missing = self.space.to_native(np.asarray(tokens)[first : first + 1])[0]
            raise InputError(
                f"{self.source} has no architecture {quoted(missing)} (it has {len(self.tokens):,}"
                f"{self._of_how_many()}): ask only for what covers(tokens) accepts, or add the row"
            )
        return rows

    def values(self, metric: str) -> np.ndarray:
        """Values float64 `[R]` of a metric, in the order of `tokens`.

        Raises:
            InputError: the table has no such metric; the message lists those it has.
        """
        check_name(metric, self.columns, f"metric of {self.source}")
        return self.columns[metric]

    def first_repetition(self) -> tuple[int, int] | None:
        """The first row that repeats an earlier architecture, and the earlier row; None if all differ."""
        seen = {}
        for i, key in enumerate(self._names(self.tokens)):
            earlier = seen.setdefault(key, i)
            if earlier != i:
                return i, earlier
        return None

    def _of_how_many(self) -> str:
        if not isinstance(self.space, Counted):
            return ""
        total = num_distinct(self.space) if self.one_a_class else self.space.size
        return f" of the {total:,} of {self.space.name}"

    def _names(self, tokens: np.ndarray) -> list[Any]:
        """What tells architectures of the table apart, tokens `[B, W]`, B values."""
        return self.space.canonical(tokens).tolist() if self.one_a_class else [row.tobytes() for row in tokens]

    def fingerprint(self) -> str:
        """SHA-256 of the content, whatever the order of rows and columns and the format of the file."""
        order = np.lexsort(self.tokens.T[::-1])
        digest = hashlib.sha256(self.space.name.encode() + self.tokens[order].astype("<i4").tobytes())
        for name in sorted(self.columns):
            values = self.columns[name][order]
            digest.update(name.encode() + np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
        return digest.hexdigest()
