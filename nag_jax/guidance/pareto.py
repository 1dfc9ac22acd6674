r"""Pareto guidance: a pool whose samples each aim at their own part of the front of several objectives.

A preference w, a point of the simplex, names a part of the front: what is best by the achievement

.. math:: \min_m w_m (v_m - 1)

of values v between 0, the worst, and 1, the best there is (Wierzbicki, 1980). It exceeds a level exactly where every
objective exceeds a target of its own, so that the chance of that, of independent objectives, is the product of
one-objective chances: guidance by the sum of their logarithms. Sums of weighted values, the usual rule, reach the
convex part of a front only.

An *aim* is the M targets of one preference, `[M]`; each sample draws one of K aims by its own key.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.stats import norm

from nag_jax.generators.contract import Generator, Sampler
from nag_jax.guidance.guide import Guide, stateless
from nag_jax.guidance.refine import Tilt
from nag_jax.spaces import NodeSpace
from nag_jax.system.keys import fold_in, uniform
from nag_jax.system.once import once

_AIM = 2**31 - 2
"""What is folded into a sample's key to draw its aim; samplers fold the numbers of their steps into it."""
_LEAST_WEIGHT = 1e-3
"""Of an objective in a preference, so that every preference has a best architecture that nothing beats."""
_SURENESS = 0.7
"""Factor on the standard deviation of what is undecided of a cost; see `guidance.band`."""

LearnedFn = Callable[[Any, Array], tuple[Array, Array]]
"""(what was learned, x `[B, N, V]`) -> mean and standard deviation of an objective, `[B]` each."""


def das_dennis(num_objectives: int, divisions: int) -> np.ndarray:
    """All points of the simplex whose entries are multiples of one part, `[K, M]` (Das and Dennis, 1998).

    Example:
        >>> das_dennis(2, 2).tolist()
        [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]
    """
    bars = itertools.combinations(range(divisions + num_objectives - 1), num_objectives - 1)
    ends = np.array([(-1, *places, divisions + num_objectives - 1) for places in bars])
    return (np.diff(ends, axis=1) - 1) / divisions


def achievement(values: np.ndarray, preferences: np.ndarray, shares: np.ndarray, worst: np.ndarray) -> np.ndarray:
    """Aims `[K, M]`: targets that a share of the reference exceeds in all objectives at once.

    Args:
        values: values of the reference, `[R, M]`.
        preferences: one per aim, `[K, M]`.
        shares: the share of the reference that exceeds each aim, `[K]`.
        worst: what no target lies below, `[M]`.

    Example:
        >>> values = np.array([[0.0, 1.0], [0.6, 0.6], [1.0, 0.0]])
        >>> aims = achievement(values, np.array([[0.5, 0.5]]), np.array([0.01]), np.zeros(2))
        >>> aims.round(2).tolist()
        [[0.59, 0.59]]
    """
    best = values.max(axis=0)
    width = np.where(best > worst, best - worst, 1.0)
    lacking = (best - values) / width
    weights = np.maximum(preferences, _LEAST_WEIGHT)
    reached = [np.quantile((w * lacking).max(axis=1), share) for w, share in zip(weights, shares, strict=True)]
    return np.maximum(best - width * np.array(reached)[:, None] / weights, worst)


def epsilon_constraint(values: np.ndarray, shares: np.ndarray, worst: np.ndarray, seed: int = 0) -> np.ndarray:
    """Aims `[K, M]` of which all objectives but the first are those of an architecture of the reference.

    The first is then what a share exceeds of those that are as good in the others (Haimes et al., 1971).

    Args:
        values: values of the reference, `[R, M]`.
        shares: the share of each aim, `[K]`.
        worst: what no target lies below, `[M]`.
        seed: decides which architectures of the reference.
    """
    chosen = np.random.default_rng(seed).choice(len(values), len(shares), replace=len(shares) > len(values))
    aims = values[chosen].copy()
    for aim, share in zip(aims, shares, strict=True):
        aim[0] = np.quantile(values[(values[:, 1:] >= aim[1:]).all(axis=1), 0], 1.0 - share)
    return np.maximum(aims, worst)


class Estimates(NamedTuple):
    """Models of M objectives, higher is better; parameters are arguments, so that a fit compiles nothing.

    The args hold `learned`, what was learned of the first objectives, a tuple; and of the others, which add up over
    nodes, `constants` `[A]`, `tables` `[A, N, V]` and `errors` `[A]`, standard deviations of what sums leave out.

    Attributes:
        space: the space of the architectures.
        learned: predicts each objective that is learned, from what was learned of it; these come first.
    """

    space: NodeSpace
    learned: tuple[LearnedFn, ...]

    @property
    def num_learned(self) -> int:
        """How many objectives are learned."""
        return len(self.learned)

    def of_learned(self, args: Mapping[str, Any], x: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the learned objectives, `[B, L]` each."""
        if not args["learned"]:
            return jnp.zeros((x.shape[0], 0), jnp.float32), jnp.zeros((x.shape[0], 0), jnp.float32)
        means, deviations = zip(
            *(f(known, x) for f, known in zip(self.learned, args["learned"], strict=True)), strict=True
        )
        return jnp.stack(means, axis=1), jnp.stack(deviations, axis=1)

    def of_sums(self, args: Mapping[str, Any], x: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of those that add up, `[B, A]` each."""
        means = args["constants"][None] + jnp.einsum("bnv,anv->ba", (x + 1.0) / 2.0, args["tables"])
        return means, jnp.broadcast_to(args["errors"], means.shape)

    def __call__(self, args: Mapping[str, Any], x: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of all objectives of x `[B, N, V]`, `[B, M]` each."""
        parts = self.of_learned(args, x), self.of_sums(args, x)
        return jnp.concatenate([part[0] for part in parts], axis=1), jnp.concatenate(
            [part[1] for part in parts], axis=1
        )


def log_chance(means: Array, deviations: Array, aim: Array) -> Array:
    """Log-probability `[B]` that independent normal objectives all exceed their targets.

    Args:
        means: expected values, `[B, M]`.
        deviations: their standard deviations, likewise.
        aim: targets, `[M]` or `[B, M]`.
    """
    return norm.logcdf((means - jnp.broadcast_to(aim, means.shape)) / deviations).sum(axis=-1)


def draw_aims(keys: Array, args: Mapping[str, Any]) -> dict[str, Array]:
    """The aim of every sample, by its key alone: one of `args["aims"]` `[K, M]`, as `{"aim": [B, M]}`."""
    aims = args["aims"]
    drawn = uniform(fold_in(keys, _AIM)) * aims.shape[0]
    return {"aim": aims[jnp.minimum(drawn.astype(jnp.int32), aims.shape[0] - 1)]}


@once
def with_own(generator: Generator, draw: Callable[[Array, Any], dict[str, Array]] = draw_aims) -> Generator:
    """The generator whose samples each have arguments of their own, drawn by their keys; uncoupled as before.

    Args:
        generator: makes the samples.
        draw: (keys `[B]`, args) -> arguments by name, a row per sample, which guides and tilts find beside the args.
    """

    def sampler(params, *, num_steps, guide=None, args=None, start=None):
        def inner(mine):
            return generator.sampler(
                params, num_steps=num_steps, guide=guide, args={**(args or {}), **mine}, start=start
            )

        def init(keys):
            mine = draw(keys, args)
            return mine, inner(mine).init(keys)

        return Sampler(
            init=init,
            advance=lambda carry, n: (carry[0], inner(carry[0]).advance(carry[1], n)),
            finish=lambda carry: inner(carry[0]).finish(carry[1]),
        )

    return generator._replace(sampler=sampler)


@once
def aim_tilt(estimates: Estimates) -> Tilt:
    """What a pool is refined by: the log-chance that a sample exceeds its aim, `args["aim"]`, at `args["scale"]`.

    The args hold `softness` `[M]`, the least width of a target's edge.
    """

    def value(x, args):
        means, deviations = estimates(args, x)
        return args["scale"] * log_chance(means, jnp.hypot(deviations, args["softness"][None]), args["aim"])

    return Tilt(value)


@once
def aim_guide(estimates: Estimates) -> Guide:
    """Bends beliefs by the log-chances of a sample's aim, which are summed and tilt once.

    Of a learned objective it is the slope of its log-chance at the expected architecture, as in `class_tilt`; of one
    that adds up over nodes the log-chance given each class, with exact moments, as in `cost_band`. The args hold,
    beside what `aim_tilt` and `Estimates` take, `progress` `[T]` and `spread` `[T, L]`: how far estimates of the
    learned ones are from final values.
    """
    count = estimates.num_learned

    def of_learned(x, progress, args):
        means, deviations = estimates.of_learned(args, x)
        spread = jax.vmap(lambda column: jnp.interp(progress, args["progress"], column), 1, 1)(args["spread"])
        width = jnp.sqrt(deviations**2 + spread**2 + args["softness"][None, :count] ** 2)
        return log_chance(means, width, args["aim"][:, :count]).sum()

    def of_sum(p, table, constant, error, softness, target):
        mean, variance = estimates.space.conditional_moments(p, table)
        width = _SURENESS * jnp.sqrt(variance + error**2 + softness**2)
        return norm.logcdf((mean + constant - target[:, None, None]) / width)

    def bend(beliefs, *, keys, args):
        change = jnp.zeros_like(beliefs.logits)
        if count:
            change += 2.0 * jax.grad(of_learned)(beliefs.estimate(), beliefs.progress, args)
        sums = args["tables"], args["constants"], args["errors"], args["softness"][count:], args["aim"][:, count:].T
        for table, constant, error, softness, target in zip(*sums, strict=True):
            change += of_sum(beliefs.probabilities(), table, constant, error, softness, target)
        return beliefs._replace(logits=jax.nn.log_softmax(beliefs.logits + args["scale"] * change, axis=-1))

    return stateless(bend)


@once
def sum_tilt(estimates: Estimates) -> Tilt:
    """The linear sum of the objectives, with the weights `args["aim"]`: the rule of POMONAG (arXiv 2409.20447)."""
    return Tilt(lambda x, args: args["scale"] * (args["aim"] * estimates(args, x)[0]).sum(axis=-1))


@once
def sum_guide(estimates: Estimates) -> Guide:
    """Bends beliefs by the slope of the linear sum; see `sum_tilt`."""
    value = sum_tilt(estimates).value
    assert value is not None

    def bend(beliefs, *, keys, args):
        slope = 2.0 * jax.grad(lambda x: value(x, args).sum())(beliefs.estimate())
        return beliefs._replace(logits=jax.nn.log_softmax(beliefs.logits + slope, axis=-1))

    return stateless(bend)


def exact_draws(
    seed: int, means: np.ndarray, deviations: np.ndarray, aims: np.ndarray, n: int, log_prior: np.ndarray | None = None
) -> np.ndarray:
    """Rows int64 `[n]` of a listed space, drawn by the exact tilt of aims that are drawn at random: the oracle.

    Args:
        seed: the seed of the draws.
        means: expected objectives of all architectures, `[A, M]`.
        deviations: standard deviations of the objectives, with the softness, `[A, M]`.
        aims: `[K, M]`.
        n: how many.
        log_prior: logarithms `[A]` of what the space draws them by; None for equally.
    """
    rng = np.random.default_rng(seed)
    counts = np.bincount(rng.integers(len(aims), size=n), minlength=len(aims))
    drawn = []
    for aim, count in zip(aims, counts, strict=True):
        if count:
            logs = np.asarray(log_chance(jnp.asarray(means), jnp.asarray(deviations), jnp.asarray(aim)), np.float64)
            logs = logs if log_prior is None else logs + log_prior
            p = np.exp(logs - logs.max())
            drawn.append(rng.choice(len(p), count, p=p / p.sum()))
    return np.concatenate(drawn)
