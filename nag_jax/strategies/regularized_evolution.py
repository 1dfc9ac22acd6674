"""Regularized evolution (Real et al., AAAI 2019, algorithm 1)."""

import jax
import numpy as np

from nag_jax.strategies.base import Domain, Strategy, one_by_one, remember
from nag_jax.system.errors import InputError


def regularized_evolution(domain: Domain, *, population: int = 50, tournament: int = 10) -> Strategy:
    """Mutates the best of a random tournament among the youngest trials.

    The population is the last `population` trials, so the oldest dies as each new one is told; it is filled at random.
    A child that was labelled before is mutated further. Failed trials age and die as the others do and win nothing.

    Args:
        domain: what may be proposed.
        population: P of the paper.
        tournament: S of the paper, drawn without replacement.

    Raises:
        InputError: a number isn't positive.
    """
    if population < 1 or tournament < 1:
        raise InputError(f"population and tournament must be at least 1, found {population} and {tournament}")

    def propose(key, history, taken):
        values = np.nan_to_num(history.utilities[-population:], nan=-np.inf)
        if len(history) < population or not np.isfinite(values).any():
            return domain.random(key, 1, taken)
        draw_key, mutation_key = jax.random.split(key)
        drawn = np.asarray(jax.random.permutation(draw_key, len(values)))[:tournament]
        parent = history.tokens[-population:][drawn[np.argmax(values[drawn])]]
        return domain.descendant(mutation_key, parent, taken)

    return Strategy(ask=one_by_one(domain, propose), **remember(domain))
