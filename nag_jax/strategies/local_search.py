"""Local search: hill climbing with restarts (White et al., UAI 2021)."""

import dataclasses

import jax
import numpy as np

from nag_jax.strategies.base import Domain, History, Strategy, complete


@dataclasses.dataclass(frozen=True, eq=False)
class _Climb:
    """The state: all trials, and the architecture whose neighbours are asked for.

    Attributes:
        history: all trials.
        place: tokens `[N]`, or None where the next trial starts a climb.
        value: the utility of the place.
    """

    history: History
    place: np.ndarray | None
    value: float


def local_search(domain: Domain) -> Strategy:
    """Labels the neighbours of the best architecture of a climb in random order, and moves as soon as one is better.

    Where no new neighbour is left it starts again from a random architecture. Neighbours differ in one node. Failed
    trials are never moved to.
    """

    def init(key):
        return _Climb(History.empty(domain.space, domain.utility), None, -np.inf)

    def ask(key, state, n, pending=None):
        order_key, random_key = jax.random.split(key)
        taken = state.history.awaiting(domain.space, pending).keys
        found = np.zeros((0, domain.space.num_nodes), np.int32)
        if state.place is not None:
            found = domain.new(domain.space.neighbors(state.place), taken)
            found = found[np.asarray(jax.random.permutation(order_key, len(found)))]
        return complete(domain, random_key, found, n, taken), state

    def tell(state, tokens, values):
        history = state.history.add(domain.space, tokens, values)
        place, value = state.place, state.value
        utilities = np.nan_to_num(history.utilities[len(state.history) :], nan=-np.inf)
        for row, told in zip(np.asarray(tokens, np.int32), utilities, strict=True):
            if told > value or (place is None and np.isfinite(told)):
                place, value = row, float(told)
        if place is not None and not len(domain.new(domain.space.neighbors(place), history.keys)):
            place, value = None, -np.inf
        return _Climb(history, place, value)

    return Strategy(init, ask, tell)
