"""DPM-Solver++(2M): a deterministic second-order multistep solver of the probability-flow ODE."""

import jax.numpy as jnp

from nag_jax.generators.gaussian.kernels.base import Kernel
from nag_jax.generators.gaussian.parametrization import score_to_denoised
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.system.keys import expand


def dpm_solver(sde: SDE) -> Kernel:
    """DPM-Solver++(2M) (Lu et al. 2022, arXiv 2211.01095, algorithm 2), first order in its first step.

    In `l = log(alpha / sigma)` with h = l_s - l_t and D the denoised estimate, extrapolated from the last two:
    `x_s = sigma_s / sigma_t x - alpha_s (exp(-h) - 1) D`. The state is the previous estimate and its l.
    """

    def log_snr(t):
        return jnp.log(sde.alpha(t) / sde.sigma(t))

    def init(x):
        return jnp.zeros_like(x), jnp.zeros(x.shape[0], x.dtype)

    def step(keys, i, state, x, t, t_next, score_fn):
        previous, previous_level = state
        denoised = score_to_denoised(score_fn(x, t), x, t, sde)
        h = log_snr(t_next) - log_snr(t)
        slope = jnp.where(i == 0, 0.0, h / (2.0 * jnp.where(i == 0, 1.0, log_snr(t) - previous_level)))
        extrapolated = denoised + expand(slope, x) * (denoised - previous)
        x = (
            expand(sde.sigma(t_next) / sde.sigma(t), x) * x
            - expand(sde.alpha(t_next) * jnp.expm1(-h), x) * extrapolated
        )
        return (denoised, log_snr(t)), x, x

    return Kernel(init, step)
