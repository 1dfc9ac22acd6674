"""The discretisation of the reverse-time SDE that mirrors the forward transition."""

from nag_jax.generators.gaussian.kernels.base import Kernel, stateless, transition
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.system.keys import expand, normal


def reverse_diffusion(sde: SDE) -> Kernel:
    """Reverse diffusion sampling (Song et al. 2021, algorithm 2 and appendix E).

    With the forward transition `x_t = a x_s + b z`: `x_mean = (2 - a) x + b^2 score`, `x = x_mean + b z`.
    """

    def step(keys, i, state, x, t, t_next, score_fn):
        scale, std = transition(sde, t, t_next)
        x_mean = expand(2.0 - scale, x) * x + expand(std**2, x) * score_fn(x, t)
        return state, x_mean + expand(std, x) * normal(keys, x.shape[1:]), x_mean

    return Kernel(stateless, step)
