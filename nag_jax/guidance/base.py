"""Guidance is to a score what an optax transform is to a gradient."""

from collections.abc import Callable
from typing import NamedTuple

from jax import Array

ValueFn = Callable[[Array, Array], Array]
"""x `[B, N, V]`, t `[B]` -> value `[B]`; higher is better."""


class ScoreTransform(NamedTuple):
    """Bends a score; transforms `chain`.

    Attributes:
        init: x `[B, N, V]` -> state, any pytree of arrays.
        update: (score `[B, N, V]`, state, *, x `[B, N, V]`, t `[B]`, keys `[B]`) -> (score, state).
        coupled: whether a sample's score depends on the other samples; coupled batches can't be cut into chunks.

    Example:
        >>> import jax.numpy as jnp
        >>> double = stateless(lambda score, **_: 2.0 * score)
        >>> x = jnp.ones((1, 2, 2))
        >>> score, _ = double.update(x, double.init(x), x=x, t=jnp.ones(1), keys=None)
        >>> score.sum().item()
        8.0
    """

    init: Callable
    update: Callable
    coupled: bool = False


def stateless(transform: Callable) -> ScoreTransform:
    """An uncoupled transform without state, from (score, *, x, t, keys) -> score."""
    return ScoreTransform(
        init=lambda x: (),
        update=lambda score, state, *, x, t, keys: (transform(score, x=x, t=t, keys=keys), state),
    )


def identity() -> ScoreTransform:
    """Leaves the score as it is."""
    return stateless(lambda score, **_: score)


def chain(*transforms: ScoreTransform) -> ScoreTransform:
    """Applies the transforms in order, each to the score that the one before it returned.

    Example:
        >>> chain(identity(), identity()).coupled
        False
    """

    def init(x):
        return tuple(transform.init(x) for transform in transforms)

    def update(score, state, *, x, t, keys):
        new_state = []
        for transform, own in zip(transforms, state, strict=True):
            score, own = transform.update(score, own, x=x, t=t, keys=keys)
            new_state.append(own)
        return score, tuple(new_state)

    return ScoreTransform(init, update, any(transform.coupled for transform in transforms))
