"""Orders of a cell's vertices: which numberings the same graph has, and which of them stands for all."""

import functools
from typing import NamedTuple

import numpy as np

from nag_jax.spaces.cells.layout import Layout


class Relabelling(NamedTuple):
    """What a topology is called whatever the order of its vertices.

    Attributes:
        wired: the least row of pairs that an order gives, bool `[P]`.
        orders: all orders that give it, int `[A, I]`: which of the topology's I vertices between input and output (from
            0) comes where. A is the number of the topology's automorphisms.
        count: how many orders there are in all.
    """

    wired: np.ndarray
    orders: np.ndarray
    count: int

    def automorphisms(self) -> np.ndarray:
        """Where an automorphism takes each vertex between input and output, int `[A, I]`."""
        return self.orders[:, np.argsort(self.orders[0])]


def relabel(layout: Layout, wired: np.ndarray, interior: int) -> Relabelling:
    """The relabelling of a topology, bool `[P]`, with so many vertices between input and output.

    Example:
        >>> layout = Layout(4, ("conv",))
        >>> relabel(layout, np.array([True, True, False, False, True, True]), 2).orders.tolist()
        [[0, 1], [1, 0]]
    """
    return _relabel(layout, np.asarray(wired, bool).tobytes(), interior)


def least_twins(layout: Layout, wired: np.ndarray, ops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of cells, those that stand for all with the same graph: the least wiring, and then the least operations.

    Args:
        layout: the layout of the cells.
        wired: pairs, bool `[B, P]`.
        ops: operations, int `[B, M - 2]`, -1 for absent.

    Returns:
        Pairs and operations of the same shapes.
    """
    wired, ops = wired.copy(), ops.copy()
    interior = (ops >= 0).sum(axis=1)
    names, inverse = np.unique(np.packbits(wired, axis=1), axis=0, return_inverse=True)
    by_name = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse, minlength=len(names)))[:-1])
    for rows in by_name:
        if not len(rows):
            continue
        places = int(interior[rows[0]])
        found = relabel(layout, wired[rows[0]], places)
        ordered = ops[rows][:, found.orders]
        digits = (ordered * len(layout.ops) ** np.arange(places - 1, -1, -1)).sum(axis=2)
        ops[rows, :places] = ordered[np.arange(len(rows)), digits.argmin(axis=1)]
        wired[rows] = found.wired
    return wired, ops


@functools.lru_cache(2**16)
def _relabel(layout: Layout, wired: bytes, interior: int) -> Relabelling:
    matrix = layout.matrix(np.frombuffer(wired, bool)[None])[0]
    orders = _topological_orders(matrix[1 : interior + 1, 1 : interior + 1])
    places = np.tile(np.arange(layout.vertices), (len(orders), 1))
    places[:, 1 : interior + 1] = orders + 1
    sources, targets = np.array(layout.pairs).T
    rows = matrix[places[:, sources], places[:, targets]]
    least = rows[np.lexsort(rows.T[::-1])[0]]
    return Relabelling(least, orders[(rows == least).all(axis=1)], len(orders))


def _topological_orders(matrix: np.ndarray) -> np.ndarray:
    """All orders of I vertices in which sources come before targets, int `[L, I]`."""
    reads = matrix.T
    orders, placed = np.zeros((1, 0), np.int64), np.zeros((1, len(matrix)), bool)
    for _ in range(len(matrix)):
        ready = ~placed & ~(reads[None] & ~placed[:, None]).any(axis=2)
        rows, chosen = np.nonzero(ready)
        orders = np.concatenate([orders[rows], chosen[:, None]], axis=1)
        placed = placed[rows]
        placed[np.arange(len(rows)), chosen] = True
    return orders
