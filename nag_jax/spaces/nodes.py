"""Spaces whose architectures give each node of one DAG a class, and what follows from that for all of them."""

import abc
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.choices import Choices, of_nodes
from nag_jax.spaces.paths import PathTerms, Wiring, dag_path_terms
from nag_jax.system.errors import InputError, quoted
from nag_jax.system.once import jitted

if TYPE_CHECKING:
    from jraph import GraphsTuple
    from matplotlib.figure import Figure

MOST_LISTED = 10**6
"""Architectures that a space may have to be listed."""


class NodeSpace(abc.ABC):
    """A space whose architectures share one DAG of N nodes; an architecture gives each node a class.

    It keeps to `Space` and offers most capabilities, as if nodes were independent of each other: a subclass sets the
    attributes and the abstract methods, and overrides what a rule of its own makes different. Architectures are
    `tokens`, int32 `[B, N]`, in memory, and `x`, float32 `[B, N, V]` with entries -1 and +1, where they are diffused.

    Attributes:
        name: the name in the registry.
        class_names: the V node classes.
        allowed: bool `[N, V]`, the classes that each node may take.
        adjacency: bool `[N, N]`, strictly upper triangular; `[i, j]` says that node i feeds node j.
        passing: classes that pass their input on unchanged.
        blocking: classes that pass nothing on.
        class_attributes: numbers that classes have in common, as the kernel size of a layer: name to the values of all
            V classes, 0 for a class that doesn't have it. Surrogates then learn from a label about classes like it.
        weightless: classes that compute something without weights, as pooling does.
        absent: the class of nodes that an architecture doesn't have, where architectures may lack nodes.
        drawn_as: what `draw` draws, in the plural.
        single_changes: whether a mutation changes one node, as far as both have it; otherwise it may change several.

    Example:
        >>> import jax
        >>> from nag_jax import spaces
        >>> space = spaces.make("nasbench201")
        >>> tokens = space.random(jax.random.key(0), 3)
        >>> bool((space.decode(space.encode(tokens))[0] == tokens).all())
        True
    """

    name: str
    class_names: tuple[str, ...]
    allowed: np.ndarray
    adjacency: np.ndarray
    passing: tuple[int, ...] = ()
    blocking: tuple[int, ...] = ()
    class_attributes: Mapping[str, tuple[float, ...]] = MappingProxyType({})
    weightless: tuple[int, ...] = ()
    absent: int | None = None
    drawn_as: str = "graphs"
    single_changes: bool = True

    def __repr__(self) -> str:
        count = f"{self.size:,}" if self.size < 10**9 else f"{self.size:.2g}"
        return f"<space {self.name!r}: {count} architectures, {self.num_nodes} nodes of {self.num_classes} classes>"

    @property
    def width(self) -> int:
        """N: an architecture has a token per node."""
        return self.allowed.shape[0]

    @property
    def num_nodes(self) -> int:
        """N, the nodes of an architecture."""
        return self.allowed.shape[0]

    @property
    def num_classes(self) -> int:
        """V, the classes of a node."""
        return self.allowed.shape[1]

    @property
    def node_names(self) -> tuple[str, ...]:
        """What the nodes are called; their numbers where nobody named them."""
        return tuple(map(str, range(self.num_nodes)))

    @property
    def fingerprint(self) -> str:
        """Identifies what tokens mean, so that ledgers and checkpoints never mix two spaces; here the name says it."""
        return self.name

    @property
    def coordinates(self) -> np.ndarray:
        """Where each node stands, int `[N, C]`, for networks to embed: its number, or what says more about it."""
        return np.arange(self.num_nodes)[:, None]

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """How many architectures there are."""

    @property
    def listable(self) -> bool:
        """Whether `all_tokens` can list it."""
        return self.size <= MOST_LISTED

    @property
    def num_canonical(self) -> int | None:
        """How many classes of `canonical` there are, or None where nobody has counted them."""
        return None

    @abc.abstractmethod
    def to_native(self, tokens) -> list[str]:
        """Writes tokens `[B, N]` as B strings of the space's own notation."""

    @abc.abstractmethod
    def from_native(self, architectures: list[str]) -> np.ndarray:
        """Reads B strings of the space's own notation into tokens `[B, N]`.

        Raises:
            InputError: a string is not an architecture of the space; the message has its row, from 0.
        """

    @abc.abstractmethod
    def canonical(self, tokens) -> np.ndarray:
        """Keys `[B]`, equal for architectures that compute the same thing.

        int64, or strings of letters, all of one length, where the architectures are more than int64 has values.
        """

    @abc.abstractmethod
    def connected(self, tokens) -> np.ndarray:
        """Bool `[B]`: whether the output depends on the input at all."""

    def describe(self) -> dict[str, Any]:
        """What the space is, as JSON can hold it: its nodes with the classes they may take, and example strings."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "size": self.size,
            "nodes": {
                node: [name for name, is_allowed in zip(self.class_names, row, strict=True) if is_allowed]
                for node, row in zip(self.node_names, self.allowed.tolist(), strict=True)
            },
            "examples": self.to_native(np.asarray(jitted(self.random, static_argnums=1)(jax.random.key(0), 3))),
        }

    def encode(self, tokens) -> Any:
        """Tokens `[B, N]` to x `[B, N, V]`: one-hot rows scaled to -1 and +1. Jittable.

        NumPy's arrays become NumPy's, so that no number of them has to be compiled for.
        """
        if isinstance(tokens, np.ndarray):
            return np.where(tokens[..., None] == np.arange(self.num_classes), np.float32(1), np.float32(-1))
        return 2.0 * jax.nn.one_hot(jnp.asarray(tokens), self.num_classes, dtype=jnp.float32) - 1.0

    def decode(self, x, *, rule: str = "argmax") -> tuple[jax.Array, jax.Array]:
        """Reads x `[B, N, V]` as architectures. Jittable.

        Args:
            x: relaxed one-hot rows in the scale of `encode`.
            rule: `"argmax"` takes each row's largest entry; `"threshold"` cuts at 0 (one half of the unscaled
                one-hot, as published) and also demands exactly one entry above it in every row.

        Returns:
            tokens int32 `[B, N]`, and bool `[B]`: whether they are an architecture of the space. Tokens of
            invalid samples are the argmax, which need not be allowed.
        """
        x = jnp.asarray(x)
        tokens = jnp.argmax(x, axis=-1).astype(jnp.int32)
        valid = self.contains(tokens)
        if rule == "threshold":
            valid &= ((x > 0).sum(axis=-1) == 1).all(axis=-1)
        elif rule != "argmax":
            raise InputError(f"unknown decoding rule {quoted(rule)}: use 'argmax' or 'threshold'")
        return tokens, valid

    def contains(self, tokens) -> jax.Array:
        """Bool `[B]`: whether every node of tokens `[B, N]` has an allowed class. Jittable."""
        return jnp.asarray(self.allowed)[jnp.arange(self.num_nodes, dtype=jnp.int32), jnp.asarray(tokens)].all(axis=-1)

    def inequalities(self) -> list[np.ndarray]:
        """What one-hot entries p `[N, V]` of architectures keep to beside `allowed`: `(row * p).sum() <= 0` of each."""
        return []

    def all_tokens(self) -> np.ndarray:
        """Every architecture, tokens `[size, N]` in lexicographic order.

        Raises:
            InputError: there are more than a million.
        """
        if not self.listable:
            raise InputError(f"{self.name} has {self.size:,} architectures, too many to list: draw some with random()")
        choices = np.meshgrid(*(np.nonzero(row)[0] for row in self.allowed), indexing="ij")
        return np.stack([grid.reshape(-1) for grid in choices], axis=1).astype(np.int32)

    def within(self, hold: Callable[[np.ndarray], np.ndarray], most: int) -> np.ndarray | None:
        """All architectures that something holds for, tokens `[S, N]`; None where they are more than `most`.

        Args:
            hold: tokens `[B, N]` -> bool `[B]`.
            most: how many there may be.
        """
        if not self.listable:
            return None
        tokens = self.all_tokens()
        tokens = tokens[hold(tokens)]
        return tokens if 0 < len(tokens) <= most else None

    def random(self, key, n: int) -> jax.Array:
        """Draws n architectures uniformly; the i-th depends on `key` and i alone. Jittable in `key`."""
        logits = jnp.where(jnp.asarray(self.allowed), jnp.float32(0.0), -jnp.inf)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(n, dtype=jnp.int32))
        return jax.vmap(lambda k: jax.random.categorical(k, logits))(keys).astype(jnp.int32)

    @property
    def choices(self) -> Choices:
        """The independent choices that `random` draws, of which it keeps what the space contains."""
        return of_nodes(self.allowed)

    def class_posterior(self, log_likelihood) -> jax.Array:
        """What `random` draws, given evidence about every node: the marginal class probabilities `[B, N, V]`. Jittable.

        Exact, so that it has the score of the space in closed form.

        Args:
            log_likelihood: `[B, N, V]`, of what was seen of a node under each class; nodes are seen independently.
        """
        return jax.nn.softmax(jnp.where(jnp.asarray(self.allowed), log_likelihood, -jnp.inf), axis=-1)

    @property
    def has_posterior(self) -> bool:
        """Whether `class_posterior` can be computed."""
        return True

    @property
    def is_ruled(self) -> bool:
        """Whether a denoiser should be told, by `class_posterior`, which classes go together."""
        return bool(self.inequalities())

    def conditional_moments(self, p, table) -> tuple[jax.Array, jax.Array]:
        """Mean and variance of a sum over nodes, given the class of one node: each `[B, N, V]`. Jittable.

        Args:
            p: class probabilities `[B, N, V]`, which say how the nodes are distributed as in `class_posterior`.
            table: what a node adds by its class `[N, V]`.
        """
        terms = jnp.asarray(table, jnp.float32)[None]
        mean = (p * terms).sum(axis=-1)
        variance = jnp.maximum((p * terms**2).sum(axis=-1) - mean**2, 0.0)
        others = mean.sum(axis=-1, keepdims=True) - mean
        left = variance.sum(axis=-1, keepdims=True) - variance
        return others[..., None] + terms, jnp.broadcast_to(left[..., None], p.shape)

    def moves(self, tokens) -> jax.Array:
        """Bool `[N, V]`: the classes that one architecture (tokens `[N]`) may change a single node to. Jittable."""
        return jnp.asarray(self.allowed) & (
            jnp.arange(self.num_classes, dtype=jnp.int32)[None] != jnp.asarray(tokens)[:, None]
        )

    def mutate(self, key, tokens) -> jax.Array:
        """Gives one node of each architecture, drawn uniformly among those with a choice, another class.

        Args:
            key: one key; architecture i uses `fold_in(key, i)`.
            tokens: `[B, N]`.

        Returns:
            Tokens `[B, N]`, each at Hamming distance 1 from its parent, but for nodes of which only one has them, as
            layers of a deeper network. Jittable.
        """

        def one(key, row):
            node_key, class_key = jax.random.split(key)
            moves = self.moves(row)
            node = jax.random.categorical(node_key, jnp.log(moves.any(axis=-1).astype(jnp.float32)))
            new = jax.random.categorical(class_key, jnp.where(moves[node], jnp.float32(0.0), -jnp.inf))
            return self._changed(row, node, new.astype(row.dtype), jax.random.fold_in(key, 2))

        tokens = jnp.asarray(tokens, jnp.int32)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(tokens.shape[0], dtype=jnp.int32))
        return jax.vmap(one)(keys, tokens)

    def _changed(self, tokens, node, new, key) -> jax.Array:
        """One architecture, tokens `[N]`, with another class at a node, and what follows from that, by the key."""
        return tokens.at[node].set(new)

    def neighbors(self, tokens) -> np.ndarray:
        """All architectures that differ from one architecture (tokens `[N]`) in a single node: `[M, N]`."""
        tokens = np.asarray(tokens, np.int32)
        nodes, classes = np.nonzero(np.asarray(jitted(self.moves)(tokens)))
        out = np.repeat(tokens[None], len(nodes), axis=0)
        out[np.arange(len(nodes)), nodes] = classes
        return out

    def edges(self, tokens) -> list[tuple[int, int]]:
        """Which node feeds which in one architecture (tokens `[N]`): pairs of nodes, sources first."""
        return list(zip(*(nodes.tolist() for nodes in np.nonzero(self.adjacency)), strict=True))

    def draw(self, figure: "Figure", tokens, titles: Sequence[str]) -> None:
        """Draws architectures into an empty figure, here as graphs; see `Drawable`."""
        from nag_jax.spaces.drawing import draw_graphs

        draw_graphs(figure, self, tokens, titles)

    def path_terms(self) -> PathTerms | None:
        """The paths from input to output as products of one-hot entries, or None where they are too many to list."""
        return dag_path_terms(self.adjacency, self.allowed, passing=self.passing, blocking=self.blocking)

    def wiring(self, x) -> Wiring | None:
        """How x `[B, N, V]` is wired, differentiably, where its tokens choose that; None where all share one DAG."""
        return None

    def graph(self, tokens) -> "GraphsTuple":
        """The B architectures as one jraph batch: nodes one-hot `[B*N, V]`, an edge wherever a node feeds another."""
        from nag_jax.spaces.graphs import batch_of

        return batch_of(tokens, self.adjacency, self.num_classes)


def check_inside(tokens: np.ndarray, inside: np.ndarray, what: str) -> None:
    """Raises InputError for the first row of tokens `[B, N]` that isn't inside, bool `[B]`, with what it isn't."""
    if not inside.all():
        row = int(np.argmin(inside))
        raise InputError(
            f"row {row}: tokens {tokens[row].tolist()} are not {what}; keep only the samples that decode calls valid"
        )
