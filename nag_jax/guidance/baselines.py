"""Baselines of guidance: samplers without a generator, for the same tilt, which guided pools are set beside."""

import copy
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_jax.guidance import refine as moves
from nag_jax.guidance.refine import Tilt, refine
from nag_jax.spaces import NodeSpace
from nag_jax.system.keys import sample_keys

_MOST_DRAWS = 2**20
"""Random architectures of which filtering keeps those within the limits, at most."""
_PIECE = 2**14


class Baseline(NamedTuple):
    """A pool of a sampler without a generator.

    Attributes:
        tokens: architectures of the space, `[n, N]`.
        calls: values that it took.
        seconds: the time that it took, once compiled.
    """

    tokens: np.ndarray
    calls: int
    seconds: float


class Baselines:
    """The samplers, by name, for one space and tilt.

    Args:
        space: the space of the architectures.
        tilt: what the prior is multiplied by.
        args: what the tilt is given.
        size: architectures of a pool.

    Example:
        >>> from nag_jax import spaces
        >>> tilt = Tilt(lambda x, args: 3.0 * x[..., 3].sum(-1))
        >>> baselines = Baselines(spaces.make("nasbench201"), tilt, None, 100)
        >>> pool = baselines.resampled(jax.random.key(0), 8)
        >>> pool.tokens.shape, pool.calls
        ((100, 8), 800)
    """

    def __init__(self, space: NodeSpace, tilt: Tilt, args: Any, size: int):
        self._space, self._tilt, self._args, self._size = space, tilt, args, size
        self._programs: dict[tuple, jax.stages.Compiled] = {}

    def aimed(self, args: Any) -> "Baselines":
        """The same samplers for other args of the same shapes, which compile nothing anew."""
        other = copy.copy(self)
        other._args = args
        return other

    def exact(self, key: Array) -> Baseline:
        """Draws of the tilt itself, by listing the space, with one value for each of its architectures."""
        every = self._space.all_tokens()
        log_prior = np.asarray(jax.jit(self._space.choices.log_prior_of)(every), np.float64)
        logs, seconds = self._timed("weigh", self._weights, jnp.asarray(every))
        weights = np.asarray(logs, np.float64) + log_prior
        p = np.exp(weights - weights.max())
        chosen = np.random.default_rng(np.asarray(jax.random.key_data(key))).choice(len(p), self._size, p=p / p.sum())
        return Baseline(every[chosen], len(every), seconds)

    def resampled(self, key: Array, draws: int) -> Baseline:
        """Sampling-importance-resampling: of so many random draws per sample one is kept, by what it weighs."""

        def run(args, key):
            def step(best, key):
                draw_key, noise_key = jax.random.split(key)
                tokens = self._space.random(draw_key, self._size)
                # The greatest of logarithms with Gumbel noise is a draw by their exponentials.
                score = self._weights(args, tokens) + jax.random.gumbel(noise_key, (self._size,), jnp.float32)
                better = score > best[1]
                return (jnp.where(better[:, None], tokens, best[0]), jnp.maximum(score, best[1])), None

            begin = self._space.random(key, self._size), jnp.full(self._size, -jnp.inf, jnp.float32)
            return jax.lax.scan(step, begin, jax.random.split(jax.random.fold_in(key, 1), draws))[0][0]

        tokens, seconds = self._timed(f"resample {draws}", run, key)
        return Baseline(np.asarray(tokens), draws * self._size, seconds)

    def gibbs(self, key: Array, sweeps: int) -> Baseline:
        """Gibbs sweeps that begin at random draws; see `refine`."""

        def run(args, key):
            tokens = self._space.random(key, self._size)
            keys = sample_keys(jax.random.fold_in(key, 1), self._size)
            return refine(keys, tokens, self._space, self._tilt, args, sweeps=sweeps)

        tokens, seconds = self._timed(f"gibbs {sweeps}", run, key)
        return Baseline(np.asarray(tokens), self._size * moves.calls(self._space, sweeps=sweeps), seconds)

    def mutated(self, key: Array, steps: int) -> Baseline:
        """Chains of so many mutations that begin at random draws: each is kept by how much more it weighs (Metropolis).

        Mutations count as often undone as made, and architectures as drawn equally often.
        """

        def weigh(args, tokens):
            return jnp.where(self._space.contains(tokens), self._weights(args, tokens), -jnp.inf)

        def run(args, key):
            def step(state, key):
                mutation_key, accept_key = jax.random.split(key)
                tokens = self._space.mutate(mutation_key, state[0])
                weights = weigh(args, tokens)
                kept = jnp.log(jax.random.uniform(accept_key, weights.shape, jnp.float32)) < weights - state[1]
                return (jnp.where(kept[:, None], tokens, state[0]), jnp.where(kept, weights, state[1])), None

            tokens = self._space.random(key, self._size)
            begin = tokens, weigh(args, tokens)
            return jax.lax.scan(step, begin, jax.random.split(jax.random.fold_in(key, 1), steps))[0][0]

        tokens, seconds = self._timed(f"mutate {steps}", run, key)
        return Baseline(np.asarray(tokens), (steps + 1) * self._size, seconds)

    def filtered(self, key: Array, calls: int) -> Baseline:
        """The best by the value of so many random draws within the limits."""
        within, limits = [], self._tilt.limits
        draw = jax.jit(lambda key: self._space.random(key, _PIECE))
        hold = jax.jit(lambda args, tokens: limits(self._space.encode(tokens), args) > jnp.log(0.5)) if limits else None
        start = time.perf_counter()
        for piece in range(_MOST_DRAWS // _PIECE):
            tokens = np.asarray(draw(jax.random.fold_in(key, piece)))
            within.append(tokens if hold is None else tokens[np.asarray(hold(self._args, tokens))])
            if sum(map(len, within)) >= calls:
                break
        drawing = time.perf_counter() - start
        tokens = np.concatenate(within)[:calls]
        weights, seconds = self._timed("weigh", self._weights, jnp.asarray(tokens))
        best = np.argsort(-np.asarray(weights), kind="stable")[: self._size]
        return Baseline(tokens[best], len(tokens), drawing + seconds)

    def _weights(self, args, tokens) -> Array:
        """Logarithms `[B]` of what the prior of tokens `[B, N]` is multiplied by."""
        x = self._space.encode(tokens)
        parts = [weight(x, args) for weight in (self._tilt.value, self._tilt.limits) if weight is not None]
        return sum(parts, jnp.zeros(tokens.shape[0], jnp.float32))

    def _timed(self, name: str, function: Callable[..., Array], *inputs: Any) -> tuple[Array, float]:
        """What (args, *inputs) -> array returns, and the seconds that it took without compiling.

        A name stands for one function, which is compiled once for each shape of its inputs.
        """
        key = name, *(np.shape(given) for given in inputs)
        if key not in self._programs:
            self._programs[key] = jax.jit(function).lower(self._args, *inputs).compile()
        start = time.perf_counter()
        found = jax.block_until_ready(self._programs[key](self._args, *inputs))
        return found, time.perf_counter() - start
