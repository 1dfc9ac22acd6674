"""A space that is declared: its nodes, their classes, who feeds whom, and a rule of which combinations count."""

import functools
import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.base import MOST_LISTED, Space
from nag_jax.system.errors import InputError

LEAST_VALID_SHARE = 0.01
"""Of random combinations, for spaces too large to list, which are drawn by rejection."""
MOST_SUMMED = 2**15
"""Architectures that `class_posterior` sums over at every call."""

_DRAWS = 2**14
_LETTERS = 26


class DagSpace(Space):
    """A space made of declarations.

    Args:
        name: of the space, for messages and files.
        classes: the V node classes, in the order of their ids.
        nodes: node to the classes that it may take, in topological order; one class makes a fixed node, as an input.
        edges: (source, target) pairs of nodes. Nodes that nothing feeds are inputs, those that feed nothing outputs.
        valid: the rule: tokens int32 `[B, N]` -> bool `[B]`, which combinations of allowed classes are architectures.
            It is compiled, so it must be written with `jax.numpy` or array methods.
        canonical: tokens int32 `[B, N]` -> tokens `[B, N]` of the architecture that stands for all that compute the
            same thing, by NumPy. It may break the rule but takes allowed classes. By default all architectures differ.
        passing: classes that pass their input on unchanged.
        blocking: classes that pass nothing on.
        weightless: classes that compute something without weights, as pooling does.
        attributes: numbers that classes have in common: attribute to those of the classes that have it, as
            `{"kernel": {"conv3x3": 3, "conv1x1": 1}}`; see `Space.class_attributes`.

    Raises:
        InputError: a name is missing, repeated or unknown, an edge goes backwards, there is no choice, the rule can't
            be compiled or doesn't return bool `[B]`, or it leaves nothing, or too little to draw from, of a space too
            large to list.

    Example:
        >>> space = DagSpace(
        ...     "chain",
        ...     classes=("input", "conv", "pool", "output"),
        ...     nodes={"in": ["input"], "a": ["conv", "pool"], "b": ["conv", "pool"], "out": ["output"]},
        ...     edges=[("in", "a"), ("a", "b"), ("b", "out")],
        ...     valid=lambda tokens: (tokens == 2).sum(axis=1) <= 1,
        ... )
        >>> space.to_native(space.all_tokens())
        ['conv|conv', 'conv|pool', 'pool|conv']
    """

    def __init__(
        self,
        name: str,
        *,
        classes: Sequence[str],
        nodes: Mapping[str, Sequence[str]],
        edges: Iterable[tuple[str, str]],
        valid: Callable[[jax.Array], jax.Array] | None = None,
        canonical: Callable[[np.ndarray], np.ndarray] | None = None,
        passing: Sequence[str] = (),
        blocking: Sequence[str] = (),
        weightless: Sequence[str] = (),
        attributes: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
    ):
        self.name = name
        self.class_names = tuple(classes)
        self._node_names = tuple(nodes)
        self._rule = valid
        self._canonical = canonical
        self._check_class_names()
        self.passing, self.blocking = self._ids("passing", passing), self._ids("blocking", blocking)
        self.weightless = self._ids("weightless", weightless)
        for attribute, values in attributes.items():
            self._ids(f"attribute {attribute!r}", list(values))
        self.class_attributes = {
            attribute: tuple(values.get(name, 0) for name in self.class_names)
            for attribute, values in attributes.items()
        }
        self.allowed = np.zeros((len(nodes), len(self.class_names)), bool)
        for i, (node, allowed) in enumerate(nodes.items()):
            self.allowed[i, list(self._ids(f"node {node!r}", allowed))] = True
        self.adjacency = self._read_edges(edges)
        counts = self.allowed.sum(axis=1)
        if not (counts > 0).all() or not (counts > 1).any():
            raise InputError(f"space {name!r}: every node needs a class, and some node more than one to choose from")
        self._chosen = np.nonzero(counts > 1)[0]
        self._combinations = math.prod(counts.tolist())
        self._valid_share = 1.0
        if valid is not None:
            self._check_rule(valid)
            self._measure_rule()

    @property
    def node_names(self) -> tuple[str, ...]:
        """As declared."""
        return self._node_names

    @functools.cached_property
    def fingerprint(self) -> str:
        """See `Space.fingerprint`: the name and a digest of the declarations, and of what the rules say of a sample."""
        tokens = self._sample(_DRAWS)
        digest = hashlib.sha256(repr((self.class_names, self.node_names, self.passing, self.blocking)).encode())
        for array in (self.allowed, self.adjacency, self._keep(tokens), self._representatives(tokens)):
            digest.update(np.ascontiguousarray(array).tobytes())
        return f"{self.name} {digest.hexdigest()[:12]}"

    @property
    def size(self) -> int:
        """How many architectures there are; of a space with a rule that is too large to list, estimated by draws."""
        if self._rule is None:
            return self._combinations
        return len(self._every) if self.listable else round(self._valid_share * self._combinations)

    @property
    def listable(self) -> bool:
        """Whether the combinations, those that break the rule included, are few enough for `all_tokens`."""
        return self._combinations <= MOST_LISTED

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
        """Whether there is a rule."""
        return self._rule is not None

    def contains(self, tokens) -> jax.Array:
        """Bool `[B]`: whether classes of tokens `[B, N]` are allowed and keep to the rule. Jittable."""
        inside = super().contains(tokens)
        return inside if self._rule is None else inside & self._rule(jnp.asarray(tokens))

    def all_tokens(self) -> np.ndarray:
        """Every architecture, tokens `[size, N]` in lexicographic order; see `Space.all_tokens`."""
        return self._every.copy() if self.listable and self._rule is not None else super().all_tokens()

    def random(self, key, n: int) -> jax.Array:
        """Draws n architectures uniformly; the i-th depends on `key` and i alone. Jittable in `key`.

        From the list where there is one, otherwise by drawing combinations until one keeps to the rule.
        """
        if self._rule is None:
            return super().random(key, n)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(n))
        if self.listable:
            index = jax.vmap(lambda key: jax.random.randint(key, (), 0, len(self._every)))(keys)
            return jnp.asarray(self._every)[index]
        logits = jnp.where(jnp.asarray(self.allowed), 0.0, -jnp.inf)

        def draw(key, attempt):
            return jax.random.categorical(jax.random.fold_in(key, attempt), logits).astype(jnp.int32)

        def one(key):
            def is_outside(state):
                return ~self.contains(state[1][None])[0]

            return jax.lax.while_loop(
                is_outside, lambda state: (state[0] + 1, draw(key, state[0] + 1)), (jnp.int32(0), draw(key, 0))
            )[1]

        return jax.vmap(one)(keys)

    def class_posterior(self, log_likelihood) -> jax.Array:
        """See `Space.class_posterior`; with a rule, summed over all architectures.

        Raises:
            InputError: there is a rule, and there are more than `MOST_SUMMED` architectures.
        """
        if self._rule is None:
            return super().class_posterior(log_likelihood)
        if not self.has_posterior:
            raise InputError(f"{self.name} has too many architectures that keep to its rule to sum over: sample them")
        entries = jax.nn.one_hot(jnp.asarray(self._every), self.num_classes).reshape(len(self._every), -1)
        evidence = log_likelihood.reshape(log_likelihood.shape[0], -1)
        weights = jax.lax.map(lambda row: jax.nn.softmax(entries @ row) @ entries, evidence, batch_size=256)
        return weights.reshape(log_likelihood.shape)

    def moves(self, tokens) -> jax.Array:
        """See `Space.moves`: the changes that keep to the rule."""
        moves = super().moves(tokens)
        if self._rule is None:
            return moves
        shape = (*moves.shape, self.num_nodes)
        nodes, classes = np.arange(self.num_nodes)[:, None, None], np.arange(self.num_classes)[None, :, None]
        changed = jnp.broadcast_to(jnp.arange(self.num_nodes)[None, None] == nodes, shape)
        children = jnp.where(changed, jnp.broadcast_to(classes, shape), jnp.broadcast_to(tokens, shape))
        return moves & self.contains(children.reshape(-1, self.num_nodes)).reshape(moves.shape)

    def mutate(self, key, tokens) -> jax.Array:
        """See `Space.mutate`; an architecture that can't change a single node without breaking the rule stays."""
        children = super().mutate(key, tokens)
        return jnp.where(self.contains(children)[:, None], children, jnp.asarray(tokens, jnp.int32))

    def to_native(self, tokens) -> list[str]:
        """The classes of the nodes that have a choice, in order, as `conv|pool|skip`."""
        names = np.array(self.class_names, object)
        return ["|".join(row) for row in names[self._checked(tokens)[:, self._chosen]].tolist()]

    def from_native(self, architectures: list[str]) -> np.ndarray:
        """Tokens `[B, N]` of strings as `to_native` writes them; see `Space.from_native`."""
        ids = {name: i for i, name in enumerate(self.class_names)}
        tokens = np.repeat(np.argmax(self.allowed, axis=1)[None], len(architectures), axis=0).astype(np.int32)
        for row, architecture in enumerate(architectures):
            names = architecture.split("|")
            if len(names) != len(self._chosen):
                raise InputError(
                    f"row {row}: {architecture!r} is not an architecture of {self.name}: expected {len(self._chosen)} "
                    f"classes joined by '|', for {', '.join(self.node_names[i] for i in self._chosen)}"
                )
            for node, name in zip(self._chosen, names, strict=True):
                if name not in ids or not self.allowed[node, ids[name]]:
                    raise InputError(
                        f"row {row}: {architecture!r} is not an architecture of {self.name}: node "
                        f"{self.node_names[node]!r} can't be {name!r}, only one of {self._choices(int(node))}"
                    )
                tokens[row, node] = ids[name]
        return self._checked(tokens)

    def canonical(self, tokens) -> np.ndarray:
        """Keys `[B]`, equal for architectures with the same representative, by which all are told apart otherwise.

        int64 where 64 bits are enough, otherwise strings of two letters a node.

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
        if self._combinations < 2**63:
            counts = self.allowed.sum(axis=1).astype(np.int64)
            places = np.append(np.cumprod(counts[:0:-1])[::-1], 1).astype(np.int64)
            digits = (np.cumsum(self.allowed, axis=1) - 1)[np.arange(self.num_nodes), found]
            return digits.astype(np.int64) @ places
        letters = np.stack([found // _LETTERS, found % _LETTERS], axis=-1) + ord("a")
        text = np.ascontiguousarray(letters.reshape(len(found), 2 * self.num_nodes), np.uint32)
        return text.view(f"U{2 * self.num_nodes}").reshape(-1)

    def connected(self, tokens) -> np.ndarray:
        """Bool `[B]`: whether a path without blocking classes leads from an input to an output."""
        blocks = np.zeros(self.num_classes, bool)
        blocks[list(self.blocking)] = True
        passes = ~blocks[np.asarray(tokens)]
        reached = passes.copy()
        reached[:, self.adjacency.any(axis=0)] = False
        for node in range(self.num_nodes):
            reached[:, node] |= passes[:, node] & reached[:, self.adjacency[:, node]].any(axis=1)
        return np.asarray(reached[:, ~np.asarray(self.adjacency.any(axis=1))].any(axis=1))

    @functools.cached_property
    def _every(self) -> np.ndarray:
        """The architectures of a listable space."""
        tokens = super().all_tokens()
        return tokens[self._keep(tokens)]

    def _keep(self, tokens: np.ndarray) -> np.ndarray:
        """Bool `[B]`: which combinations of allowed classes keep to the rule."""
        return np.ones(len(tokens), bool) if self._rule is None else np.asarray(self._rule(jnp.asarray(tokens)))

    def _representatives(self, tokens: np.ndarray) -> np.ndarray:
        return tokens if self._canonical is None else np.asarray(self._canonical(tokens.copy()), np.int32)

    def _are_allowed(self, tokens: np.ndarray) -> np.ndarray:
        inside = (tokens >= 0) & (tokens < self.num_classes)
        allowed = self.allowed[np.arange(self.num_nodes), np.where(inside, tokens, 0)]
        return np.asarray((inside & allowed).all(axis=1))

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

    def _choices(self, node: int) -> list[str]:
        return [name for name, allowed in zip(self.class_names, self.allowed[node], strict=True) if allowed]

    def _ids(self, where: str, names: Sequence[str]) -> tuple[int, ...]:
        if isinstance(names, str) or (unknown := [name for name in names if name not in self.class_names]):
            found = names if isinstance(names, str) else unknown
            raise InputError(
                f"space {self.name!r}, {where}: expected a list of classes of {list(self.class_names)}, found {found!r}"
            )
        return tuple(self.class_names.index(name) for name in names)

    def _check_class_names(self) -> None:
        names = self.class_names
        if len(set(names)) < len(names) or not all(
            isinstance(name, str) and name and "|" not in name for name in names
        ):
            raise InputError(
                f"space {self.name!r}: classes must be strings that differ, not empty and without '|', found {names}"
            )
        if len(names) > _LETTERS**2:
            raise InputError(f"space {self.name!r} has {len(names)} classes: {_LETTERS**2} are the most")

    def _read_edges(self, edges: Iterable[tuple[str, str]]) -> np.ndarray:
        places = {node: i for i, node in enumerate(self._node_names)}
        adjacency = np.zeros((len(places), len(places)), bool)
        for source, target in edges:
            if source not in places or target not in places or places[source] >= places[target]:
                raise InputError(
                    f"space {self.name!r}: the edge {(source, target)!r} must lead from a node to a later one of "
                    f"{list(places)}: correct it, or put the nodes into topological order"
                )
            adjacency[places[source], places[target]] = True
        return adjacency

    def _check_rule(self, rule: Callable[[jax.Array], jax.Array]) -> None:
        example = jax.ShapeDtypeStruct((3, self.num_nodes), jnp.int32)
        try:
            found = jax.eval_shape(rule, example)
        except jax.errors.JAXTypeError as error:
            raise InputError(
                f"space {self.name!r}: the rule valid can't be compiled ({type(error).__name__}): write it for all "
                "tokens [B, N] at once with jax.numpy, without NumPy, if or for over them"
            ) from error
        if getattr(found, "shape", None) != (3,) or found.dtype != bool:
            raise InputError(
                f"space {self.name!r}: the rule valid must return bool [B] for tokens [B, N], found {found}"
            )

    def _measure_rule(self) -> None:
        """Checks that architectures can be drawn."""
        if self.listable:
            if len(self._every) < 2:
                raise InputError(
                    f"space {self.name!r}: the rule valid leaves {len(self._every)} of {self._combinations:,} "
                    "combinations: loosen it"
                )
            return
        kept = int(self._keep(self._sample(_DRAWS)).sum())
        self._valid_share = kept / _DRAWS
        if self._valid_share < LEAST_VALID_SHARE:
            raise InputError(
                f"space {self.name!r}: {kept} of {_DRAWS:,} random combinations keep to the rule valid, too few to "
                f"draw by rejection (at least {LEAST_VALID_SHARE:.0%}): let nodes allow fewer classes, or loosen it"
            )

    def _sample(self, n: int) -> np.ndarray:
        """Combinations of allowed classes, tokens `[n, N]`: the same by all versions of NumPy, as fingerprints are."""
        rng = np.random.RandomState(0)
        columns = [rng.choice(np.nonzero(row)[0], n) for row in self.allowed]
        return np.stack(columns, axis=1).astype(np.int32)
