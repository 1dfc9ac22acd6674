"""A perceptron on features of the architecture, as BANANAS uses it."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jax import Array


class FeaturePerceptron(nn.Module):
    """Dense layers on features of x; the noise level and the context are ignored.

    Attributes:
        features: x `[B, N, V]` -> `[B, F]`.
        width: the number of features of a hidden layer.
        num_layers: hidden layers.
    """

    features: Callable[[Array], Array]
    width: int = 32
    num_layers: int = 2

    @nn.compact
    def __call__(self, x, condition, context, *, deterministic: bool = True):
        """Value `[1]` of one architecture x `[N, V]`."""
        h = self.features(jnp.asarray(x)[None])[0]
        for i in range(self.num_layers):
            h = nn.silu(nn.Dense(self.width, name=f"hidden_{i}")(h))
        return nn.Dense(1, name="value")(h)
