"""Several objectives by random scalarisations (ParEGO: Knowles, IEEE TEC 2006), for any strategy of one objective."""

from typing import NamedTuple

import jax
import numpy as np

from nag_jax.strategies.base import Strategy

_SUM = 0.05
"""The weight of the plain sum in an augmented Chebyshev utility, as in the paper."""


class Told(NamedTuple):
    """The state: all that was told, in its batches.

    Attributes:
        key: the key of `init`.
        batches: tokens `[m, N]` and values `[m, M]` of each.
    """

    key: jax.Array
    batches: tuple[tuple[np.ndarray, np.ndarray], ...] = ()


def scalarized(strategy: Strategy) -> Strategy:
    """Asks the strategy about other weights of the objectives every time, so that it spreads over their front.

    The weights are uniform over the simplex. The strategy is told the augmented Chebyshev utility of the values, each
    objective scaled to 0..1 over what was told, of all trials anew.

    Args:
        strategy: a strategy of one objective.

    Example:
        >>> from nag_jax import spaces, strategies
        >>> several = scalarized(strategies.make("random_search", spaces.make("nasbench_graph")))
        >>> tokens, state = several.ask(jax.random.key(0), several.init(jax.random.key(1)), 2)
        >>> len(several.tell(state, tokens, np.array([[0.5, -1.0], [0.7, -2.0]])).batches)
        1
    """

    def ask(key, state, n, *pending):
        inner = strategy.init(state.key)
        if state.batches:
            weight_key = jax.random.fold_in(key, 1)
            utilities = chebyshev(np.concatenate([values for _, values in state.batches]), weight_key)
            for tokens, values in state.batches:
                inner = strategy.tell(inner, tokens, utilities[: len(values), None])
                utilities = utilities[len(values) :]
        return strategy.ask(key, inner, n, *pending)[0], state

    def tell(state, tokens, values):
        return state._replace(batches=(*state.batches, (tokens, np.asarray(values, np.float64))))

    return Strategy(Told, ask, tell)


def chebyshev(values: np.ndarray, key: jax.Array) -> np.ndarray:
    """A utility `[T]` of values `[T, M]` with weights drawn from the simplex; NaN for failed trials."""
    good = np.isfinite(values).all(axis=1)
    if not good.any():
        return np.full(len(values), np.nan)
    least, most = values[good].min(axis=0), values[good].max(axis=0)
    lacking = (most - values) / np.where(most > least, most - least, 1.0)
    weights = np.asarray(jax.random.dirichlet(key, np.ones(values.shape[1], np.float32)), np.float64)
    return np.where(good, -(weights * lacking).max(axis=1) - _SUM * (weights * lacking).sum(axis=1), np.nan)
