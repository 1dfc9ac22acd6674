"""Topologies of cells: every wiring in which all vertices lie on a path from input to output."""

from typing import NamedTuple

import numpy as np

from nag_jax.spaces.cells.layout import Layout


class Limits(NamedTuple):
    """What wirings keep to.

    Attributes:
        edges: the most that there may be.
        in_degree: how many a vertex between input and output has coming in, as far as there are earlier vertices; None
            for any number from 1.

    Example:
        >>> Limits(9, None).allows(2, 5), Limits(9, 2).allows(1, 1), Limits(9, 2).allows(1, 2)
        (True, True, False)
    """

    edges: int
    in_degree: int | None

    def allows(self, arity: int, earlier: int) -> bool:
        """Whether a vertex with so many earlier ones may have that many edges coming in."""
        return arity >= 1 and (self.in_degree is None or arity == min(self.in_degree, earlier))


class Topologies(NamedTuple):
    """All topologies of a space, by their number of vertices and then in the order of their pairs.

    Attributes:
        wired: which pairs are wired, bool `[T, P]`.
        interior: how many vertices there are between input and output, int `[T]`.
    """

    wired: np.ndarray
    interior: np.ndarray


def enumerate_topologies(layout: Layout, limits: Limits) -> Topologies:
    """Lists the topologies, all of which should be few: see `frontier.count`.

    Example:
        >>> len(enumerate_topologies(Layout(7, ("conv",)), Limits(9, None)).wired)
        6472
    """
    wired, interior = [], []
    for count in range(layout.slots + 1):
        found = _of_size(layout, limits, count)
        wired.append(found[np.lexsort(found.T[::-1])])
        interior.append(np.full(len(found), count))
    return Topologies(np.concatenate(wired), np.concatenate(interior))


def _of_size(layout: Layout, limits: Limits, interior: int) -> np.ndarray:
    """The topologies with so many vertices between input and output, bool `[T, P]` in any order."""
    wired = np.zeros((1, len(layout.pairs)), bool)
    unread = np.ones((1, 1), bool)  # vertices so far that nothing reads
    for vertex in [*range(1, interior + 1), layout.vertices - 1]:
        is_output = vertex == layout.vertices - 1
        earlier = unread.shape[1]
        subsets = (np.arange(1, 2**earlier)[:, None] >> np.arange(earlier) & 1).astype(bool)
        if not is_output:
            subsets = subsets[[limits.allows(int(arity), earlier) for arity in subsets.sum(axis=1)]]
        fits = wired.sum(axis=1)[:, None] + subsets.sum(axis=1) <= limits.edges
        if is_output:
            fits &= ~(unread[:, None] & ~subsets[None]).any(axis=2)
        rows, chosen = np.nonzero(fits)
        wired = wired[rows]
        first = vertex * (vertex - 1) // 2
        wired[:, first : first + earlier] = subsets[chosen]
        unread = np.concatenate([unread[rows] & ~subsets[chosen], np.ones((len(rows), 1), bool)], axis=1)
    return wired
