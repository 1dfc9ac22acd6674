"""Ancestral sampling: the posterior of the next, less noisy x, at the denoised estimate."""

from nag_jax.generators.gaussian.kernels.base import Kernel, stateless, transition
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.system.keys import expand, normal


def ancestral(sde: SDE) -> Kernel:
    """Draws from q(x_s | x_t, E[x_0 | x_t]) (Ho et al., NeurIPS 2020, equation 7, for any of our SDEs).

    With the forward transition `x_t = a x_s + b z`: `x_mean = (x + b^2 score) / a`, and noise of standard deviation
    `b sigma_s / sigma_t`, which vanishes where the next level is noise-free.
    """

    def step(keys, i, state, x, t, t_next, score_fn):
        scale, std = transition(sde, t, t_next)
        x_mean = (x + expand(std**2, x) * score_fn(x, t)) / expand(scale, x)
        noise = normal(keys, x.shape[1:])
        return state, x_mean + expand(std * sde.sigma(t_next) / sde.sigma(t), x) * noise, x_mean

    return Kernel(stateless, step)
