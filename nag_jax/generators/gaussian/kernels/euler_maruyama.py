"""Euler-Maruyama on the reverse-time SDE."""

import jax.numpy as jnp

from nag_jax.generators.gaussian.kernels.base import Kernel, stateless
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.system.keys import expand, normal


def euler_maruyama(sde: SDE) -> Kernel:
    """The published sampler's predictor step (Song et al. 2021, appendix G).

    With h = t - t_next: `x_mean = x - (f - g^2 s) h`, `x = x_mean + g sqrt(h) z`.
    """

    def step(keys, i, state, x, t, t_next, score_fn):
        drift, diffusion = sde.coefficients(x, t)
        h = t - t_next
        x_mean = x - (drift - expand(diffusion**2, x) * score_fn(x, t)) * expand(h, x)
        return state, x_mean + expand(diffusion * jnp.sqrt(h), x) * normal(keys, x.shape[1:]), x_mean

    return Kernel(stateless, step)
