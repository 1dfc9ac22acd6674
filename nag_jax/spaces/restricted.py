"""Parts of spaces: what is left of a space where some choices are made already, or architectures are to be near one."""

import functools
import inspect
import math
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces import asked
from nag_jax.spaces.choices import Choices
from nag_jax.spaces.declared.rules import draw_by_rejection
from nag_jax.spaces.nodes import MOST_LISTED, NodeSpace
from nag_jax.system.errors import InputError
from nag_jax.system.once import once

_DRAWN_AT_ONCE = 1024
_DRAWS = 2**14
_LEAST_KEPT = 16
"""Of `_DRAWS` random completions, where a rule has no closed form: a draw takes a thousand attempts then."""
_PROBES = 32
"""Random choices around which another one is changed, to see which nodes depend on it."""
_MOST_ATTEMPTS = 256
"""To mutate one of a few open choices among many: of 45, one alone is missed once in 300 times."""


def _known(calculate: Callable[[Any], Any]) -> functools.cached_property:
    """A cached property whose first caller may be tracing."""

    def known(self):
        with jax.ensure_compile_time_eval():
            return calculate(self)

    known.__doc__ = calculate.__doc__
    return functools.cached_property(known)


class Restricted(NodeSpace):
    """The architectures of a space some of whose nodes keep to some classes, drawn as `random` of the space does.

    That is the space's own distribution, given the classes that are left; or, with weights, proportional to those too.
    Tokens, names, keys and costs are those of the whole space, so labels and generators of it serve its parts. Made by
    `restrict`, which gives it what else the whole space offers.

    Attributes:
        whole: the space that it is a part of.
        log_weights: what classes are weighted by, float32 `[N, V]`; next to nothing for those that are left out.
    """

    def __init__(self, whole: NodeSpace, permitted: np.ndarray, log_weights: np.ndarray):
        self.whole = whole
        self._permitted = permitted
        self.log_weights = np.where(permitted, log_weights, asked.NEVER).astype(np.float32)
        self._is_weighted = bool((log_weights[permitted] != 0).any())
        self.allowed = self._possible()
        self._check_some_left()

    def __getattr__(self, name: str) -> Any:
        if name == "whole" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.whole, name)

    @functools.cached_property
    def size(self) -> int:
        """How many architectures there are; where they are too many to list, as many as their share of draws says."""
        if self.listable:
            return len(self._every)
        return max(1, round(self.whole.size * self._share))

    @property
    def listable(self) -> bool:
        """Whether `all_tokens` can list it."""
        return self.whole.listable or math.prod(self.allowed.sum(axis=1).tolist()) <= MOST_LISTED

    @functools.cached_property
    def num_canonical(self) -> int | None:
        """How many classes of `canonical` there are, or None where they are too many to list."""
        return len(np.unique(self.canonical(self._every))) if self.listable else None

    def describe(self) -> dict[str, Any]:
        """See `NodeSpace.describe`; nodes with the classes that are left to them."""
        return self.whole.describe() | super().describe()

    def contains(self, tokens) -> jax.Array:
        """Bool `[B]`: whether tokens `[B, N]` are of the whole space and have classes that are left. Jittable."""
        tokens = jnp.asarray(tokens)
        left = jnp.asarray(self._permitted)[jnp.arange(self.num_nodes, dtype=jnp.int32), tokens].all(axis=-1)
        return self.whole.contains(tokens) & left

    def decode(self, x, *, rule: str = "argmax") -> tuple[jax.Array, jax.Array]:
        """See `NodeSpace.decode`."""
        tokens, valid = self.whole.decode(x, rule=rule)
        return tokens, valid & self.contains(tokens)

    def all_tokens(self) -> np.ndarray:
        """Every architecture, tokens `[size, N]` in lexicographic order; see `NodeSpace.all_tokens`."""
        return self._every.copy() if self.listable else self.whole.all_tokens()  # which says that it can't

    def within(self, hold: Callable[[np.ndarray], np.ndarray], most: int) -> np.ndarray | None:
        """See `NodeSpace.within`."""
        if self.listable:
            return super().within(hold, most)
        return self.whole.within(lambda tokens: hold(tokens) & np.asarray(self.contains(tokens)), most)

    def random(self, key, n: int) -> jax.Array:
        """Draws n architectures; the i-th depends on `key` and i alone. Jittable in `key`.

        Node by node, by the closed form of the whole space given those before, where it has one. Otherwise from the
        list, or by drawing completions until one keeps to the rule.
        """
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(n, dtype=jnp.int32))
        if self.has_posterior:
            draw = self._complete
        elif self.listable:
            ends = np.cumsum(self._probabilities).astype(np.float32)

            def draw(key):
                place = jnp.searchsorted(jnp.asarray(ends), jax.random.uniform(key, (), jnp.float32), side="right")
                return jnp.asarray(self._every)[jnp.minimum(place, len(ends) - 1)]
        else:
            draw = functools.partial(draw_by_rejection, self.contains, self._completion)
        return jax.lax.map(draw, keys, batch_size=min(n, _DRAWN_AT_ONCE))

    @property
    def choices(self) -> Choices:
        """See `NodeSpace.choices`; those that are made already don't move."""
        choices = self.whole.choices
        return choices._replace(moving=self._moving, log_weight=self._weight if self._is_weighted else None)

    def class_posterior(self, log_likelihood) -> jax.Array:
        """See `NodeSpace.class_posterior`: that of the whole space, with what is left out as further evidence."""
        return self.whole.class_posterior(log_likelihood + self.log_weights[None])

    def moves(self, tokens) -> jax.Array:
        """See `NodeSpace.moves`."""
        return self.whole.moves(tokens) & jnp.asarray(self.allowed)

    def mutate(self, key, tokens) -> jax.Array:
        """See `NodeSpace.mutate`; what can't be changed, or isn't in some hundred attempts, stays."""
        tokens = jnp.asarray(tokens, jnp.int32)

        def attempt(state):
            i, children, done = state
            new = self.whole.mutate(jax.random.fold_in(key, i), tokens)
            good = ~done & self.contains(new)
            return i + 1, jnp.where(good[:, None], new, children), done | good

        def go_on(state):
            return (state[0] < _MOST_ATTEMPTS) & ~state[2].all()

        return jax.lax.while_loop(go_on, attempt, (jnp.int32(0), tokens, jnp.zeros(len(tokens), bool)))[1]

    def neighbors(self, tokens) -> np.ndarray:
        """See `NodeSpace.neighbors`."""
        found = self.whole.neighbors(tokens)
        return found[np.asarray(self.contains(found))]

    @_known
    def _every(self) -> np.ndarray:
        """The architectures of a listable part."""
        tokens = self.whole.all_tokens() if self.whole.listable else super().all_tokens()
        return tokens[np.asarray(self.contains(tokens))]

    @_known
    def _probabilities(self) -> np.ndarray:
        """How likely each of `_every` is, float64 `[S]`."""
        logs = np.asarray(self.choices.log_prior_of(jnp.asarray(self._every)), np.float64)
        p = np.exp(logs - logs.max())
        return p / p.sum()

    @_known
    def _share(self) -> float:
        """How often draws of the whole space are of this part."""
        if not self.has_posterior:
            return self._kept * math.prod((self.allowed.sum(axis=1) / self.whole.allowed.sum(axis=1)).tolist())
        share, evidence = 1.0, np.zeros((1, *self.allowed.shape), np.float32)
        posterior = jax.jit(self.whole.class_posterior)
        for node in np.flatnonzero((self._permitted != self.whole.allowed).any(axis=1)):
            share *= float(np.asarray(posterior(evidence))[0, node, self._permitted[node]].sum())
            evidence[0, node] = np.where(self._permitted[node], 0.0, asked.NEVER)
        return share

    @_known
    def _kept(self) -> float:
        """The share of random completions that keep to the rule."""
        keys = jax.random.split(jax.random.key(0), _DRAWS)
        return float(self.contains(jax.vmap(self._completion)(keys)).mean())

    @_known
    def _moving(self) -> np.ndarray:
        """Bool `[R]`: the choices that can change without a node that is left one class changing."""
        log_prior, settle = self.whole.choices.log_prior, self.whole.choices.settle
        counts, rng = np.isfinite(log_prior).sum(axis=1), np.random.RandomState(0)
        drawn = rng.randint(0, counts, (_PROBES, len(counts)))
        is_settled = self.allowed.sum(axis=1) == 1
        moving = np.zeros(len(counts), bool)
        for choice, count in enumerate(counts):
            tried = np.repeat(drawn[None], count, axis=0)
            tried[:, :, choice] = np.arange(count)[:, None]
            tokens = np.asarray(settle(jnp.asarray(tried, jnp.int32)))
            differs = tokens[:, None] != tokens[None]
            moving[choice] = (differs.any(axis=-1) & ~(differs & is_settled).any(axis=-1)).any()
        return moving

    def _weight(self, tokens) -> jax.Array:
        """Log-weights `[...]` of tokens `[..., N]` beyond the prior of the whole space."""
        return jnp.asarray(self.log_weights)[np.arange(self.num_nodes), tokens].sum(axis=-1)

    def _complete(self, key) -> jax.Array:
        """Draws one architecture node by node, tokens int32 `[N]`."""
        nodes = np.flatnonzero(self.allowed.sum(axis=1) > 1).astype(np.int32)
        classes, allowed = jnp.arange(self.num_classes, dtype=jnp.int32), jnp.asarray(self.allowed)

        def step(state, node):
            tokens, evidence = state
            p = self.whole.class_posterior(evidence[None])[0, node]
            logits = jnp.where(allowed[node] & (p > 0), jnp.log(p), -jnp.inf)
            drawn = jax.random.categorical(jax.random.fold_in(key, node), logits).astype(jnp.int32)
            given = jnp.where(classes == drawn, evidence[node], asked.NEVER)
            return (tokens.at[node].set(drawn), evidence.at[node].set(given)), None

        begin = jnp.asarray(self.allowed.argmax(axis=1), jnp.int32), jnp.asarray(self.log_weights)
        return jax.lax.scan(step, begin, jnp.asarray(nodes))[0][0]

    def _completion(self, key) -> jax.Array:
        """Draws classes that are left, whatever the rule says of them, tokens int32 `[N]`."""
        logits = jnp.where(jnp.asarray(self.allowed), jnp.asarray(self.log_weights), -jnp.inf)
        return jax.random.categorical(key, logits).astype(jnp.int32)

    def _possible(self) -> np.ndarray:
        """The classes that nodes have in some architecture, bool `[N, V]`, as far as that is known."""
        if self.has_posterior:
            return self._permitted & (
                np.asarray(jax.jit(self.class_posterior)(np.zeros((1, *self._permitted.shape), np.float32)))[0] > 0
            )
        if self.whole.listable:
            self.allowed = self._permitted
            return (self._every[:, :, None] == np.arange(self.num_classes)).any(axis=0)
        return self._permitted

    def _check_some_left(self) -> None:
        """Raises InputError where no architecture is left, or completions hardly ever keep to the rule."""
        few = ""
        if self.has_posterior:
            left = bool(self.contains(self.random(jax.random.key(0), 64)).any())
        elif self.listable:
            left = len(self._every) > 0
        else:
            left = self._kept * _DRAWS >= _LEAST_KEPT
            few = f", or fewer than {_LEAST_KEPT} of {_DRAWS:,} random ones"
        if not left:
            raise InputError(
                f"the choices that are fixed and excluded leave no architecture of {self.whole.name}{few}: its rule "
                "forbids them together, so leave some out"
            )


def restrict(
    space: NodeSpace,
    *,
    fixed: Mapping[str, str] = MappingProxyType({}),
    excluded: Mapping[str, str | Collection[str]] = MappingProxyType({}),
    near: str = "",
    changes: float = 2.0,
) -> NodeSpace:
    """The part of a space in which some choices are made; the space itself where nothing is asked.

    Args:
        space: the space.
        fixed: node to the class that all architectures have there.
        excluded: node to the class or classes that none has there; the node `"*"` stands for all nodes.
        near: an architecture, in the space's notation, that others are near to; empty for none.
        changes: the nodes in which they differ from it on average, before anything guides them.

    Raises:
        InputError: a name is unknown, or the choices contradict each other or the rule of the space.

    Example:
        >>> from nag_jax import spaces
        >>> part = restrict(spaces.make("nasbench201"), fixed={"0-1": "none"}, excluded={"*": "avg_pool_3x3"})
        >>> part.size, part.name
        (1024, 'nasbench201')
    """
    if not fixed and not excluded and not near:
        return space
    return _restrict(
        space,
        dict(fixed),
        {node: (names,) if isinstance(names, str) else tuple(names) for node, names in excluded.items()},
        near,
        changes,
    )


@once
def _restrict(space: NodeSpace, fixed, excluded, near: str, changes: float) -> NodeSpace:
    permitted = asked.permitted(space, fixed, excluded)
    log_weights = asked.nearness(space, permitted, near, changes) if near else np.zeros(permitted.shape, np.float32)
    return _kind(type(space))(space, permitted, log_weights)


def whole(space: NodeSpace) -> NodeSpace:
    """The space that another is a part of; itself where it is none.

    Example:
        >>> from nag_jax import spaces
        >>> whole(restrict(spaces.make("nasbench201"), fixed={"0-1": "none"})).size
        15625
    """
    while isinstance(space, Restricted):
        space = space.whole
    return space


@functools.cache
def _kind(whole: type[NodeSpace]) -> type[Restricted]:
    """The class of parts of spaces of a class, which have all that those offer beside what `Restricted` defines."""
    offered = {name for name in dir(whole) if not name.startswith("_")} - set(vars(Restricted))
    return type(
        f"Restricted{whole.__name__}",
        (Restricted,),
        {"__module__": __name__} | {name: _forwarded(name, inspect.getattr_static(whole, name)) for name in offered},
    )


def _forwarded(name: str, offered: Any) -> Any:
    """A method or property that asks the whole space."""
    if not inspect.isfunction(offered):
        return property(lambda self: getattr(self.whole, name))

    @functools.wraps(offered)
    def method(self, *arguments, **options):
        return getattr(self.whole, name)(*arguments, **options)

    return method
