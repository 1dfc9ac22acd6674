"""Guidance by the gradient of a value, as classifier guidance does it."""

import jax

from nag_jax.generators.gaussian.parametrization import ScoreFn, score_to_denoised
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.guidance.base import ScoreTransform, ValueFn, stateless


def predictor_gradient(*, value_fn: ValueFn, scale) -> ScoreTransform:
    """Adds `scale * grad_x value_fn(x, t)` to the score (An et al., ICLR 2024, equation 8).

    Args:
        value_fn: must not couple samples: the gradient of its sum is taken. It sees the noised x; see
            `through_denoiser` for predictors that know clean architectures only.
        scale: strength, a float or a traced scalar. Labels are normalised to unit scale, so it means the same
            across tasks: the log-odds that one unit of value is worth.
    """

    def bend(score, *, x, t, keys):
        return score + scale * jax.grad(lambda x: value_fn(x, t).sum())(x)

    return stateless(bend)


def through_denoiser(value_fn: ValueFn, score_fn: ScoreFn, sde: SDE) -> ValueFn:
    """Value of the denoised estimate E[x_0 | x_t], so that a predictor of clean architectures guides.

    Its gradient runs through the score network (Chung et al., ICLR 2023).

    Args:
        value_fn: called with the estimate and t.
        score_fn: the unguided score.
        sde: the forward process.

    Example:
        >>> import jax.numpy as jnp
        >>> from nag_jax.generators.gaussian import sde
        >>> process = sde.make("ve")
        >>> value = through_denoiser(lambda x, t: x.sum((1, 2)), lambda x, t: jnp.zeros_like(x), process)
        >>> value(jnp.ones((1, 2, 2)), jnp.ones(1)).item()
        4.0
    """

    def value(x, t):
        return value_fn(score_to_denoised(score_fn(x, t), x, t, sde), t)

    return value
