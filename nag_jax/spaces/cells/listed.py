"""Draws, class probabilities and most likely cells by sums over all topologies, where those can be listed."""

import functools
from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.cells import wiring
from nag_jax.spaces.cells.layout import FIRST_OP, INPUT, OFF, ON, OUTPUT, Layout
from nag_jax.spaces.cells.relabelling import relabel
from nag_jax.spaces.cells.topologies import Topologies

_LEAST = -3e4
"""Evidence less than that of a node's most likely class is as good as none; differences of it stay exact to 0.002."""
_GRAINS = 2**31 - 1
"""Draws are made by an int32 among so many, with a relative error of 1e-3 for terms of 5e-7."""
# TensorFloat32, which GPUs multiply float32 by unless told otherwise, has 10 bits.
_matmul = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)


class Terms(NamedTuple):
    """What a sum over cells is made of: in each term some pairs are wired, and groups of vertices share an operation.

    Uniform over labelled graphs, a term is a topology, and every vertex is a group of its own. Uniform over cells, a
    term is a topology and one of its automorphisms, whose cycles are the groups: by Burnside's lemma the sum over all
    automorphisms counts each graph as often as it has other labels, and the weight makes up for that.

    Attributes:
        wired: bool `[T, P]`.
        groups: which groups a term has, bool `[T, G]`.
        members: which vertices between input and output a group has, bool `[G, M - 2]`.
        weights: what each cell of a term weighs, `[T]`.
    """

    wired: np.ndarray
    groups: np.ndarray
    members: np.ndarray
    weights: tuple[Fraction, ...]

    def masses(self, kinds: int) -> list[Fraction]:
        """What all cells of each term weigh together, where vertices are each of so many kinds."""
        cycles = self.groups.sum(axis=1).tolist()
        return [weight * kinds**count for weight, count in zip(self.weights, cycles, strict=True)]


def of_graphs(layout: Layout, topologies: Topologies) -> Terms:
    """The terms of the sum over labelled graphs."""
    groups = np.arange(layout.slots) < topologies.interior[:, None]
    weights = (Fraction(1),) * len(groups)
    return Terms(topologies.wired, groups, np.eye(layout.slots, dtype=bool), weights)


def of_cells(layout: Layout, topologies: Topologies) -> Terms:
    """The terms of the sum over cells, graphs whatever their labels."""
    rows, weights, cycles = [], [], []
    for row, interior in enumerate(topologies.interior.tolist()):
        found = relabel(layout, topologies.wired[row], interior)
        for moved in found.automorphisms().tolist():
            rows.append(row)
            weights.append(Fraction(1, found.count))
            cycles.append(_cycles(moved))
    known = sorted({cycle for term in cycles for cycle in term}, key=lambda cycle: (len(cycle), sorted(cycle)))
    groups = np.array([[cycle in term for cycle in known] for term in cycles])
    members = np.array([[slot in cycle for slot in range(layout.slots)] for cycle in known])
    return Terms(topologies.wired[rows], groups, members, tuple(weights))


def draw(layout: Layout, terms: Terms, key: jax.Array) -> jax.Array:
    """Draws one cell, tokens int32 `[N]`, by what the terms weigh. Jittable."""
    ends = np.cumsum([float(mass) for mass in terms.masses(len(layout.ops))])
    ends = np.round(ends / ends[-1] * _GRAINS).astype(np.int32)
    term_key, op_key = jax.random.split(key)
    term = jnp.searchsorted(jnp.asarray(ends), jax.random.randint(term_key, (), 0, _GRAINS, jnp.int32), side="right")
    ops = jax.random.randint(op_key, (len(terms.members),), 0, len(layout.ops), jnp.int32)
    held = jnp.asarray(terms.groups)[term][:, None] & jnp.asarray(terms.members)
    slots = jnp.where(held.any(axis=0), FIRST_OP + jnp.where(held, ops[:, None], 0).sum(axis=0), layout.absent)
    return wiring.write(layout, jnp.asarray(terms.wired)[term], slots)


def class_posterior(layout: Layout, terms: Terms, log_likelihood) -> jax.Array:
    """Marginal class probabilities `[B, N, V]`, given evidence about every node `[B, N, V]`. Jittable."""
    evidence = clipped(layout, log_likelihood)
    pairs, slots = evidence[:, layout.pair_nodes], evidence[:, layout.slot_nodes]
    of_op = slots[..., FIRST_OP : layout.absent]
    shared = jnp.einsum("bso,gs->bgo", of_op, terms.members.astype(np.float32), precision=jax.lax.Precision.HIGHEST)
    without = _matmul(slots[..., layout.absent], terms.members.T.astype(np.float32))
    features = jnp.concatenate([pairs[..., ON] - pairs[..., OFF], jax.nn.logsumexp(shared, axis=-1) - without], axis=1)
    parts = np.concatenate([terms.wired, terms.groups], axis=1).astype(np.float32)
    log_weights = np.log([float(weight) for weight in terms.weights]).astype(np.float32)
    weights = jax.nn.softmax(_matmul(features, parts.T) + log_weights[None], axis=-1)
    found = _matmul(weights, parts)
    on, groups = found[:, : len(layout.pairs)], found[:, len(layout.pairs) :]
    ops = jnp.einsum("bg,bgo,gs->bso", groups, jax.nn.softmax(shared, axis=-1), terms.members.astype(np.float32))
    return assembled(layout, on, ops)


def nearest(layout: Layout, topologies: Topologies, x) -> jax.Array:
    """The cells whose entries of x `[B, N, V]` are greatest in sum, tokens int32 `[B, N]`. Jittable."""
    pairs, slots = x[:, layout.pair_nodes], x[:, layout.slot_nodes]
    of_op = slots[..., FIRST_OP : layout.absent]
    present = np.arange(layout.slots) < topologies.interior[:, None]
    features = jnp.concatenate(
        [pairs[..., ON] - pairs[..., OFF], of_op.max(axis=-1) - slots[..., layout.absent]], axis=1
    )
    parts = np.concatenate([topologies.wired, present], axis=1).astype(np.float32)
    best = jnp.argmax(_matmul(features, parts.T), axis=1)
    ops = FIRST_OP + jnp.argmax(of_op, axis=-1).astype(jnp.int32)
    chosen = jnp.where(jnp.asarray(present)[best], ops, layout.absent)
    return jax.vmap(functools.partial(wiring.write, layout))(jnp.asarray(topologies.wired)[best], chosen)


def clipped(layout: Layout, log_likelihood) -> jax.Array:
    """Evidence `[B, N, V]` less that of each node's most likely class, without infinities."""
    given = jnp.where(jnp.asarray(layout.allowed)[None], log_likelihood, -jnp.inf)
    return jnp.maximum(given - given.max(axis=-1, keepdims=True), _LEAST)


def assembled(layout: Layout, on, ops) -> jax.Array:
    """Class probabilities `[B, N, V]` of those of wired pairs `[B, P]` and of operations `[B, M - 2, K]`."""
    p = jnp.zeros((on.shape[0], *layout.allowed.shape), jnp.float32)
    p = p.at[:, 0, INPUT].set(1.0).at[:, -1, OUTPUT].set(1.0)
    p = p.at[:, layout.pair_nodes, ON].set(on).at[:, layout.pair_nodes, OFF].set(1.0 - on)
    p = p.at[:, layout.slot_nodes, FIRST_OP : layout.absent].set(ops)
    return p.at[:, layout.slot_nodes, layout.absent].set(jnp.maximum(1.0 - ops.sum(axis=-1), 0.0))


def _cycles(moved: list[int]) -> frozenset[frozenset[int]]:
    """The cycles of a permutation."""
    cycles, left = set(), set(range(len(moved)))
    while left:
        cycle, place = set(), min(left)
        while place not in cycle:
            cycle.add(place)
            place = moved[place]
        left -= cycle
        cycles.add(frozenset(cycle))
    return frozenset(cycles)
