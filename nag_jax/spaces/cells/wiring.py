"""Wirings as matrices, jittable: which of them are cells, and what is left where vertices lead nowhere."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_jax.spaces.cells.layout import FIRST_OP, INPUT, OFF, ON, OUTPUT, Layout
from nag_jax.spaces.cells.topologies import Limits


class Graph(NamedTuple):
    """One graph or several on the vertices of a layout.

    Attributes:
        matrix: bool `[..., M, M]`, entry (source, target).
        slots: classes of the vertices between input and output, int32 `[..., M - 2]`.
    """

    matrix: Any
    slots: Any


def read(layout: Layout, tokens: Any) -> Graph:
    """The graph of tokens `[..., N]`, of NumPy or JAX as tokens are."""
    return Graph(layout.matrix(layout.wired(tokens)), tokens[..., layout.slot_nodes])


def write(layout: Layout, wired: Array, slots: Array) -> Array:
    """Tokens int32 `[N]` of which pairs are wired `[P]` and of the classes of vertices `[M - 2]`."""
    tokens = jnp.zeros(len(layout.node_names), jnp.int32).at[0].set(INPUT).at[-1].set(OUTPUT)
    tokens = tokens.at[layout.pair_nodes].set(jnp.where(wired, ON, OFF))
    return tokens.at[layout.slot_nodes].set(slots.astype(jnp.int32))


def is_cell(layout: Layout, limits: Limits, graph: Graph) -> Any:
    """Bool `[...]`: whether all vertices that are there lie on paths from input to output, and limits are kept.

    In topological order that is the same as that all of them but the input read something, and all but the output are
    read.

    Args:
        layout: the layout of the cells.
        limits: the limits of their wirings.
        graph: one or several, of NumPy or JAX.
    """
    there = _are_there(layout, graph.slots)
    arity, readers = graph.matrix.sum(axis=-2), graph.matrix.sum(axis=-1)
    good = (there == ((~there).cumsum(axis=-1) == 0)).all(axis=-1)  # those that are there come first
    good = good & ((arity[..., 1:-1] > 0) == there).all(axis=-1) & ((readers[..., 1:-1] > 0) == there).all(axis=-1)
    good = good & (arity[..., -1] > 0) & (readers[..., 0] > 0) & (arity.sum(axis=-1) <= limits.edges)
    if limits.in_degree is not None:
        wanted = np.minimum(limits.in_degree, np.arange(1, layout.vertices - 1)).reshape(
            (1,) * (there.ndim - 1) + (-1,)
        )
        good = good & (~there | (arity[..., 1:-1] == wanted)).all(axis=-1)
    return good


def pruned(layout: Layout, graph: Graph) -> Graph:
    """The graph without what lies on no path from input to output, the vertices that are left coming first."""
    matrix = graph.matrix
    ends = jnp.eye(layout.vertices, dtype=bool)
    after, before = ends[0], ends[-1]
    for _ in range(layout.vertices - 1):
        after |= (matrix & after[:, None]).any(axis=0)
        before |= (matrix & before[None]).any(axis=1)
    present = jnp.ones(layout.vertices, bool).at[1:-1].set(_are_there(layout, graph.slots))
    kept = after & before & present
    order = jnp.argsort(~kept[1:-1], stable=True)
    places = jnp.concatenate([jnp.zeros(1, order.dtype), order + 1, jnp.full(1, layout.vertices - 1, order.dtype)])
    matrix = matrix & kept[:, None] & kept[None]
    slots = jnp.where(kept[1:-1], graph.slots, layout.absent)
    return Graph(matrix[places][:, places], slots[order])


def _are_there(layout: Layout, slots: Any) -> Any:
    """Bool `[..., M - 2]`: which vertices between input and output are there."""
    return (slots >= FIRST_OP) & (slots < layout.absent)
