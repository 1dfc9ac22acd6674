"""The sampler: one scan of kernels from noise to an architecture, with the score bent by a transform."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_jax.generators.gaussian.kernels.base import Kernel
from nag_jax.generators.gaussian.parametrization import ScoreFn, score_to_denoised
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.system.errors import InputError
from nag_jax.system.keys import fold_in


def is_coupled(kernels: Sequence[Kernel], transform: Any = None) -> bool:
    """Whether a sample depends on the others of its batch, so that the batch must not be cut or padded."""
    return any(kernel.coupled for kernel in kernels) or (transform is not None and transform.coupled)


class Sampler(NamedTuple):
    """The sampler in three pure functions, so that long runs can show progress between jitted pieces.

    Attributes:
        init: keys `[B]` -> carry.
        advance: (carry, n) -> carry after n more steps; n is static.
        finish: carry -> x `[B, N, V]`.
    """

    init: Callable
    advance: Callable
    finish: Callable


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
    transform_state: Any


def make_sampler(
    score_fn: ScoreFn,
    *,
    sde: SDE,
    kernels: Sequence[Kernel],
    transform: Any = None,
    shape: tuple[int, int],
    num_steps: int,
    final: str = "denoise",
    origin: Origin | None = None,
) -> Sampler:
    """Reverse diffusion on an even grid of `num_steps + 1` times from 1, or the origin's times, to `sde.t_min`.

    Each step applies the kernels in order (correctors first), each with its own fold of the sample's key.

    Args:
        score_fn: the unguided score.
        sde: the forward process.
        kernels: applied in turn at every step.
        transform: a `guidance.ScoreTransform`; None leaves the score as it is. Its state is threaded through every
            evaluation of the score, in order.
        shape: (N, V).
        num_steps: steps of the grid.
        final: `"denoise"` ends with E[x_0 | x] under the guided score (one more evaluation), `"mean"`, as published,
            with the last kernel's x before its noise.
        origin: where each sample begins (as in SDEdit, Meng et al., ICLR 2022); None for the prior.

    Raises:
        InputError: an option is none of those.
    """
    if final not in ("denoise", "mean"):
        raise InputError(f"unknown final step {final!r}: use 'denoise' or 'mean'")
    if num_steps < 1:
        raise InputError(f"num_steps must be at least 1, found {num_steps}")
    if not kernels:
        raise InputError("a sampler needs at least one kernel, found none")
    first = jnp.ones(1) if origin is None else origin.t
    times = jnp.linspace(first, sde.t_min, num_steps + 1)

    def threaded(transform_state, keys):
        """The guided score as a plain function, and the cell in which it leaves the transform's state."""
        cell = [transform_state]
        evaluations = itertools.count()

        def guided(x, t):
            score = score_fn(x, t)
            if transform is None:
                return score
            own_keys = fold_in(keys, next(evaluations))
            score, cell[0] = transform.update(score, cell[0], x=x, t=t, keys=own_keys)
            return score

        return guided, cell

    def init(keys):
        noise_keys = fold_in(keys, num_steps + 1)
        x = sde.prior(noise_keys, shape) if origin is None else sde.diffuse(noise_keys, *origin)
        states = tuple(kernel.init(x) for kernel in kernels)
        return _Carry(keys, jnp.zeros((), jnp.int32), x, x, states, () if transform is None else transform.init(x))

    def step(carry, _):
        keys, i, x, x_mean, states, transform_state = carry
        step_keys = fold_in(keys, i)
        t, t_next = (jnp.broadcast_to(times[j], keys.shape) for j in (i, i + 1))
        new_states = []
        for k, (kernel, state) in enumerate(zip(kernels, states, strict=True)):
            kernel_keys = fold_in(step_keys, k)
            guided, cell = threaded(transform_state, fold_in(kernel_keys, 1))
            state, x, x_mean = kernel.step(fold_in(kernel_keys, 0), i, state, x, t, t_next, guided)
            transform_state = cell[0]
            new_states.append(state)
        return _Carry(keys, i + 1, x, x_mean, tuple(new_states), transform_state), None

    def advance(carry, n):
        return jax.lax.scan(step, carry, length=n)[0]

    def finish(carry):
        if final == "mean":
            return carry.x_mean
        guided, _ = threaded(carry.transform_state, fold_in(carry.keys, num_steps))
        t = jnp.full(carry.keys.shape[0], sde.t_min)
        return score_to_denoised(guided(carry.x, t), carry.x, t, sde)

    return Sampler(init, advance, finish)


def sample(keys: Array, score_fn: ScoreFn, *, num_steps: int, **options) -> Array:
    """Draws one relaxed architecture a key. A pure function: jit it with everything closed over.

    Args:
        keys: one a sample, `[B]`. Without coupled kernels or transforms sample b depends on `keys[b]` alone.
        score_fn: the unguided score.
        num_steps: steps of the time grid.
        **options: see `make_sampler`.

    Returns:
        x `[B, N, V]` in the scale of `Space.encode`.
    """
    sampler = make_sampler(score_fn, num_steps=num_steps, **options)
    return sampler.finish(sampler.advance(sampler.init(keys), num_steps))
