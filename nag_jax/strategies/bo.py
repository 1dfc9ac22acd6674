"""Bayesian optimisation: a surrogate of the objective, an acquisition, and a way to maximise it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.predictors.labels import NORMALIZATIONS
from nag_jax.spaces import NodeSpace
from nag_jax.strategies import acquisitions, maximizers, surrogates
from nag_jax.strategies.base import Domain, Strategy, complete, remember
from nag_jax.strategies.maximizers import AcquireFn, Belief, PoolFn
from nag_jax.strategies.surrogates import Data, Surrogate, make_data
from nag_jax.system.errors import InputError
from nag_jax.system.once import once


def bo(
    domain: Domain,
    *,
    surrogate: str = "gaussian_process",
    surrogate_options: dict[str, Any] | None = None,
    acquisition: str = "ucb",
    acquisition_options: dict[str, Any] | None = None,
    maximizer: str = "random_and_mutation",
    maximizer_options: dict[str, Any] | None = None,
    labels: str = "regret",
    min_distance: int = 2,
    capacity: int = 64,
) -> Strategy:
    """Labels the candidates of a pool with the highest acquisition.

    Each `ask` fits the surrogate to all labels anew, so the state is the history. Everything is compiled once for a
    capacity; where labels outgrow it, it doubles.

    Args:
        domain: what may be proposed.
        surrogate: a name of `surrogates.REGISTRY`.
        surrogate_options: options of the surrogate.
        acquisition: a name of `acquisitions.REGISTRY`.
        acquisition_options: options of the acquisition.
        maximizer: a name of `maximizers.REGISTRY`.
        maximizer_options: options of the maximiser.
        labels: the normalisation of labels; see `predictors.labels.normalize`.
        min_distance: members of a batch differ in at least so many nodes, as far as the pool allows.
        capacity: labels that a fit is compiled for.

    Raises:
        InputError: a name or an option is unknown, or the maximiser can't work on this domain.
    """
    model = surrogates.for_search(surrogate, domain.space, surrogate_options)
    acquire = make_acquire(model, acquisition, acquisition_options or {})
    pool = maximizers.make(maximizer, domain, **(maximizer_options or {}))
    return pool_strategy(domain, model, acquire, pool, labels=labels, min_distance=min_distance, capacity=capacity)


@once
def make_acquire(model: Surrogate, name: str, options: dict[str, Any]) -> AcquireFn:
    """An acquisition of the surrogate's belief, as a function of relaxed x."""
    value = acquisitions.make(name, **options)

    def acquire(belief, x, noise):
        mean, std = model.predict(belief.posterior, x)
        return value(mean, std, belief.best, noise)

    return acquire


def pool_strategy(
    domain: Domain,
    model: Surrogate,
    acquire: AcquireFn,
    pool: PoolFn,
    *,
    labels: str,
    min_distance: int,
    capacity: int,
) -> Strategy:
    """The strategy that fits `model`, makes a `pool` and labels the best of it by `acquire`; see `bo`."""
    if min_distance < 1 or capacity < 1:
        raise InputError(f"min_distance and capacity must be at least 1, found {min_distance} and {capacity}")
    if labels not in NORMALIZATIONS:
        raise InputError(f"unknown label normalisation {labels!r}: use one of {NORMALIZATIONS}")

    believe, score = make_believe(model), make_score(domain.space, acquire)

    def ask(key, state, n, pending=None):
        fit_key, pool_key, score_key, rest_key = jax.random.split(key, 4)
        # No values are made up for what is pending: see docs/decisions/search.md.
        known = state.awaiting(domain.space, pending)
        if len(known.succeeded()) < 2:
            return domain.random(rest_key, n, known.keys), state
        belief = believe(fit_key, make_data(domain.space, known, labels=labels, least=capacity))
        drawn = pool(pool_key, known, belief)
        candidates = domain.new(drawn, known.keys)
        order = np.argsort(-score(score_key, belief, candidates, len(drawn)), kind="stable")
        chosen = pick(candidates[order], n, min_distance)
        return complete(domain, rest_key, chosen, n, known.keys), state

    return Strategy(ask=ask, **remember(domain))


@once
def make_believe(model: Surrogate) -> Callable[[jax.Array, Data], Belief]:
    """(key, data) -> what is believed after it, compiled."""

    @jax.jit
    def believe(key, data):
        posterior = model.fit(key, data)
        return Belief(posterior, jnp.where(data.mask, data.values, -jnp.inf).max())

    return believe


@once
def make_score(space: NodeSpace, acquire: AcquireFn) -> Callable[[jax.Array, Belief, np.ndarray, int], np.ndarray]:
    """(key, belief, tokens `[P, N]`, least) -> acquisition `[P]`, compiled once for all P up to `least`."""

    @jax.jit
    def compiled(key, belief, tokens):
        noise = jax.random.normal(key, (tokens.shape[0],), jnp.float32)
        return acquire(belief, space.encode(tokens), noise)

    def score(key, belief, tokens, least):
        if not len(tokens):
            return np.zeros(0, np.float32)
        return np.asarray(compiled(key, belief, surrogates.padded_tokens(tokens, least)))[: len(tokens)]

    return score


def pick(tokens: np.ndarray, n: int, min_distance: int) -> np.ndarray:
    """The first n of tokens `[P, N]` that differ pairwise in `min_distance` nodes; then the first of the rest."""
    chosen: list[int] = []
    for i, row in enumerate(tokens):
        if len(chosen) == n:
            break
        if all((row != tokens[j]).sum() >= min_distance for j in chosen):
            chosen.append(i)
    rest = [i for i in range(min(len(tokens), 2 * n)) if i not in chosen]
    return tokens[(chosen + rest)[:n]]
