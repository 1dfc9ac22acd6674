"""Features of how an architecture is wired, for spaces whose tokens choose that; see `features`.

Sums over paths by dynamic programming: there are too many paths to list.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from nag_jax.spaces import NodeSpace
from nag_jax.spaces.paths import Wiring
from nag_jax.system.errors import InputError


def profile(space: NodeSpace) -> Callable[[Array], Array]:
    """How many operations there are of each class, how many paths pass each class, and how many have each length.

    What `path_counts` summarises, for spaces whose tokens choose the wiring. What passes its input on adds no length.

    Raises:
        InputError: the space's tokens don't choose the wiring.
    """
    _wiring(space, _nothing(space))

    def features(x):
        wiring = _wiring(space, x)
        to_sink = _reached(lambda v: jnp.einsum("bi,bij->bj", v, wiring.links), wiring.sinks)
        classes = jnp.einsum("bi,bia->ba", to_sink, wiring.classes)
        return jnp.concatenate([wiring.classes.sum(axis=1), classes, _length_counts(wiring)], axis=1)

    return features


def links(space: NodeSpace) -> Callable[[Array], Array]:
    """How many operations of each class read one of each class, or the input, or feed the output.

    Reading by way of operations that pass their input on counts too, so architectures that differ in where those are
    may share their features.

    Raises:
        InputError: the space's tokens don't choose the wiring.
    """
    _wiring(space, _nothing(space))

    def features(x):
        wiring = _wiring(space, x)
        through = wiring.links * wiring.passing[:, None, :]
        reads = _reached(lambda v: jnp.einsum("bij,bjk->bik", through, v), wiring.links)
        first = _reached(lambda v: jnp.einsum("bij,bj->bi", through, v), wiring.sources)
        last = _reached(lambda v: jnp.einsum("bi,bij->bj", v * wiring.passing, wiring.links), wiring.sinks)
        # Summed term by term, for batched products of matrices this small are slow on CPU.
        operations = range(wiring.passing.shape[1])
        pairs = sum(
            reads[:, i, j, None, None] * wiring.classes[:, i, :, None] * wiring.classes[:, j, None, :]
            for i in operations
            for j in operations[:i]
        )
        ends = [jnp.einsum("bi,bia->ba", end, wiring.classes) for end in (first, last)]
        direct = (first * wiring.passing * wiring.sinks).sum(axis=1, keepdims=True)
        return jnp.concatenate([jnp.reshape(pairs, (x.shape[0], -1)), *ends, direct], axis=1)

    return features


def chooses_wiring(space: NodeSpace) -> bool:
    """Whether the space has these features."""
    return space.wiring(_nothing(space)) is not None


def _wiring(space: NodeSpace, x: Array) -> Wiring:
    wiring = space.wiring(x)
    if wiring is None:
        raise InputError(f"all architectures of {space.name} share one DAG: use 'path_counts' or 'one_hot'")
    return wiring


def _nothing(space: NodeSpace) -> Array:
    return jnp.zeros((1, space.num_nodes, space.num_classes), jnp.float32)


def _reached(step: Callable[[Array], Array], start: Array) -> Array:
    """`start + step(start) + step(step(start)) + ...`, for as many steps as there are operations."""
    total = start
    for _ in range(start.shape[1] - 1):
        start = step(start)
        total = total + start
    return total


def _length_counts(wiring: Wiring) -> Array:
    """How many paths from input to output have 0 to M operations that don't pass their input on, `[B, M + 1]`."""
    passing = wiring.passing[..., None]

    def extend(counts):
        longer = jnp.pad(counts, ((0, 0), (0, 0), (1, 0)))[..., :-1]
        return passing * counts + (1.0 - passing) * longer

    length = jnp.eye(1, wiring.passing.shape[1] + 1, dtype=jnp.float32)[None]
    first = extend(wiring.sources[..., None] * length)
    behind = _reached(lambda v: extend(jnp.einsum("bij,bjl->bil", wiring.links, v)), first)
    return jnp.einsum("bil,bi->bl", behind, wiring.sinks)
