"""Guided scores: how guidance takes part in every evaluation of the score."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from nag_jax.generators.contract import Beliefs
from nag_jax.generators.gaussian.parametrization import ScoreFn, denoised_to_score, score_to_denoised
from nag_jax.generators.gaussian.score_guides import ScoreGuide
from nag_jax.generators.gaussian.sde import SDE
from nag_jax.system.keys import expand


class GuidedScore(NamedTuple):
    """A score with a state that is threaded through all of its evaluations.

    Attributes:
        init: x `[B, N, V]` -> state.
        evaluate: (x, t `[B]`, state, keys `[B]`) -> (score `[B, N, V]`, state).
        coupled: whether a sample's score depends on the other samples.
    """

    init: Callable
    evaluate: Callable
    coupled: bool = False


def plain(score_fn: ScoreFn) -> GuidedScore:
    """The score as it is."""
    return GuidedScore(lambda x: (), lambda x, t, state, keys: (score_fn(x, t), state))


def by_scores(score_fn: ScoreFn, guide: ScoreGuide) -> GuidedScore:
    """The score bent by a guide of scores."""

    def evaluate(x, t, state, keys):
        return guide.update(score_fn(x, t), state, x=x, t=t, keys=keys)

    return GuidedScore(guide.init, evaluate, guide.coupled)


def by_beliefs(score: GuidedScore, guide: Any, args: Any, sde: SDE) -> GuidedScore:
    """The score of what a `guidance.Guide` makes of the beliefs behind a score.

    The class probabilities of a score are those of its denoised estimate. This is the one place where beliefs and
    scores are turned into each other.

    Args:
        score: bent by guides of scores already, or plain.
        guide: bends the beliefs.
        args: what the guide is given.
        sde: the forward process.
    """

    def init(x):
        blank = Beliefs(jnp.zeros_like(x), jnp.zeros(x.shape[0], jnp.float32))
        return score.init(x), guide.init(blank)

    def evaluate(x, t, state, keys):
        value, score_state = score.evaluate(x, t, state[0], keys)
        beliefs = score_to_beliefs(value, x, t, sde)
        beliefs, guide_state = guide.update(beliefs, state[1], keys=keys, args=args)
        return denoised_to_score(beliefs.estimate(), x, t, sde), (score_state, guide_state)

    return GuidedScore(init, evaluate, score.coupled or guide.coupled)


def score_to_beliefs(score: Array, x: Array, t: Array, sde: SDE) -> Beliefs:
    """The beliefs behind a score `[B, N, V]` at x and t."""
    p = (score_to_denoised(score, x, t, sde) + 1.0) / 2.0
    # What Tweedie's formula leaves of a class that is not allowed is float32 rounding, which a strong guide would
    # raise to a probability.
    rounding = 2.0 * jnp.finfo(x.dtype).eps * (1.0 + jnp.abs(x)) / expand(sde.alpha(t), x)
    possible = p > rounding
    # An unfinished network may leave a row without any class; all are possible there, which keeps it free of NaN.
    possible |= ~possible.any(axis=-1, keepdims=True)
    logits = jnp.where(possible, jnp.log(jnp.maximum(p, rounding)), -jnp.inf)
    return Beliefs(jax.nn.log_softmax(logits, axis=-1), 1.0 - t)
