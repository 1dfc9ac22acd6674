"""Edits of cells, for mutation and local search: another operation, an edge that comes or goes, a new vertex."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_jax.spaces.cells import wiring
from nag_jax.spaces.cells.layout import FIRST_OP, Layout
from nag_jax.spaces.cells.topologies import Limits
from nag_jax.spaces.cells.wiring import Graph


class Edits(NamedTuple):
    """All edits of one cell.

    Attributes:
        children: what becomes of it, tokens int32 `[E, N]`.
        sites: what is edited, of which an edit is one way, int `[E]`: a vertex, a pair of vertices or a place for one.
        allowed: whether the child is another cell of the space, bool `[E]`.
    """

    children: Array
    sites: np.ndarray
    allowed: Array


def edits_of(layout: Layout, limits: Limits, tokens) -> Edits:
    """The edits of one cell, tokens `[N]`. Jittable.

    A vertex gets another operation; a pair is wired that wasn't, or the other way round, and what then lies on no path
    from input to output goes; or a new vertex comes that reads one vertex and is read by one later vertex.
    """
    graph = wiring.read(layout, jnp.asarray(tokens, jnp.int32))
    sources, targets = np.array(layout.pairs).T
    kinds, pairs = len(layout.ops), len(layout.pairs)
    options = jnp.arange(FIRST_OP, layout.absent, dtype=jnp.int32)
    renamed = _renamed(layout, graph, options)
    rewired = _rewired(layout, graph)
    grown = _grown(layout, graph, options)
    graphs = jax.tree.map(lambda *parts: jnp.concatenate(parts), renamed, rewired, grown)
    there = jnp.concatenate(
        [jnp.repeat(graph.slots != layout.absent, kinds), jnp.ones(pairs, bool), _has_room(layout, graph, kinds)]
    )
    children = jax.vmap(functools.partial(wiring.write, layout))(graphs.matrix[:, sources, targets], graphs.slots)
    allowed = there & wiring.is_cell(layout, limits, graphs)
    allowed &= (children != jnp.asarray(tokens)[None]).any(axis=1)
    per_site = [kinds] * layout.slots + [1] * pairs + [kinds] * pairs
    return Edits(children, np.repeat(np.arange(len(per_site)), per_site), allowed)


def drawn_edit(layout: Layout, limits: Limits, key: Array, tokens) -> Array:
    """One cell, tokens `[N]`, with an edit: of a site drawn uniformly, in a way drawn uniformly. Jittable.

    A cell without edits stays.
    """
    edits = edits_of(layout, limits, tokens)
    ways = jax.ops.segment_sum(edits.allowed.astype(jnp.float32), edits.sites, int(edits.sites[-1]) + 1)
    weights = jnp.where(edits.allowed, -jnp.log(jnp.maximum(ways, 1.0))[edits.sites], -jnp.inf)
    child = edits.children[jax.random.categorical(key, weights)]
    return jnp.where(edits.allowed.any(), child, jnp.asarray(tokens, jnp.int32))


def _renamed(layout: Layout, graph: Graph, options: Array) -> Graph:
    """Every vertex with every operation."""
    slots = jnp.tile(graph.slots, (layout.slots * len(layout.ops), 1))
    places = np.repeat(np.arange(layout.slots), len(layout.ops))
    slots = slots.at[np.arange(len(places)), places].set(jnp.tile(options, layout.slots))
    return Graph(jnp.broadcast_to(graph.matrix, (len(places), *graph.matrix.shape)), slots)


def _rewired(layout: Layout, graph: Graph) -> Graph:
    """Every pair the other way, and what then leads nowhere gone."""
    sources, targets = np.array(layout.pairs).T
    rows = np.arange(len(sources))
    matrices = jnp.tile(graph.matrix, (len(rows), 1, 1))
    matrices = matrices.at[rows, sources, targets].set(~graph.matrix[sources, targets])
    slots = jnp.broadcast_to(graph.slots, (len(rows), layout.slots))
    return jax.vmap(lambda graph: wiring.pruned(layout, graph))(Graph(matrices, slots))


def _grown(layout: Layout, graph: Graph, options: Array) -> Graph:
    """A new vertex of every operation for every pair, which reads the source and is read by the target."""
    sources, targets = np.array(layout.pairs).T
    last = layout.vertices - 1
    places = np.minimum(sources + 1, layout.slots)[:, None]  # right behind the source; the last one but one is absent
    vertices = np.arange(layout.vertices)[None]
    old = np.where((vertices > places) & (vertices < last), vertices - 1, vertices)
    shifted = np.where((targets >= places[:, 0]) & (targets < last), targets + 1, targets)
    is_new = vertices == places
    keeps = ~is_new[:, :, None] & ~is_new[:, None]
    reads = (vertices == sources[:, None])[:, :, None] & is_new[:, None]
    is_read = is_new[:, :, None] & (vertices == np.minimum(shifted, last)[:, None])[:, None]
    matrices = (graph.matrix[old[:, :, None], old[:, None]] & keeps) | reads | is_read
    kinds = len(layout.ops)
    slots = jnp.repeat(graph.slots[old[:, 1:-1] - 1], kinds, axis=0)
    ops = jnp.tile(options, len(layout.pairs))[:, None]
    return Graph(jnp.repeat(matrices, kinds, axis=0), jnp.where(np.repeat(is_new[:, 1:-1], kinds, axis=0), ops, slots))


def _has_room(layout: Layout, graph: Graph, kinds: int) -> Array:
    """Bool: for every pair and operation, whether both vertices are there and there is room for another one."""
    there = jnp.concatenate([jnp.ones(1, bool), graph.slots != layout.absent, jnp.ones(1, bool)])
    sources, targets = np.array(layout.pairs).T
    return jnp.repeat(there[sources] & there[targets] & ~there[-2], kinds)
