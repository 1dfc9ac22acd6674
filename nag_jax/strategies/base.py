"""The contract of strategies: what one is, what it remembers, and what it may propose."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import jax
import numpy as np

from nag_jax.objectives.utility import Utility, identity, of_trials
from nag_jax.spaces import NodeSpace
from nag_jax.spaces.distinct import distinct_rows
from nag_jax.spaces.rows import Rows
from nag_jax.system.errors import InputError
from nag_jax.system.once import jitted

_MOST_DRAWS = 2**20


class Strategy(NamedTuple):
    """Decides which architectures to label next; pure, as in evosax.

    What `ask` proposes depends on the key, on what was told and on what is pending, so a search goes on after a kill by
    telling a fresh state the labels of the ledger, in the batches in which they were paid.

    Attributes:
        init: key -> state.
        ask: (key, state, n, pending) -> (tokens int32 `[m, N]`, state): architectures that differ from each other, from
            all that was told and from all that is pending, up to `space.canonical`. m is n, or less where fewer are
            left. Pending are architectures that were proposed and are being labelled, tokens `[P, N]`; it may be left
            out where there are none.
        tell: (state, tokens `[m, N]`, values `[m, M]` of the objectives) -> state. Higher is better; NaN is a failed
            trial, which counts as labelled.

    Example:
        >>> from nag_jax import spaces, strategies
        >>> strategy = strategies.make("random_search", spaces.make("nasbench_graph"))
        >>> tokens, state = strategy.ask(jax.random.key(0), strategy.init(jax.random.key(1)), 2)
        >>> strategy.tell(state, tokens, np.array([[0.5], [np.nan]])).succeeded().values
        array([[0.5]])
    """

    init: Callable[[jax.Array], Any]
    ask: Callable[..., tuple[np.ndarray, Any]]
    tell: Callable[[Any, np.ndarray, np.ndarray], Any]


@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """All that was told, in order; T trials.

    Attributes:
        tokens: int32 `[T, N]`.
        values: float64 `[T, M]`, the objectives, higher is better; NaN where the trial failed.
        utilities: float64 `[T]`, what the values are worth; NaN where the trial failed.
        keys: the canonical keys `[T]`.
        utility: makes utilities of values.
    """

    tokens: np.ndarray
    values: np.ndarray
    utilities: np.ndarray
    keys: np.ndarray
    utility: Utility

    @classmethod
    def empty(cls, space: NodeSpace, utility: Utility | None = None) -> Self:
        """No trial yet, of the only objective where no utility is given."""
        tokens = np.zeros((0, space.num_nodes), np.int32)
        return cls(tokens, np.zeros((0, 0)), np.zeros(0), space.canonical(tokens), utility or identity())

    def add(self, space: NodeSpace, tokens, values) -> Self:
        """With more trials at the end.

        Raises:
            InputError: there isn't a row of values for each architecture, or it has another number of objectives.
        """
        tokens = np.asarray(tokens, np.int32).reshape(-1, space.num_nodes)
        values = np.asarray(values, np.float64)
        if values.ndim != 2 or len(values) != len(tokens):
            raise InputError(f"expected values [{len(tokens)}, M], a row an architecture, found {list(values.shape)}")
        values = np.where(np.isfinite(values), values, np.nan)
        return dataclasses.replace(
            self,
            tokens=np.concatenate([self.tokens, tokens]),
            values=np.concatenate([self.values.reshape(-1, values.shape[1]), values]),
            utilities=np.concatenate([self.utilities, of_trials(self.utility, values)]),
            keys=np.concatenate([self.keys, space.canonical(tokens)]),
        )

    def awaiting(self, space: NodeSpace, pending: np.ndarray | None) -> Self:
        """With pending architectures, tokens `[P, N]`, at the end, as if they had failed: they say nothing."""
        if pending is None or not len(pending):
            return self
        return self.add(space, pending, np.full((len(pending), max(1, self.values.shape[1])), np.nan))

    def __len__(self) -> int:
        return len(self.tokens)

    def succeeded(self) -> Self:
        """Without the failed trials."""
        good = np.isfinite(self.utilities)
        rows = {name: getattr(self, name)[good] for name in ("tokens", "values", "utilities", "keys")}
        return dataclasses.replace(self, **rows)

    def best(self, n: int) -> np.ndarray:
        """Tokens `[m, N]` of the n trials of the highest utility, best first; m is less where fewer didn't fail."""
        good = self.succeeded()
        return good.tokens[np.argsort(-good.utilities, kind="stable")[:n]]


class Domain:
    """What may be proposed: the architectures of a space, or those of them that an evaluator covers.

    Args:
        space: the space of the architectures.
        covers: tokens `[B, N]` -> bool `[B]`; None for all.
        utility: makes one number of the values that are told; None for the value of the only objective.
        rows: where few of a large space are covered, those, which draws are then of. What is not among them stands for
            the nearest one that may still be proposed.

    Example:
        >>> from nag_jax import spaces
        >>> domain = Domain(spaces.make("nasbench_graph"))
        >>> tokens = domain.random(jax.random.key(0), 3, taken=np.zeros(0, int))
        >>> len(domain.new(np.concatenate([tokens, tokens]), taken=domain.space.canonical(tokens[:1])))
        2
    """

    def __init__(
        self,
        space: NodeSpace,
        covers: Callable[[np.ndarray], np.ndarray] | None = None,
        utility: Utility | None = None,
        rows: Rows | None = None,
    ):
        self.space = space
        self.utility = utility or identity()
        self._rows = rows
        self._covers = covers
        self._random = jitted(space.random, static_argnums=1)
        self._mutate = jitted(space.mutate)
        self._contains = jitted(space.contains)

    def new(self, tokens, taken: np.ndarray) -> np.ndarray:
        """Those of tokens `[B, N]` that may be proposed, each class once, in order: tokens `[m, N]`.

        Args:
            tokens: architectures, which may be none of the space.
            taken: canonical keys that may not.
        """
        tokens = np.asarray(tokens, np.int32)
        tokens = tokens[self._is_inside(tokens)]
        if self._rows is not None:
            tokens = self._rows.nearest(tokens, taken)
        if self._covers is not None:
            tokens = tokens[self._covers(tokens)]
        keys = self.space.canonical(tokens)
        first = distinct_rows(keys)
        return tokens[first[~np.isin(keys[first], taken)]]

    def random(self, key: jax.Array, n: int, taken: np.ndarray) -> np.ndarray:
        """N new architectures drawn uniformly, tokens `[m, N]`; m is less only where no more can be found."""
        if self._rows is not None:
            return self.new(self._rows.shuffled(key), taken)[:n]
        size = max(64, 1 << (4 * n - 1).bit_length())
        while size <= min(_MOST_DRAWS, 16 * self.space.size):
            found = self.new(self._random(key, size), taken)
            if len(found) >= n:
                return found[:n]
            size *= 4
        if self.listable:
            order = np.asarray(jax.random.permutation(key, len(self.all)))
            return self.new(self.all[order], taken)[:n]
        return self.new(self._random(key, _MOST_DRAWS), taken)[:n]

    def mutate(self, key: jax.Array, tokens) -> np.ndarray:
        """Tokens `[B, N]` with one node of each changed; see `NodeSpace.mutate`."""
        return np.asarray(self._mutate(key, np.asarray(tokens, np.int32)))

    def descendant(self, key: jax.Array, parent: np.ndarray, taken: np.ndarray) -> np.ndarray:
        """A new architecture as few random mutations from a parent (tokens `[N]`) as the draws allow: `[m, N]`, m <= 1.

        A random one where 16 mutations on end lead to nothing new.
        """
        children = np.repeat(parent[None], 8, axis=0)
        for step in range(16):
            children = self.mutate(jax.random.fold_in(key, step), children)
            found = self.new(children, taken)
            if len(found):
                return found[:1]
        return self.random(key, 1, taken)

    def _is_inside(self, tokens: np.ndarray) -> np.ndarray:
        """Bool `[B]`: whether tokens are of the space; padded to few sizes, each of which is compiled once."""
        padded = np.zeros((1 << max(6, (len(tokens) - 1).bit_length()), self.space.num_nodes), np.int32)
        padded[: len(tokens)] = tokens
        return np.asarray(self._contains(padded))[: len(tokens)]

    @property
    def listable(self) -> bool:
        """Whether the domain is small enough to list."""
        return self._rows is not None or self.space.listable

    @functools.cached_property
    def all(self) -> np.ndarray:
        """All architectures of the domain, tokens `[A, N]`, one a canonical class.

        Raises:
            InputError: they are too many to list.
        """
        every = self.space.all_tokens() if self._rows is None else self._rows.tokens
        return self.new(every, self.space.canonical(every[:0]))


def complete(domain: Domain, key: jax.Array, tokens: np.ndarray, n: int, taken: np.ndarray) -> np.ndarray:
    """The first n of tokens `[B, N]`, which are new and differ; random new ones make up what is missing."""
    if len(tokens) >= n:
        return tokens[:n]
    taken = np.concatenate([taken, domain.space.canonical(tokens)])
    return np.concatenate([tokens, domain.random(key, n - len(tokens), taken)])


def one_by_one(domain: Domain, propose: Callable[[jax.Array, History, np.ndarray], np.ndarray]) -> Callable:
    """An `ask` on a `History` that proposes the members of a batch in turn, each new to those before it.

    Args:
        domain: the domain of the proposals.
        propose: (key, history, taken) -> tokens `[m, N]`, m <= 1, not among the taken keys.
    """

    def ask(key, state, n, pending=None):
        taken = state.awaiting(domain.space, pending).keys
        chosen = [np.zeros((0, domain.space.num_nodes), np.int32)]
        for i in range(n):
            chosen.append(propose(jax.random.fold_in(key, i), state, taken))
            taken = np.concatenate([taken, domain.space.canonical(chosen[-1])])
        return np.concatenate(chosen), state

    return ask


def remember(domain: Domain) -> dict[str, Callable]:
    """The `init` and `tell` of strategies whose state is the history."""
    return {
        "init": lambda key: History.empty(domain.space, domain.utility),
        "tell": lambda state, tokens, values: state.add(domain.space, tokens, values),
    }
