"""Training losses: a function of the network and of one key, so that a step of training is a pure function."""

import jax
import jax.numpy as jnp
from jax import Array

from nag_jax.generators.gaussian.parametrization import ScoreFn
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.system.keys import expand, fold_in, normal, uniform


def perturb(keys: Array, x0: Array, sde: SDE) -> tuple[Array, Array, Array]:
    """Noises clean architectures x0 `[B, N, V]` at times drawn uniformly from [t_min, 1], one key per sample.

    Returns:
        x_t `[B, N, V]`, t `[B]` and the standard normal noise `[B, N, V]` in it.
    """
    t = uniform(fold_in(keys, 0), low=sde.t_min, high=1.0)
    noise = normal(fold_in(keys, 1), x0.shape[1:])
    mean, std = sde.marginal(x0, t)
    return mean + expand(std, x0) * noise, t, noise


def score_matching(keys: Array, score_fn: ScoreFn, x0: Array, sde: SDE, *, likelihood_weighting: bool = False) -> Array:
    """Denoising score matching (Song et al. 2021, equation 7), a scalar: `mean (sigma s(x_t, t) + z)^2`.

    Args:
        keys: one key per sample, `[B]`.
        score_fn: the score.
        x0: clean architectures `[B, N, V]`.
        sde: the forward process.
        likelihood_weighting: weights by g^2 instead of sigma^2: `mean g^2 (s + z / sigma)^2`.
    """
    x, t, noise = perturb(keys, x0, sde)
    residual = expand(sde.sigma(t), x) * score_fn(x, t) + noise
    if likelihood_weighting:
        _, diffusion = sde.coefficients(x, t)
        residual *= expand(diffusion / sde.sigma(t), x)
    return jnp.mean(residual**2)


def class_cross_entropy(keys: Array, logits_fn: ScoreFn, x0: Array, sde: SDE) -> Array:
    """Cross-entropy of the clean classes given x_t, in nats per node, averaged over nodes, samples and times.

    Its minimum over functions is reached by the exact posterior, as is that of `score_matching`; its gradient does
    not explode where the noise is small. Nodes with a single allowed class contribute exactly zero.
    """
    x, t, _ = perturb(keys, x0, sde)
    log_probabilities = jax.nn.log_softmax(logits_fn(x, t), axis=-1)
    return -jnp.mean(jnp.sum(jnp.where(x0 > 0, log_probabilities, 0.0), axis=-1))
