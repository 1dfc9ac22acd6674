r"""Sums over all cells by a dynamic programme over pairs of vertices, for spaces with too many topologies to list.

Vertices come in order. What a partial cell must remember is its frontier, the vertices that nothing reads yet, and how
many edges it has. The programme is written once for any semiring. With (log-sum-exp, +) it gives the log-partition
:math:`\log Z(\lambda)` of evidence, whose gradient are the marginals. Where the backward pass follows one term of
every sum, drawn by its weight or the greatest, the gradient is one cell, as one-hot entries: an exact draw, or the most
likely cell (Mensch and Blondel, ICML 2018).
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.cells.layout import FIRST_OP, INPUT, OFF, ON, OUTPUT, Layout
from nag_jax.spaces.cells.topologies import Limits

_IMPOSSIBLE = -1e9
"""In place of minus infinity, whose differences are NaN in gradients."""


class Semiring(NamedTuple):
    """What sums and products are.

    Attributes:
        zero: neutral for sums.
        one: neutral for products.
        plus: (a, b, step) -> their sum; the step, a number, tells the rounds of a loop apart.
        times: the product of two arrays.
        loop: (body, state, items) -> the state after body(state, (round, item)) for each of the items in turn.
        arrays: the module that makes arrays, NumPy or JAX's.
        dtype: the type of their entries.
    """

    zero: Any
    one: Any
    plus: Callable
    times: Callable
    loop: Callable
    arrays: Any
    dtype: Any

    def zeros(self, shape: tuple[int, ...]) -> Any:
        """An array of zeros."""
        return self.arrays.full(shape, self.zero, self.dtype)

    def total(self, values: Any) -> Any:
        """The sum over the first axis."""
        return self.loop(lambda sum_, item: self.plus(sum_, item[1], item[0]), values[0], values[1:])


def _loop(body: Callable, state: Any, items: Any) -> Any:
    for item in enumerate(zip(*items, strict=True) if isinstance(items, tuple) else items):
        state = body(state, item)
    return state


def _scan(body: Callable, state: Any, items: Any) -> Any:
    """By one loop, not unrolled: XLA fuses chains of sums and shifts into programmes that grow exponentially."""
    rounds = jnp.arange(len(jax.tree.leaves(items)[0]), dtype=jnp.int32)
    return jax.lax.scan(lambda state, item: (body(state, item), None), state, (rounds, items))[0]


class Evidence(NamedTuple):
    """What each part of a cell weighs.

    Attributes:
        on: weights of wired pairs, `[P]`.
        off: weights of unwired pairs, `[P]`.
        present: weights of the vertices between input and output, `[M - 2]`.
        absent: weights of their absence, `[M - 2]`.
    """

    on: Any
    off: Any
    present: Any
    absent: Any


def count(layout: Layout, limits: Limits, kinds: int) -> int:
    """How many cells there are whose vertices between input and output are each of so many kinds.

    Example:
        >>> layout = Layout(7, ("a", "b", "c"))
        >>> count(layout, Limits(9, None), 1), count(layout, Limits(9, None), 3)
        (6472, 1293208)
    """
    semiring = Semiring(0, 1, lambda a, b, step: a + b, lambda a, b: a * b, _loop, np, object)
    pairs, slots = np.ones(len(layout.pairs), object), np.ones(layout.slots, object)
    return int(partition(layout, limits, Evidence(pairs, pairs, kinds * slots, slots), semiring))


def log_partition(layout: Layout, limits: Limits, log_likelihood: jax.Array, plus: Callable) -> jax.Array:
    """The logarithm of the sum over all cells of the exponential of their evidence; jittable.

    Args:
        layout: the layout of the cells.
        limits: the limits of their wirings.
        log_likelihood: evidence about one cell, `[N, V]`.
        plus: the sum of two logarithms: `soft`, `most` or `drawn`.
    """
    semiring = Semiring(_IMPOSSIBLE, 0.0, plus, lambda a, b: a + b, _scan, jnp, jnp.float32)
    pairs, slots = log_likelihood[layout.pair_nodes], log_likelihood[layout.slot_nodes]
    present = semiring.total(slots[:, FIRST_OP : layout.absent].T)
    evidence = Evidence(pairs[:, ON], pairs[:, OFF], present, slots[:, layout.absent])
    return partition(layout, limits, evidence, semiring) + log_likelihood[0, INPUT] + log_likelihood[-1, OUTPUT]


def soft(a: jax.Array, b: jax.Array, step: jax.Array) -> jax.Array:
    """The sum of two logarithms."""
    return jnp.logaddexp(a, b)


def most(a: jax.Array, b: jax.Array, step: jax.Array) -> jax.Array:
    """The greater of two logarithms, with a gradient of one of them alone."""
    return jnp.where(a >= b, a, b)


def drawn(key: jax.Array) -> Callable:
    """The sum of two logarithms, with a gradient of one of them, drawn by its share in the sum."""
    sites = itertools.count()

    def plus(a, b, step):
        own = jax.random.fold_in(jax.random.fold_in(key, next(sites)), step)
        chosen = jnp.where(jax.random.uniform(own, jnp.shape(a), jnp.float32) < jax.nn.sigmoid(a - b), a, b)
        return chosen + jax.lax.stop_gradient(jnp.logaddexp(a, b) - chosen)

    return plus


def partition(layout: Layout, limits: Limits, evidence: Evidence, semiring: Semiring) -> Any:
    """The sum over all cells of the products of what their parts weigh.

    A state is `[2^v, E + 1]` after v vertices: by which of them are unread, a bit each, and by the number of edges.
    """
    state = semiring.zeros((2, limits.edges + 1))
    state = semiring.arrays.where(np.indices(state.shape)[0] > np.indices(state.shape)[1], semiring.one, state)
    absences, totals = _absences(layout, evidence, semiring), []
    for vertex in range(1, layout.vertices):
        closed = _read(layout, evidence, semiring, state, layout.vertices - 1, None)[0]  # with nothing left unread
        totals.append(semiring.times(semiring.total(closed), absences[vertex - 1]))
        if vertex < layout.vertices - 1:
            arity = None if limits.in_degree is None else min(limits.in_degree, vertex)
            state = _read(layout, evidence, semiring, state, vertex, arity)
            state = semiring.times(state, evidence.present[vertex - 1])
            state = semiring.arrays.concatenate([semiring.zeros(state.shape), state])  # nothing reads it yet
    return semiring.total(semiring.arrays.stack(totals))


def _read(layout: Layout, evidence: Evidence, semiring: Semiring, state: Any, vertex: int, arity: int | None) -> Any:
    """The state after a vertex has chosen which earlier ones it reads: `arity` of them, or one or more."""
    arrays, counts = semiring.arrays, 2 if arity is None else arity + 1
    none_yet = [state] + [semiring.zeros(state.shape)] * (counts - 1)
    rows = np.arange(len(state), dtype=np.int32)
    sources = np.arange(int(np.log2(len(state))), dtype=np.int32)
    pairs = sources + vertex * (vertex - 1) // 2

    def body(state, item):
        step, (source, on, off) = item
        bit = 1 << source
        other = state[rows ^ bit]
        wired = _with_edge(semiring, semiring.plus(state, other, step), step, saturates=arity is None)
        without = semiring.times(state, off)
        read = semiring.plus(without, semiring.times(wired, on), step)
        return arrays.where(((rows & bit) == 0)[:, None, None], read, without)

    state = semiring.loop(body, arrays.stack(none_yet, axis=-1), (sources, evidence.on[pairs], evidence.off[pairs]))
    return state[..., counts - 1]


def _with_edge(semiring: Semiring, state: Any, step: Any, *, saturates: bool) -> Any:
    """The state with one more edge, and one more coming in; the last number of those may stand for all that follow."""
    arrays = semiring.arrays
    more = arrays.concatenate([semiring.zeros((*state.shape[:-2], 1, state.shape[-1])), state[..., :-1, :]], axis=-2)
    last = semiring.plus(more[..., -2], more[..., -1], step) if saturates else more[..., -2]
    return arrays.concatenate([semiring.zeros((*more.shape[:-1], 1)), more[..., :-2], last[..., None]], axis=-1)


def _absences(layout: Layout, evidence: Evidence, semiring: Semiring) -> list[Any]:
    """What it weighs that all vertices between input and output but the first i are absent, for i = 0 to M - 2."""
    pairs = {pair: index for index, pair in enumerate(layout.pairs)}
    found = [semiring.one]
    for vertex in range(layout.slots, 0, -1):
        touching = [pairs[source, vertex] for source in range(vertex)] + [pairs[vertex, layout.vertices - 1]]
        factors = [evidence.absent[vertex - 1], *(evidence.off[index] for index in touching)]
        found.append(functools.reduce(semiring.times, factors, found[-1]))
    return found[::-1]
