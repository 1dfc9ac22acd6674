"""Guidance at the denoised estimate, without a derivative of the score network."""

import jax
import jax.numpy as jnp

from nag_jax.generators.gaussian.parametrization import denoised_to_score, score_to_denoised
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.guidance.base import ScoreTransform, ValueFn, stateless
from nag_jax.system.keys import expand


def denoised_gradient(*, value_fn: ValueFn, sde: SDE, scale) -> ScoreTransform:
    """Adds `scale * J^T grad value_fn(E[x_0 | x_t], t)` with the Jacobian J of independent nodes.

    J is alpha / sigma^2 times the covariance of x_0 given x_t (Efron 2011). A node's block of it follows from its class
    probabilities p, as 4 (diag p - p p^T); blocks between nodes are left out. That is exact where nodes are independent
    given x_t, and saves the backward pass through the score network that `through_denoiser` needs.
    """

    def bend(score, *, x, t, keys):
        denoised = score_to_denoised(score, x, t, sde)
        gradient = jax.grad(lambda x0: value_fn(x0, t).sum())(denoised)
        p = jnp.clip((denoised + 1.0) / 2.0, 0.0, 1.0)
        centred = gradient - (p * gradient).sum(axis=-1, keepdims=True)
        return score + scale * expand(4.0 * sde.alpha(t) / sde.sigma(t) ** 2, x) * p * centred

    return stateless(bend)


def class_tilt(*, value_fn: ValueFn, sde: SDE, scale) -> ScoreTransform:
    """Tilts every node's class probabilities by the value's derivative there, and takes the score of the result.

    With p the probabilities of the denoised estimate and g the derivative of the value in the one-hot entries,
    `p' ~ p exp(scale g)`: the exact posterior for a value that is linear in x_0 and nodes that are independent
    given x_t. The estimate stays within the simplex however large the scale.
    """

    def bend(score, *, x, t, keys):
        denoised = score_to_denoised(score, x, t, sde)
        gradient = jax.grad(lambda x0: value_fn(x0, t).sum())(denoised)
        p = (denoised + 1.0) / 2.0
        # What Tweedie's formula leaves of a class that is not allowed is float32 rounding, which a strong tilt would
        # raise to a probability. A finite floor keeps rows without any class free of NaN.
        rounding = 2.0 * jnp.finfo(x.dtype).eps * (1.0 + jnp.abs(x)) / expand(sde.alpha(t), x)
        logits = jnp.where(p > rounding, jnp.log(jnp.maximum(p, rounding)), -1e6) + scale * 2.0 * gradient
        return denoised_to_score(2.0 * jax.nn.softmax(logits, axis=-1) - 1.0, x, t, sde)

    return stateless(bend)
