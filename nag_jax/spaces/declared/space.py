"""A space that is declared: its nodes, their classes, when they are there, who feeds whom, and a rule."""

import functools
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.choices import Choices
from nag_jax.spaces.declared import declarations, marginals
from nag_jax.spaces.declared.blocks import Condition
from nag_jax.spaces.declared.keys import row_keys
from nag_jax.spaces.declared.notation import Notation
from nag_jax.spaces.declared.rules import (
    Rule,
    check_rule,
    check_share_left,
    check_some_left,
    draw_by_rejection,
    listed_posterior,
)
from nag_jax.spaces.declared.wiring import all_edges, edges_between, reaches_output
from nag_jax.spaces.nodes import MOST_LISTED, NodeSpace
from nag_jax.spaces.paths import PathTerms, dag_path_terms
from nag_jax.system.errors import InputError

MOST_SUMMED = 2**15
"""Architectures that `class_posterior` sums over at every call."""

_DRAWS = 2**14


class DagSpace(NodeSpace):
    """A space made of declarations.

    Args:
        name: what messages and files call the space.
        nodes: node to the classes that it may take, in topological order; one class makes a fixed node, as an input.
        edges: (source, target) pairs of nodes. Nodes that nothing feeds are inputs, those that feed nothing outputs.
        when: conditions, for depths and optional parts: node to (an earlier node, its classes with which the node is
            there). A node that is not there has the class `absent`, the last one, and passes its input on, unless
            `blocking` names that class. `repeat` and `chain` write them for blocks of nodes.
        classes: the V node classes, in the order of their ids; by default those of the nodes as they come.
        valid: the rule: tokens int32 `[B, N]` -> bool `[B]`, which combinations of allowed classes are architectures.
            It is compiled, so it must be written with `jax.numpy` or array methods.
        canonical: tokens int32 `[B, N]` -> tokens `[B, N]` of the architecture that stands for all that compute the
            same thing, by NumPy. It may break the rule but takes allowed classes. By default all architectures differ.
        uniform: what is drawn equally often: `"architectures"`, of which nearly all have the greatest depth, or
            `"choices"`, the classes of each node that is there, so that all depths come.
        passing: classes that pass their input on unchanged.
        blocking: classes that pass nothing on.
        weightless: classes that compute something without weights, as pooling does.
        attributes: numbers that classes have in common: attribute to those of the classes that have it, as
            `{"kernel": {"conv3x3": 3, "conv1x1": 1}}`; see `NodeSpace.class_attributes`.

    Raises:
        InputError: a name is missing, repeated or unknown, an edge or a condition goes backwards, there is no choice,
            the rule can't be compiled or doesn't return bool `[B]`, or it leaves nothing, or too little to draw from,
            of a space too large to list.

    Example:
        >>> space = DagSpace(
        ...     "chain",
        ...     nodes={"in": ["input"], "a": ["conv", "pool"], "b": ["conv", "pool"], "out": ["output"]},
        ...     edges=[("in", "a"), ("a", "b"), ("b", "out")],
        ...     valid=lambda tokens: (tokens == 2).sum(axis=1) <= 1,
        ... )
        >>> space.to_native(space.all_tokens())
        ['conv|conv', 'conv|pool', 'pool|conv']
        >>> from nag_jax.spaces import repeat
        >>> space = DagSpace("deep", **repeat("layer", {"op": ["conv", "pool"]}, depths=(1, 2))._asdict())
        >>> space.to_native(space.all_tokens())[:3]
        ['layer x1|conv', 'layer x1|pool', 'layer x2|conv|conv']
    """

    def __init__(
        self,
        name: str,
        *,
        nodes: Mapping[str, Collection[str]],
        edges: Iterable[tuple[str, str]],
        when: Mapping[str, Condition] = MappingProxyType({}),
        classes: Sequence[str] | None = None,
        valid: Rule | None = None,
        canonical: Callable[[np.ndarray], np.ndarray] | None = None,
        uniform: str = "architectures",
        passing: Collection[str] = (),
        blocking: Collection[str] = (),
        weightless: Collection[str] = (),
        attributes: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
    ):
        if valid is not None and uniform != "architectures":
            raise InputError(f"space {name!r}: beside a rule uniform must be 'architectures', found {uniform!r}")
        self.name = name
        self._node_names = tuple(nodes)
        self._rule = valid
        self._canonical = canonical
        declared = declarations.read_classes(name, classes, nodes, reserved=[declarations.ABSENT] if when else [])
        self._tree = declarations.read_conditions(name, declared, nodes, when, uniform)
        self.absent = self._tree.absent if self._tree.height else None
        self.class_names = declared if self.absent is None else (*declared, declarations.ABSENT)
        self.allowed = self._tree.allowed
        self._notation = Notation(name, self.node_names, self.class_names, self._tree)
        self._flow = declarations.read_edges(name, self.node_names, edges)
        ids = functools.partial(declarations.class_ids, name, self.class_names)
        self.blocking, self.weightless = ids("blocking", blocking), ids("weightless", weightless)
        self.passing = ids("passing", passing)
        if self.absent is not None and self.absent not in (*self.passing, *self.blocking):
            self.passing += (self.absent,)
        self.class_attributes = declarations.read_attributes(name, self.class_names, attributes)
        self._passes_absent = self.absent in self.passing
        self.adjacency = all_edges(self._flow, self._tree, is_passing=self._passes_absent)
        self._kept = _DRAWS
        if valid is not None:
            check_rule(name, valid, self.num_nodes)
            self._measure_rule()

    @property
    def node_names(self) -> tuple[str, ...]:
        """As declared."""
        return self._node_names

    @functools.cached_property
    def fingerprint(self) -> str:
        """The name, and a digest of the declarations and of what the rules say of a sample; see `Space`."""
        tokens = self._tree.sample(_DRAWS)
        digest = hashlib.sha256(repr((self.class_names, self.node_names, self.passing, self.blocking)).encode())
        arrays = [self.allowed, self.adjacency, self._keep(tokens), self._representatives(tokens)]
        if self.absent is not None:
            digest.update(self._tree.uniform.encode())
            arrays += [self._tree.parents, self._tree.opens, self._flow]
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        return f"{self.name} {digest.hexdigest()[:12]}"

    @property
    def size(self) -> int:
        """How many architectures there are; of a space with a rule that is too large to list, estimated by draws."""
        if self._rule is None:
            return self._tree.size
        return len(self._every) if self.listable else self._tree.size * self._kept // _DRAWS

    @property
    def listable(self) -> bool:
        """Whether the combinations, those that break the rule included, are few enough for `all_tokens`."""
        return self._tree.size <= MOST_LISTED

    @functools.cached_property
    def num_canonical(self) -> int | None:
        """How many classes of `canonical` there are, or None where they are too many to list and to calculate."""
        if self.listable:
            return len(np.unique(self.canonical(self.all_tokens())))
        return self.size if self._rule is None and self._canonical is None else None

    @property
    def has_posterior(self) -> bool:
        """Whether there is no rule, or few enough architectures for `class_posterior` to sum over."""
        return self._rule is None or (self.listable and self.size <= MOST_SUMMED)

    @property
    def is_ruled(self) -> bool:
        """Whether there is a rule or a condition."""
        return self._rule is not None or self.absent is not None

    def contains(self, tokens) -> jax.Array:
        """Bool `[B]`: whether tokens `[B, N]` have allowed classes where nodes are there, by the rule. Jittable."""
        tokens = jnp.asarray(tokens)
        inside = super().contains(tokens) & self._tree.agree(tokens)
        return inside if self._rule is None else inside & self._rule(tokens)

    def inequalities(self) -> list[np.ndarray]:
        """See `NodeSpace.inequalities`: a node is there as often as its condition holds, twice, for both directions."""
        return self._tree.inequalities()

    def all_tokens(self) -> np.ndarray:
        """Every architecture, tokens `[size, N]` in lexicographic order; see `NodeSpace.all_tokens`."""
        if not self.listable:
            return super().all_tokens()  # which says so
        return self._tree.every() if self._rule is None else self._every.copy()

    def random(self, key, n: int) -> jax.Array:
        """Draws n architectures uniformly, see `uniform`; the i-th depends on `key` and i alone. Jittable in `key`.

        With a rule from the list where there is one, otherwise by drawing combinations until one keeps to the rule.
        """
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(n, dtype=jnp.int32))
        draw = functools.partial(marginals.draw, self._tree)
        if self._rule is None:
            return jax.vmap(draw)(keys)
        if not self.listable:
            return jax.vmap(functools.partial(draw_by_rejection, self._rule, draw))(keys)
        index = jax.vmap(lambda key: jax.random.randint(key, (), 0, len(self._every), jnp.int32))(keys)
        return jnp.asarray(self._every)[index]

    @property
    def choices(self) -> Choices:
        """See `NodeSpace.choices`; the class of a node that isn't there is a choice without effect."""
        return marginals.choices(self._tree)

    def class_posterior(self, log_likelihood) -> jax.Array:
        """See `NodeSpace.class_posterior`; with a rule, summed over all architectures.

        Raises:
            InputError: there is a rule, and there are more than `MOST_SUMMED` architectures.
        """
        if self._rule is None:
            return marginals.class_posterior(self._tree, log_likelihood)
        if not self.has_posterior:
            raise InputError(f"{self.name} has too many architectures that keep to its rule to sum over: sample them")
        return listed_posterior(self._every, log_likelihood)

    def conditional_moments(self, p, table) -> tuple[jax.Array, jax.Array]:
        """See `NodeSpace.conditional_moments`; as if there were no rule."""
        return marginals.conditional_moments(self._tree, p, table)

    def _changed(self, tokens, node, new, key) -> jax.Array:
        tokens = super()._changed(tokens, node, new, key)
        if self.absent is None:
            return tokens
        drawn = self._tree.settled(tokens, marginals.draw_classes(self._tree, key))
        if self._rule is None:
            return drawn
        return jnp.where(self._rule(drawn[None])[0], drawn, self._tree.settled(tokens, self._first))

    def moves(self, tokens) -> jax.Array:
        """See `NodeSpace.moves`: the changes of nodes that are there, to what keeps to the rule."""
        tokens = jnp.asarray(tokens)
        moves = super().moves(tokens) & jnp.asarray(self._tree.choices) & self._tree.present(tokens)[:, None]
        if self._rule is None:
            return moves
        nodes, classes = np.indices(moves.shape, np.int32).reshape(2, -1)
        children = jnp.tile(tokens, (len(nodes), 1)).at[np.arange(len(nodes)), nodes].set(classes)
        children = self._tree.settled(children, jnp.broadcast_to(self._first, children.shape))
        return moves & self.contains(children).reshape(moves.shape)

    def mutate(self, key, tokens) -> jax.Array:
        """See `NodeSpace.mutate`; an architecture that can't change a single node without breaking the rule stays."""
        children = super().mutate(key, tokens)
        if self._rule is None:
            return children
        return jnp.where(self.contains(children)[:, None], children, jnp.asarray(tokens, jnp.int32))

    def neighbors(self, tokens) -> np.ndarray:
        """See `NodeSpace.neighbors`; nodes that a change opens take their first class."""
        return self._tree.settled(super().neighbors(tokens), self._first)

    def edges(self, tokens) -> list[tuple[int, int]]:
        """See `NodeSpace.edges`; what feeds an absent node that passes its input on feeds what that node leads to."""
        present = self._tree.present(np.asarray(tokens))
        return edges_between(self._flow, present, is_passing=self._passes_absent)

    def path_terms(self) -> PathTerms | None:
        """See `NodeSpace.path_terms`; of the declared edges."""
        return dag_path_terms(self._flow, self.allowed, passing=self.passing, blocking=self.blocking)

    def to_native(self, tokens) -> list[str]:
        """The classes of the nodes that are there and have a choice, in order, as `conv|pool|skip`."""
        return self._notation.write(self._checked(tokens))

    def from_native(self, architectures: list[str]) -> np.ndarray:
        """Tokens `[B, N]` of strings as `to_native` writes them; see `NodeSpace.from_native`."""
        return self._checked(self._notation.read(architectures))

    def describe(self) -> dict[str, Any]:
        """See `NodeSpace.describe`; with the conditions, and what the rule's documentation says of it."""
        rule = None if self._rule is None else " ".join((self._rule.__doc__ or "without description").split())
        return super().describe() | {"when": self._notation.conditions(), "rule": rule}

    def canonical(self, tokens) -> np.ndarray:
        """Keys `[B]`, equal for architectures with the same representative, by which all are told apart otherwise.

        int64 where 64 bits are enough, otherwise strings of two letters per node.

        Raises:
            InputError: tokens are not of the space, or their representatives have classes that aren't allowed.
        """
        found = self._representatives(self._checked(tokens))
        if not (allowed := self._are_allowed(found)).all():
            row = int(np.argmin(allowed))
            raise InputError(
                f"space {self.name!r}: canonical made {found[row].tolist()} of {np.asarray(tokens)[row].tolist()}, and "
                "not all of these classes are allowed: return tokens of allowed classes"
            )
        return row_keys(found, self.allowed)

    def connected(self, tokens) -> np.ndarray:
        """Bool `[B]`: whether a path without blocking classes leads from an input to an output."""
        blocks = np.zeros(self.num_classes, bool)
        blocks[list(self.blocking)] = True
        return reaches_output(self._flow, ~blocks[np.asarray(tokens)])

    @functools.cached_property
    def _every(self) -> np.ndarray:
        """The architectures of a listable space."""
        tokens = self._tree.every()
        return tokens[self._keep(tokens)]

    @property
    def _first(self) -> np.ndarray:
        """The first class that each node may take, int32 `[N]`."""
        return self._tree.choices.argmax(axis=1).astype(np.int32)

    def _keep(self, tokens: np.ndarray) -> np.ndarray:
        """Bool `[B]`: which combinations of allowed classes keep to the rule."""
        return np.ones(len(tokens), bool) if self._rule is None else np.asarray(self._rule(jnp.asarray(tokens)))

    def _representatives(self, tokens: np.ndarray) -> np.ndarray:
        return tokens if self._canonical is None else np.asarray(self._canonical(tokens.copy()), np.int32)

    def _are_allowed(self, tokens: np.ndarray) -> np.ndarray:
        inside = (tokens >= 0) & (tokens < self.num_classes)
        tokens = np.where(inside, tokens, 0)
        inside &= self.allowed[np.arange(self.num_nodes), tokens]
        return np.asarray(inside.all(axis=1) & self._tree.agree(tokens))

    def _checked(self, tokens) -> np.ndarray:
        """The tokens `[B, N]`; raises InputError where they are not of the space."""
        tokens = np.asarray(tokens, np.int32)
        inside = self._are_allowed(tokens)
        inside[inside] = self._keep(tokens[inside])
        if not inside.all():
            row = int(np.argmin(inside))
            names = [self.class_names[token] if 0 <= token < self.num_classes else token for token in tokens[row]]
            raise InputError(
                f"row {row}: {names} is not an architecture of {self.name}, by its allowed classes or its rule: keep "
                "only what decode calls valid"
            )
        return tokens

    def _measure_rule(self) -> None:
        """Checks that architectures can be drawn."""
        if self.listable:
            check_some_left(self.name, len(self._every), self._tree.size)
        elif self.absent is None:
            self._kept = int(self._keep(self._tree.sample(_DRAWS)).sum())
            check_share_left(self.name, self._kept, _DRAWS)
        else:
            raise InputError(
                f"space {self.name!r}: a rule beside conditions needs {MOST_LISTED:,} combinations or fewer: say it by "
                "when, or let nodes allow fewer classes"
            )
