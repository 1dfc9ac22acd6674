"""The head of predictor networks: a value of what is known of the architecture and of the data set."""

import flax.linen as nn
import jax.numpy as jnp


def head(pooled, context, width: int, drop):
    """Two dense layers on what is known of the architecture and of the data set."""
    if context is not None:
        pooled = jnp.concatenate([pooled, context])
    h = nn.silu(nn.Dense(width, name="hidden")(drop(pooled)))
    return nn.Dense(1, name="value")(h)
