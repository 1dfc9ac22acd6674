"""The sampler: one scan of kernels from noise to a relaxed architecture, by a guided score."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_jax.generators.contract import Sampler
from nag_jax.generators.gaussian.guided import GuidedScore
from nag_jax.generators.gaussian.kernels.base import Kernel
from nag_jax.generators.gaussian.parametrization import score_to_denoised
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.system.errors import InputError
from nag_jax.system.keys import fold_in

FINAL_STEPS = ("denoise", "mean")


class Origin(NamedTuple):
    """Where samples begin: at `x_t` of the forward process from `x_0`, so that less noise keeps more of that.

    Attributes:
        x: architectures x_0 `[B, N, V]`; zeros at t = 1 begin as the prior does.
        t: times `[B]`, up to 1.
    """

    x: Array
    t: Array


class _Carry(NamedTuple):
    keys: Array
    step: Array
    x: Array
    x_mean: Array
    kernel_states: tuple
    score_state: Any


def make_sampler(
    score: GuidedScore,
    *,
    sde: SDE,
    kernels: Sequence[Kernel],
    shape: tuple[int, int],
    num_steps: int,
    final: str = "denoise",
    origin: Origin | None = None,
) -> Sampler:
    """Reverse diffusion on an even grid of `num_steps + 1` times from 1, or the origin's times, to `sde.t_min`.

    Each step applies the kernels in order (correctors first), each with its own fold of the sample's key.

    Args:
        score: bent by whatever guides it. Its state is threaded through its evaluations, in order.
        sde: the forward process.
        kernels: applied in turn at every step.
        shape: (N, V).
        num_steps: steps of the grid.
        final: `"denoise"` ends with E[x_0 | x] under the guided score (one more evaluation), `"mean"`, as published,
            with the last kernel's x before its noise.
        origin: where each sample begins (as in SDEdit, Meng et al., ICLR 2022); None for the prior.

    Raises:
        InputError: there are no steps.
    """
    if num_steps < 1:
        raise InputError(f"num_steps must be at least 1, found {num_steps}")
    first = jnp.ones(1, jnp.float32) if origin is None else origin.t
    times = jnp.linspace(first, sde.t_min, num_steps + 1, dtype=jnp.float32)

    def threaded(state, keys):
        """The guided score as a plain function, and the cell in which it leaves its state."""
        cell = [state]
        evaluations = itertools.count()

        def guided(x, t):
            value, cell[0] = score.evaluate(x, t, cell[0], fold_in(keys, next(evaluations)))
            return value

        return guided, cell

    def init(keys):
        noise_keys = fold_in(keys, num_steps + 1)
        x = sde.prior(noise_keys, shape) if origin is None else sde.diffuse(noise_keys, *origin)
        states = tuple(kernel.init(x) for kernel in kernels)
        return _Carry(keys, jnp.zeros((), jnp.int32), x, x, states, score.init(x))

    def step(carry, _):
        keys, i, x, x_mean, states, score_state = carry
        step_keys = fold_in(keys, i)
        t, t_next = (jnp.broadcast_to(times[j], keys.shape) for j in (i, i + 1))
        new_states = []
        for k, (kernel, state) in enumerate(zip(kernels, states, strict=True)):
            kernel_keys = fold_in(step_keys, k)
            guided, cell = threaded(score_state, fold_in(kernel_keys, 1))
            state, x, x_mean = kernel.step(fold_in(kernel_keys, 0), i, state, x, t, t_next, guided)
            score_state = cell[0]
            new_states.append(state)
        return _Carry(keys, i + 1, x, x_mean, tuple(new_states), score_state), None

    def advance(carry, n):
        return jax.lax.scan(step, carry, length=n)[0]

    def finish(carry):
        if final == "mean":
            return carry.x_mean
        guided, _ = threaded(carry.score_state, fold_in(carry.keys, num_steps))
        t = jnp.full(carry.keys.shape[0], sde.t_min, jnp.float32)
        return score_to_denoised(guided(carry.x, t), carry.x, t, sde)

    return Sampler(init, advance, finish)


def sample(keys: Array, score: GuidedScore, *, num_steps: int, **options) -> Array:
    """Draws one relaxed architecture per key. A pure function: jit it with everything closed over.

    Args:
        keys: one per sample, `[B]`. Without coupling sample b depends on `keys[b]` alone.
        score: the guided score; see `make_sampler`.
        num_steps: steps of the time grid.
        **options: further arguments of `make_sampler`.

    Returns:
        x `[B, N, V]` in the scale of `Space.encode`.
    """
    sampler = make_sampler(score, num_steps=num_steps, **options)
    return sampler.finish(sampler.advance(sampler.init(keys), num_steps))
