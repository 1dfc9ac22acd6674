r"""Refining: exact resampling of single choices of generated architectures, by Markov chains on what guidance aims at.

Guidance aims at the tilt

.. math:: p(a) \propto prior(a) \exp(value(a) + limits(a))

with the prior of `Space.random`, and comes near it only. Both moves here leave it exactly as it is, so that whatever
number of them brings samples nearer to it, whoever made them:

* a *sweep* goes over the choices in their order and draws each anew, given the others (Gibbs sampling). It takes a
  value for every other option of every choice.
* a *trade* redraws pairs of choices, one after the other, so that what one adds to a bounded cost the other gives back.
  It looks at the limits and at a cheap stand-in for the value alone, and is accepted by one value in the end (a
  Metropolis step with a surrogate, after Christen and Fox, JCGS 2005).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_jax.generators.contract import Generator, Sampler
from nag_jax.spaces.capabilities import ChoiceSpace
from nag_jax.system.keys import expand, fold_in, uniform
from nag_jax.system.once import once

_KEYS = 2**31 - 1
"""What is folded into a sample's key here; samplers fold the numbers of their steps into it."""


LogWeightFn = Callable[[Array, Any], Array]
"""(x `[B, N, V]`, args) -> `[B]`."""


class Tilt(NamedTuple):
    """What the prior is multiplied by, as logarithms `[B]` of clean architectures x `[B, N, V]`; None for nothing.

    Attributes:
        value: (x, args) -> the value, uncoupled.
        limits: (x, args) -> what is cheap, as the log-chances of constraints.
        proxy: (x, args) -> a cheap stand-in for the value, by which trades propose.
    """

    value: LogWeightFn | None = None
    limits: LogWeightFn | None = None
    proxy: LogWeightFn | None = None


@once
def refined(generator: Generator, space: ChoiceSpace, tilt: Tilt, *, sweeps: int = 0, trades: int = 0) -> Generator:
    """The generator whose samples are refined in the end; see `refine`. Without any moves it is that one itself.

    Args:
        generator: makes the samples; what its guides are given as args, the tilt is given too.
        space: the space of the architectures.
        tilt: what guidance aims at.
        sweeps: Gibbs sweeps per sample.
        trades: trades per sample.
    """
    if not sweeps and not trades:
        return generator

    def sampler(params, *, num_steps, guide=None, args=None, start=None):
        inner = generator.sampler(params, num_steps=num_steps, guide=guide, args=args, start=start)

        def finish(carry):
            keys, carry = carry
            samples = inner.finish(carry)
            tokens = refine(keys, samples.tokens, space, tilt, args, sweeps=sweeps, trades=trades)
            # The choices of what isn't an architecture are unknown.
            return samples._replace(tokens=jnp.where(samples.valid[:, None], tokens, samples.tokens))

        return Sampler(
            init=lambda keys: (fold_in(keys, _KEYS), inner.init(keys)),
            advance=lambda carry, n: (carry[0], inner.advance(carry[1], n)),
            finish=finish,
        )

    return generator._replace(sampler=sampler)


def refine(
    keys: Array, tokens: Array, space: ChoiceSpace, tilt: Tilt, args: Any = None, *, sweeps: int = 1, trades: int = 0
) -> Array:
    """Moves architectures by Markov chains that leave the tilt of the prior as it is. A pure function, to be jitted.

    Sample b depends on `keys[b]` and `tokens[b]` alone, and stays an architecture of the space.

    Args:
        keys: one key per sample, `[B]`.
        tokens: architectures of the space, int32 `[B, N]`.
        space: the space of the architectures.
        tilt: what the prior is multiplied by.
        args: what the tilt is given.
        sweeps: Gibbs sweeps, each over all choices.
        trades: trades, after the sweeps.

    Returns:
        Tokens int32 `[B, N]`.

    Example:
        >>> from nag_jax import spaces
        >>> from nag_jax.system.keys import sample_keys
        >>> space = spaces.make("nasbench201")
        >>> tilt = Tilt(lambda x, args: 3.0 * x[..., 3].sum(-1))  # of nodes with class 3
        >>> tokens, keys = space.random(jax.random.key(0), 64), sample_keys(jax.random.key(1), 64)
        >>> bool((refine(keys, tokens, space, tilt) == 3).sum() > 3 * (tokens == 3).sum())
        True
    """
    chain, choices = _Chain(space, tilt, args), len(space.choices.open)
    if sweeps and choices:
        tokens = jax.lax.scan(
            lambda tokens, i: (chain.sweep(fold_in(keys, i), tokens), None), tokens, jnp.arange(sweeps, dtype=jnp.int32)
        )[0]
    return chain.trade(fold_in(keys, sweeps), tokens, trades) if trades and choices > 1 else tokens


def calls(space: ChoiceSpace, *, sweeps: int = 0, trades: int = 0) -> int:
    """How many values `refine` takes per sample."""
    choices = space.choices
    return sweeps * (1 + len(choices.open) * (int(choices.counts.max()) - 1)) + (trades + 1 if trades else 0)


class _Chain:
    """The moves of `refine` for one space and tilt."""

    def __init__(self, space: ChoiceSpace, tilt: Tilt, args: Any):
        self._space, self._tilt, self._args = space, tilt, args
        self._choices = space.choices
        self._open = jnp.asarray(self._choices.open)
        self._counts = jnp.asarray(self._choices.counts)
        self._log_prior = jnp.asarray(self._choices.log_prior)

    def sweep(self, keys, tokens) -> Array:
        """Draws all choices of every sample anew, one after the other; those without effect from their prior."""
        options = self._choices.recall(fold_in(keys, 0), tokens)
        state = options, self._value(tokens), self._limits(tokens)

        def step(state, i):
            return self._resample(fold_in(keys, i + 1), state, self._open[i]), None

        state, _ = jax.lax.scan(step, state, jnp.arange(len(self._open), dtype=jnp.int32))
        return self._choices.settle(state[0])

    def trade(self, keys, tokens, count: int) -> Array:
        """Makes so many trades of every sample."""
        options = self._choices.recall(fold_in(keys, 0), tokens)

        def step(state, i):
            walk_keys, accept_keys = (fold_in(fold_in(keys, i + 1), j) for j in range(2))
            options = self._walk(walk_keys, state[0])
            new = options, self._beyond_proxy(options)
            accepted = jnp.log(uniform(accept_keys)) < new[1] - state[1]
            return jax.tree.map(lambda new, old: jnp.where(expand(accepted, new), new, old), new, state), None

        state = options, self._beyond_proxy(options)
        (options, _), _ = jax.lax.scan(step, state, jnp.arange(count, dtype=jnp.int32))
        return self._choices.settle(options)

    def _walk(self, keys, options) -> Array:
        """Redraws random pairs of choices by what is cheap, and then the same pairs in the opposite order.

        That is a reversible walk on the prior times what is cheap, so that a Metropolis step needs no more of it.
        """
        count = (len(self._open) + 1) // 2  # so that a walk changes every choice twice, on average

        def step(options, i):
            # The order is a palindrome.
            pair = jax.vmap(self._two)(fold_in(keys, jnp.minimum(i, 2 * count - 1 - i)))
            candidates, prior = self._pairs(options, pair)
            drawn = _draw(fold_in(keys, count + i), prior + self._cheap(self._choices.settle(candidates)))
            return _take(candidates, drawn), None

        return jax.lax.scan(step, options, jnp.arange(2 * count, dtype=jnp.int32))[0]

    def _value(self, tokens) -> Array:
        """Values `[B]` of tokens `[B, N]`."""
        return self._of(self._tilt.value, tokens)

    def _limits(self, tokens) -> Array:
        """Log-chances `[B]` of the limits, and the prior's weight; minus infinity for what isn't contained."""
        limits = self._of(self._tilt.limits, tokens)
        if self._choices.log_weight is not None:
            limits += self._choices.log_weight(tokens)
        return jnp.where(self._space.contains(tokens), limits, -jnp.inf)

    def _cheap(self, tokens) -> Array:
        """Limits and proxy `[B, K]` of tokens `[B, K, N]`."""
        return jax.vmap(lambda tokens: self._limits(tokens) + self._of(self._tilt.proxy, tokens), 1, 1)(tokens)

    def _beyond_proxy(self, options) -> Array:
        """What the values of options `[B, R]` are beyond what the proxy says, `[B]`."""
        tokens = self._choices.settle(options)
        return self._value(tokens) - self._of(self._tilt.proxy, tokens)

    def _of(self, weight: LogWeightFn | None, tokens) -> Array:
        if weight is None:
            return jnp.zeros(tokens.shape[0], jnp.float32)
        return weight(self._space.encode(tokens), self._args)

    def _resample(self, keys, state, choice):
        """Draws one choice of every sample anew, given the others."""
        options, value, limits = state
        now = options[:, choice]
        # The option that a sample has comes first: its value is known.
        shifts = jnp.arange(1, self._log_prior.shape[1], dtype=jnp.int32)
        others = (now[:, None] + shifts[None]) % self._counts[choice]
        candidates = jnp.repeat(options[:, None], len(shifts), axis=1).at[:, :, choice].set(others)
        tokens = self._choices.settle(candidates)
        # A loop, not vmap: on CPUs batches that fit into caches take half as long.
        values = jax.lax.map(self._value, jnp.swapaxes(tokens, 0, 1)).T
        bounds = jnp.where(shifts[None] < self._counts[choice], jax.vmap(self._limits, 1, 1)(tokens), -jnp.inf)
        values, bounds, every = (
            jnp.concatenate([mine[:, None], theirs], axis=1)
            for mine, theirs in ((value, values), (limits, bounds), (now, others))
        )
        drawn = _draw(keys, values + bounds + self._log_prior[choice][every])
        value, limits, new = (_take(column, drawn) for column in (values, bounds, every))
        return options.at[:, choice].set(new), value, limits

    def _two(self, key) -> Array:
        """Two choices that differ, `[2]`."""
        count = len(self._open)
        first, step = jax.random.randint(key, (2,), jnp.array([0, 1]), jnp.array([count, count]), jnp.int32)
        return self._open[jnp.stack([first, (first + step) % count])]

    def _pairs(self, options, pair) -> tuple[Array, Array]:
        """All options `[B, C * C, R]` of two choices `[B, 2]`, the rest as it is, and their prior."""
        most = self._log_prior.shape[1]
        grid = jnp.stack(jnp.divmod(jnp.arange(most**2, dtype=jnp.int32), most), axis=1)
        chosen = jax.nn.one_hot(pair, options.shape[1], dtype=jnp.int32)
        others = jnp.einsum("kp,bpr->bkr", grid, chosen)
        candidates = jnp.where(chosen.any(axis=1)[:, None], others, options[:, None])
        prior = self._log_prior[pair[:, 0]][:, grid[:, 0]] + self._log_prior[pair[:, 1]][:, grid[:, 1]]
        return candidates, prior


def _draw(keys, logits) -> Array:
    """One column of logits `[B, C]` per sample, int32 `[B]`."""
    return jax.vmap(jax.random.categorical)(keys, logits).astype(jnp.int32)


def _take(rows, index) -> Array:
    """Entry `index[b]` of every row of `[B, C, ...]`: `[B, ...]`."""
    return jax.vmap(lambda row, i: row[i])(rows, index)
