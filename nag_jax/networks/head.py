"""The head of predictor networks: the values of what is known of the architecture and of the data set."""

import flax.linen as nn
import jax.numpy as jnp


def head(pooled, context, width: int, drop, outputs: int):
    """Two dense layers on what is known of the architecture and of the data set: `[outputs]`."""
    if context is not None:
        pooled = jnp.concatenate([pooled, context])
    h = nn.silu(nn.Dense(width, name="hidden")(drop(pooled)))
    return nn.Dense(outputs, name="value")(h)
