"""Path counts: what flows from input to output along each path of an architecture, as products of one-hot entries.

A path's *word* is the sequence of classes on it that do something: classes that pass their input on are dropped, and a
path with a class that passes nothing on has no word (the path encoding of White et al., AAAI 2021, made invariant to
skips). A word's count is a polynomial in the one-hot entries, so it is defined and differentiable for relaxed x too.
"""

import itertools
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from jax import Array

MAX_TERMS = 4096
"""Spaces with more terms have no path terms: a long chain has a word for every architecture."""


class PathTerms(NamedTuple):
    """Terms of the word counts: each is the product of the one-hot entries (node, class) along one path.

    A space whose paths depend on its tokens, because it chooses its wiring too, adds the entries that say so to a term.

    Attributes:
        entries: one tuple of (node, class) pairs a term; M of them.
        words: the word that each term counts for, int64 `[M]`, in 0..W - 1.
        spellings: the classes of each word, in order; W of them.
    """

    entries: tuple[tuple[tuple[int, int], ...], ...]
    words: np.ndarray
    spellings: tuple[tuple[int, ...], ...]

    @property
    def num_words(self) -> int:
        """W."""
        return len(self.spellings)


class Wiring(NamedTuple):
    """What a relaxed architecture of M operations is wired like, for spaces whose tokens choose the wiring.

    Every entry is a weight in 0..1, exactly 0 or 1 for architectures. Operations come in topological order.

    Attributes:
        sources: whether an operation reads the input, `[B, M]`.
        links: whether operation i reads operation j, `[B, M, M]`.
        sinks: whether an operation feeds the output, `[B, M]`.
        classes: the classes of each operation, those that pass their input on left out, `[B, M, K]`.
        passing: whether it passes its input on, `[B, M]`.
    """

    sources: Array
    links: Array
    sinks: Array
    classes: Array
    passing: Array


def dag_paths(adjacency: np.ndarray) -> list[tuple[int, ...]]:
    """All paths of the DAG `[N, N]` from a node without predecessors to one without successors."""
    paths, open_ends = [], [(int(node),) for node in np.nonzero(~adjacency.any(axis=0))[0]]
    while open_ends:
        path = open_ends.pop()
        successors = np.nonzero(adjacency[path[-1]])[0]
        if not len(successors):
            paths.append(path)
        open_ends += [(*path, int(node)) for node in successors]
        if len(paths) + len(open_ends) > MAX_TERMS:
            return paths + open_ends
    return sorted(paths)


def dag_path_terms(
    adjacency: np.ndarray, allowed: np.ndarray, *, passing: Collection[int], blocking: Collection[int]
) -> PathTerms | None:
    """The terms of a space whose architectures share one DAG, or None where there are more than `MAX_TERMS`.

    Nodes without a choice, as inputs and outputs, belong to no term.

    Args:
        adjacency: bool `[N, N]`.
        allowed: bool `[N, V]`.
        passing: classes that pass their input on.
        blocking: classes that pass nothing on.
    """
    choices = [[int(c) for c in np.nonzero(row)[0] if c not in blocking] for row in allowed]
    paths = [[node for node in path if allowed[node].sum() > 1] for path in dag_paths(adjacency)]
    if sum(np.prod([len(choices[node]) for node in path], dtype=float) for path in paths) > MAX_TERMS:
        return None
    words: dict[tuple[int, ...], int] = {}
    entries, numbers = [], []
    for path in paths:
        for classes in itertools.product(*(choices[node] for node in path)):
            word = tuple(c for c in classes if c not in passing)
            entries.append(tuple(zip(path, classes, strict=True)))
            numbers.append(words.setdefault(word, len(words)))
    return PathTerms(tuple(entries), np.array(numbers, np.int64), tuple(words))
