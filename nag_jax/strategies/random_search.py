"""Random search: uniform draws, whatever was learned (Li and Talwalkar, UAI 2019)."""

from nag_jax.strategies.base import Domain, Strategy, remember


def random_search(domain: Domain) -> Strategy:
    """Draws uniformly among architectures and skips those whose class is labelled.

    It is the same as the *random sampling* of the literature, drawing with replacement, once repeated draws cost
    nothing: the ledger pays for a class once.
    """

    def ask(key, state, n, pending=None):
        return domain.random(key, n, state.awaiting(domain.space, pending).keys), state

    return Strategy(ask=ask, **remember(domain))
