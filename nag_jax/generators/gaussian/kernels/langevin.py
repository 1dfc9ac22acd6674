"""Langevin corrector: moves within one noise level."""

import jax.numpy as jnp

from nag_jax.generators.gaussian.kernels.base import Kernel, stateless
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.system.errors import InputError
from nag_jax.system.keys import expand, fold_in, normal


def langevin(sde: SDE, *, snr: float = 0.16, num_steps: int = 1, norm: str = "sample") -> Kernel:
    """Annealed Langevin dynamics with a step from the signal-to-noise ratio (Song et al. 2021, algorithm 4).

    `e = 2 (snr |z| / |s|)^2`, `x_mean = x + e s`, `x = x_mean + sqrt(2 e) z`.

    Args:
        sde: unused by the update; every kernel is made from the SDE.
        snr: ratio of the lengths of score and noise in a step.
        num_steps: steps per noise level, each with one evaluation of the score.
        norm: `"sample"` takes the lengths of each sample; `"batch"`, as published, their means over the batch, which
            couples the samples.
    """
    del sde
    if norm not in ("sample", "batch"):
        raise InputError(f"unknown Langevin norm {norm!r}: use 'sample' or 'batch'")

    def length(v):
        lengths = jnp.sqrt(jnp.sum(v**2, axis=(1, 2)))
        return jnp.full_like(lengths, lengths.mean()) if norm == "batch" else lengths

    def step(keys, i, state, x, t, t_next, score_fn):
        x_mean = x
        for j in range(num_steps):
            score = score_fn(x, t)
            noise = normal(fold_in(keys, j), x.shape[1:])
            size = 2.0 * (snr * length(noise) / jnp.maximum(length(score), 1e-12)) ** 2
            x_mean = x + expand(size, x) * score
            x = x_mean + expand(jnp.sqrt(2.0 * size), x) * noise
        return state, x, x_mean

    return Kernel(stateless, step, coupled=norm == "batch")
