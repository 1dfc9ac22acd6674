"""Guides: guidance is to a generator's beliefs what an optax transform is to a gradient."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jax import Array

ValueFn = Callable[[Array, Array, Mapping[str, Any]], Array]
"""(x `[B, N, V]`, progress `[B]`, args) -> value `[B]` of expected architectures; higher is better."""


class Guide(NamedTuple):
    """Bends beliefs; guides chain.

    Attributes:
        init: beliefs -> state, any pytree of arrays.
        update: (beliefs, state, *, keys `[B]`, args) -> (beliefs, state). The args are arrays by name, which may be
            traced; all guides of a chain are given the same ones and take what they know.
        coupled: whether a sample's beliefs depend on the other samples; coupled batches can't be cut into chunks.

    Example:
        >>> import jax.numpy as jnp
        >>> from nag_jax.generators.contract import Beliefs
        >>> sharpen = stateless(lambda beliefs, *, keys, args: beliefs._replace(logits=2.0 * beliefs.logits))
        >>> beliefs = Beliefs(jnp.zeros((1, 2, 2)), jnp.zeros(1))
        >>> bent, _ = sharpen.update(beliefs, sharpen.init(beliefs), keys=None, args={})
        >>> bent.logits.shape
        (1, 2, 2)
    """

    init: Callable
    update: Callable
    coupled: bool = False


def stateless(bend: Callable) -> Guide:
    """An uncoupled guide without state, from (beliefs, *, keys, args) -> beliefs."""
    return Guide(
        init=lambda beliefs: (),
        update=lambda beliefs, state, *, keys, args: (bend(beliefs, keys=keys, args=args), state),
    )


def identity() -> Guide:
    """Leaves beliefs as they are."""
    return stateless(lambda beliefs, *, keys, args: beliefs)


def chain(*guides: Guide) -> Guide:
    """Applies the guides in order, each to the beliefs that the one before it returned.

    Example:
        >>> chain(identity(), identity()).coupled
        False
    """

    def init(beliefs):
        return tuple(guide.init(beliefs) for guide in guides)

    def update(beliefs, state, *, keys, args):
        new_state = []
        for guide, own in zip(guides, state, strict=True):
            beliefs, own = guide.update(beliefs, own, keys=keys, args=args)
            new_state.append(own)
        return beliefs, tuple(new_state)

    return Guide(init, update, any(guide.coupled for guide in guides))
