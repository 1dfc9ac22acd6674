"""Predictors: learned models of the objectives. Higher is better, in units of the normalised labels.

A network here is written for one architecture; `make_predictor` batches it and `ensemble` stacks members.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp


class Predictor(NamedTuple):
    """A learned model of M objectives.

    Attributes:
        init: key -> params.
        apply: (params, x `[B, N, V]`, t `[B]`, context) -> `[B, M, K]`: objectives, members of an ensemble. The context
            is None, or what is known of the data set, `[C]`, or of each architecture's data set, `[B, C]`. Keyword
            `dropout_key` turns dropout on.
    """

    init: Callable
    apply: Callable


def make_predictor(network: nn.Module, shape: tuple[int, int], *, condition=lambda t: t, context=None) -> Predictor:
    """Batches a network of one architecture.

    Args:
        network: called as (x `[N, V]`, condition, context), which gives `[M]`.
        shape: (N, V).
        condition: t `[B]` -> the noise level that the network embeds.
        context: an example of the context, for its shape.
    """

    def init(key):
        return network.init(key, jnp.zeros(shape, jnp.float32), jnp.ones((), jnp.float32), context)

    def apply(params, x, t, context=None, *, dropout_key=None):
        def one(x, level, context, i):
            rngs = None if dropout_key is None else {"dropout": jax.random.fold_in(dropout_key, i)}
            return network.apply(params, x, level, context, deterministic=dropout_key is None, rngs=rngs)

        each = 0 if context is not None and context.ndim == 2 else None
        numbers = jnp.arange(x.shape[0], dtype=jnp.int32)
        values: Any = jax.vmap(one, in_axes=(0, 0, each, 0))(x, condition(t), context, numbers)
        return jnp.expand_dims(values, -1)

    return Predictor(init, apply)


def ensemble(predictor: Predictor, size: int) -> Predictor:
    """`size` members from different initialisations; parameters are stacked.

    The mean over members is the estimate, their spread its uncertainty (Lakshminarayanan et al., NeurIPS 2017).
    """

    def init(key):
        return jax.vmap(predictor.init)(jax.random.split(key, size))

    def apply(params: Any, x, t, context=None, *, dropout_key=None):
        def member(numbered):
            params, i = numbered
            key = None if dropout_key is None else jax.random.fold_in(dropout_key, i)
            return predictor.apply(params, x, t, context, dropout_key=key)[:, :, 0]

        # A loop, not vmap: batched over members, XLA's gathers and scatters on CPU take twice as long.
        return jnp.moveaxis(jax.lax.map(member, (params, jnp.arange(size, dtype=jnp.int32))), 0, -1)

    return Predictor(init, apply)
