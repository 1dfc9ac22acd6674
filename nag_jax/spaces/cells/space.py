"""Spaces of cells: small graphs of any wiring, whose vertices are operations."""

import functools
import hashlib
from collections.abc import Callable, Collection, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.cells import edits, frontier, listed, notation, relabelling, wiring
from nag_jax.spaces.cells.declaration import check_declaration
from nag_jax.spaces.cells.layout import FIRST_OP, OFF, ON, Layout
from nag_jax.spaces.cells.topologies import Limits, Topologies, enumerate_topologies
from nag_jax.spaces.choices import Choices
from nag_jax.spaces.declared.keys import row_keys
from nag_jax.spaces.nodes import NodeSpace, check_inside
from nag_jax.spaces.paths import Wiring
from nag_jax.system.errors import InputError, quoted

MOST_TOPOLOGIES = 2**15
"""Topologies that are summed over; of more, sums are dynamic programmes."""
MOST_SEEN = 2 * 10**6
"""Graphs that `within` looks at, one size after the other."""


class CellSpace(NodeSpace):
    """All cells of some operations: directed acyclic graphs, every vertex of which lies on a path from input to output.

    Vertices are operations, which add up what they read. Tokens have a node per vertex, and one per pair of vertices
    that says whether the later one reads the earlier one. An architecture is a graph with its vertices in one of their
    topological orders; `canonical` tells graphs apart whatever the order.

    What must hold between nodes is known in closed form: draws, class probabilities given evidence and the nearest cell
    of relaxed rows are exact, so every sample of a generator is a cell.

    Args:
        name: what the space is called.
        ops: the operations.
        most_vertices: the most vertices of a cell with its input and output, 3 to 10; a cell may have as few as 2.
        most_edges: the most edges of a cell.
        in_degree: how many vertices each one between input and output reads, as far as there are earlier ones; by
            default any number.
        uniform: what is drawn equally often: `"graphs"`, so that a cell is drawn as often as its vertices have
            topological orders, or `"cells"`.
        passing: operations that pass their input on unchanged.
        weightless: operations without weights, as pooling.

    Raises:
        InputError: there are no operations or names that strings can't hold, a number is out of range, the limits leave
            no choice, or cells are too many to be drawn uniformly.

    Example:
        >>> space = CellSpace("small", ops=["conv", "pool"], most_vertices=4, most_edges=4)
        >>> space.size, space.num_canonical
        (25, 24)
        >>> space.to_native(space.all_tokens()[:2])
        ['output~0', 'conv~0|output~1']
    """

    single_changes = False

    def __init__(
        self,
        name: str,
        *,
        ops: Sequence[str],
        most_vertices: int,
        most_edges: int,
        in_degree: int | None = None,
        uniform: str = "graphs",
        passing: Collection[str] = (),
        weightless: Collection[str] = (),
    ):
        check_declaration(name, ops, most_vertices, most_edges, in_degree, uniform, [*passing, *weightless])
        self.name = name
        self.layout = Layout(most_vertices, tuple(ops))
        self.limits = Limits(most_edges, in_degree)
        self.uniform = uniform
        self.class_names = self.layout.class_names
        self.allowed = self.layout.allowed
        self.adjacency = self.layout.adjacency
        self.absent = self.layout.absent
        self.passing = (ON, *(FIRST_OP + list(ops).index(op) for op in passing))
        self.blocking = (OFF, self.absent)
        self.weightless = tuple(FIRST_OP + list(ops).index(op) for op in weightless)
        self._num_topologies = frontier.count(self.layout, self.limits, 1)
        if self.size < 2:
            raise InputError(f"space {name!r}: the limits leave {self.size} cells: allow more vertices or edges")
        if uniform == "cells" and not self._is_listed:
            many = f"{self._num_topologies:,} topologies, more than {MOST_TOPOLOGIES:,},"
            raise InputError(f"space {name!r}: {many} are too many to draw cells uniformly: set uniform='graphs'")

    @property
    def node_names(self) -> tuple[str, ...]:
        """The number of a vertex, and `source-target` of a pair."""
        return self.layout.node_names

    @property
    def fingerprint(self) -> str:
        """See `NodeSpace.fingerprint`: the name and a digest of operations, limits and what is uniform."""
        meant = repr((self.layout, self.limits, self.uniform, self.passing))
        return f"{self.name} {hashlib.sha256(meant.encode()).hexdigest()[:12]}"

    @property
    def coordinates(self) -> np.ndarray:
        """See `NodeSpace.coordinates`: source and target vertex."""
        return self.layout.coordinates

    @functools.cached_property
    def size(self) -> int:
        """How many graphs there are, with each of their topological orders."""
        return frontier.count(self.layout, self.limits, len(self.layout.ops))

    @functools.cached_property
    def num_canonical(self) -> int | None:
        """How many cells there are whatever the order of vertices; None where topologies are too many to list."""
        masses = listed.of_cells(self.layout, self.topologies).masses if self._is_listed else None
        return masses and int(sum(masses(len(self.layout.ops))))

    @property
    def is_ruled(self) -> bool:
        """True: wirings are ruled."""
        return True

    @functools.cached_property
    def topologies(self) -> Topologies:
        """All topologies.

        Raises:
            InputError: there are too many to list.
        """
        if not self._is_listed:
            raise InputError(
                f"{self.name} has {self._num_topologies:,} topologies, too many to list (at most {MOST_TOPOLOGIES:,})"
            )
        return enumerate_topologies(self.layout, self.limits)

    def contains(self, tokens) -> jax.Array:
        """Bool `[B]`: whether tokens `[B, N]` are a cell. Jittable."""
        graphs = wiring.read(self.layout, jnp.asarray(tokens))
        return super().contains(tokens) & wiring.is_cell(self.layout, self.limits, graphs)

    def all_tokens(self) -> np.ndarray:
        """Every graph, tokens `[size, N]` in lexicographic order; see `NodeSpace.all_tokens`."""
        if not self.listable or not self._is_listed:
            raise InputError(f"{self.name} has {self.size:,} architectures, too many to list: draw some with random()")
        tokens = np.concatenate([self.tokens_of_size(interior) for interior in range(self.layout.slots + 1)])
        return tokens[np.lexsort(tokens.T[::-1])]

    def within(self, hold: Callable[[np.ndarray], np.ndarray], most: int) -> np.ndarray | None:
        """See `NodeSpace.within`; of all topologies that can be listed, though their cells may not."""
        if not self._is_listed or self.size > MOST_SEEN:
            return None
        found, left = [], most
        for interior in range(self.layout.slots + 1):
            tokens = self.tokens_of_size(interior)
            found.append(tokens[hold(tokens)])
            left -= len(found[-1])
            if left < 0:
                return None
        tokens = np.concatenate(found)
        return tokens if len(tokens) else None

    def tokens_of_size(self, interior: int) -> np.ndarray:
        """Every graph with so many vertices between input and output, tokens `[B, N]`, topology by topology."""
        kinds = len(self.layout.ops)
        wired = self.topologies.wired[self.topologies.interior == interior]
        ops = np.full((kinds**interior, self.layout.slots), -1)
        ops[:, :interior] = np.arange(len(ops))[:, None] // kinds ** np.arange(interior - 1, -1, -1) % kinds
        return self.layout.write(np.repeat(wired, len(ops), axis=0), np.tile(ops, (len(wired), 1)))

    def random(self, key, n: int) -> jax.Array:
        """Draws n cells, see `uniform`; the i-th depends on `key` and i alone. Jittable in `key`."""
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(n, dtype=jnp.int32))
        if self._is_listed:
            return jax.vmap(lambda key: listed.draw(self.layout, self._terms, key))(keys)
        blank = jnp.zeros(self.allowed.shape, jnp.float32)
        return jax.vmap(lambda key: self._followed(blank, frontier.drawn(key)))(keys)

    @property
    def choices(self) -> Choices:
        """See `NodeSpace.choices`; refused where cells are drawn equally often, which isn't choice by choice."""
        if self.uniform == "graphs":
            return super().choices
        raise InputError(
            f"{self.name} draws cells equally often, which samples can't be refined by: set "
            "config.space.uniform=graphs, or config.sampler.refine's moves to 0"
        )

    def class_posterior(self, log_likelihood) -> jax.Array:
        """See `NodeSpace.class_posterior`: a sum over topologies, or a dynamic programme where they are many."""
        if self._is_listed:
            return listed.class_posterior(self.layout, self._terms, log_likelihood)
        return jax.vmap(lambda row: self._gradient(row, frontier.soft))(listed.clipped(self.layout, log_likelihood))

    def decode(self, x, *, rule: str = "argmax") -> tuple[jax.Array, jax.Array]:
        """See `NodeSpace.decode`; tokens are the nearest cell: rows' largest entries where they are one."""
        x = jnp.asarray(x)
        _, sharp = super().decode(x, rule=rule)
        if self._is_listed:
            tokens = listed.nearest(self.layout, self.topologies, x)
        else:
            tokens = jax.vmap(lambda row: self._followed(row, frontier.most))(x)
        return tokens, sharp if rule == "threshold" else self.contains(tokens)

    def moves(self, tokens) -> jax.Array:
        """See `NodeSpace.moves`; those of a single node that leave a cell."""
        moves = super().moves(tokens)
        nodes, classes = np.indices(moves.shape, np.int32).reshape(2, -1)
        children = jnp.tile(jnp.asarray(tokens), (len(nodes), 1)).at[np.arange(len(nodes)), nodes].set(classes)
        return moves & self.contains(children).reshape(moves.shape)

    def mutate(self, key, tokens) -> jax.Array:
        """Edits each cell once: another operation, an edge that comes or goes, or a new vertex; see `edits.edits_of`.

        Args:
            key: one key; cell i uses `fold_in(key, i)`.
            tokens: `[B, N]`.
        """
        tokens = jnp.asarray(tokens, jnp.int32)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(tokens.shape[0], dtype=jnp.int32))
        return jax.vmap(lambda key, row: edits.drawn_edit(self.layout, self.limits, key, row))(keys, tokens)

    def neighbors(self, tokens) -> np.ndarray:
        """All cells that an edit makes of one (tokens `[N]`): `[M, N]`."""
        found = self._edits(jnp.asarray(tokens, jnp.int32))
        return np.unique(np.asarray(found.children)[np.asarray(found.allowed)], axis=0)

    def edges(self, tokens) -> list[tuple[int, int]]:
        """See `NodeSpace.edges`; a wired pair stands between its vertices."""
        wired = self.layout.wired(np.asarray(tokens)[None])[0]
        ends = [self.layout.vertex_nodes[list(pair)].tolist() for pair in self.layout.pairs]
        found = [
            edge
            for (source, target), pair, is_on in zip(ends, self.layout.pair_nodes.tolist(), wired, strict=True)
            if is_on
            for edge in ((source, pair), (pair, target))
        ]
        return sorted(found)

    def wiring(self, x) -> Wiring | None:
        """See `NodeSpace.wiring`; None where all paths can be listed, which says more."""
        if self.path_terms() is not None:
            return None
        weights = (jnp.asarray(x, jnp.float32) + 1.0) / 2.0
        sources, targets = np.array(self.layout.pairs).T
        m, ops = self.layout.vertices, slice(FIRST_OP, self.absent)
        matrix = jnp.zeros((weights.shape[0], m, m), jnp.float32)
        matrix = matrix.at[:, sources, targets].set(weights[:, self.layout.pair_nodes, ON])
        classes = weights[:, self.layout.slot_nodes, ops]
        passes = np.isin(np.arange(FIRST_OP, self.absent), self.passing).astype(np.float32)
        return Wiring(
            sources=matrix[:, 0, 1:-1],
            links=jnp.swapaxes(matrix[:, 1:-1, 1:-1], 1, 2),
            sinks=matrix[:, 1:-1, -1],
            classes=classes[..., passes == 0],
            passing=classes @ passes,
        )

    def to_native(self, tokens) -> list[str]:
        """Each vertex but the input with those that it reads, as `conv3x3~0|conv1x1~0~1|output~2`; 0 is the input."""
        tokens = self._checked(tokens)
        return notation.write(self.layout, self.layout.wired(tokens), self.layout.operations(tokens))

    def from_native(self, architectures: list[str]) -> np.ndarray:
        """Tokens `[B, N]` of strings as `to_native` writes them; see `NodeSpace.from_native`."""
        wired = np.zeros((len(architectures), len(self.layout.pairs)), bool)
        ops = np.full((len(architectures), self.layout.slots), -1)
        for row, architecture in enumerate(architectures):
            try:
                wired[row], ops[row] = notation.read(self.layout, architecture)
            except InputError as error:
                raise InputError(f"row {row}: {quoted(architecture)} is not a cell of {self.name}: {error}") from error
        tokens = self.layout.write(wired, ops)
        inside = self._inside(tokens)
        if not inside.all():
            row = int(np.argmin(inside))
            raise InputError(
                f"row {row}: {quoted(architectures[row])} is not a cell of {self.name}: expected every vertex on a "
                f"path from input to output and {self._rule()}"
            )
        return tokens

    def describe(self) -> dict[str, Any]:
        """See `NodeSpace.describe`; with the rule in words."""
        return super().describe() | {"rule": f"every vertex lies on a path from input to output; {self._rule()}"}

    def canonical(self, tokens) -> np.ndarray:
        """Keys `[B]`, equal for graphs that are the same but for the order of their vertices; exact, without hashing.

        Raises:
            InputError: tokens are not of the space, as `decode` may give for invalid samples.
        """
        return row_keys(self.representatives(tokens), self.allowed)

    def representatives(self, tokens) -> np.ndarray:
        """Of each cell, the order of vertices that stands for all of them: tokens `[B, N]` of tokens `[B, N]`."""
        tokens = self._checked(tokens)
        found = relabelling.least_twins(self.layout, self.layout.wired(tokens), self.layout.operations(tokens))
        return self.layout.write(*found)

    def connected(self, tokens) -> np.ndarray:
        """Bool `[B]`: always True."""
        return np.ones(len(tokens), bool)

    @property
    def _is_listed(self) -> bool:
        return self._num_topologies <= MOST_TOPOLOGIES

    @functools.cached_property
    def _terms(self) -> listed.Terms:
        terms = {"graphs": listed.of_graphs, "cells": listed.of_cells}[self.uniform]
        return terms(self.layout, self.topologies)

    @functools.cached_property
    def _edits(self):
        return jax.jit(lambda row: edits.edits_of(self.layout, self.limits, row))

    def _gradient(self, evidence, plus) -> jax.Array:
        return jax.grad(lambda given: frontier.log_partition(self.layout, self.limits, given, plus))(evidence)

    def _followed(self, evidence, plus) -> jax.Array:
        """The cell that the backward pass of the dynamic programme follows, tokens int32 `[N]`."""
        return jnp.argmax(self._gradient(evidence, plus), axis=-1).astype(jnp.int32)

    def _rule(self) -> str:
        vertices, (most, arity) = self.layout.vertices, self.limits
        reads = "" if arity is None else f", each operation reading {arity} vertices or as many as there are before it"
        return f"at most {vertices} vertices and {most} edges{reads}"

    def _inside(self, tokens: np.ndarray) -> np.ndarray:
        """Bool `[B]`: which tokens `[B, N]` are cells, by NumPy, so that no number of them has to be compiled for."""
        known = (tokens >= 0) & (tokens < self.num_classes)
        allowed = known & self.allowed[np.arange(self.num_nodes), np.where(known, tokens, 0)]
        return allowed.all(axis=1) & wiring.is_cell(self.layout, self.limits, wiring.read(self.layout, tokens))

    def _checked(self, tokens) -> np.ndarray:
        """The tokens `[B, N]`; raises InputError where they are not of the space."""
        tokens = np.asarray(tokens, np.int32)
        check_inside(tokens, self._inside(tokens), f"a cell of {self.name}")
        return tokens
