"""The tree of conditions: which nodes of an architecture are there, and exact counts by dynamic programming.

A node is there always, or when an earlier node has one of some classes; so conditions make trees. What hangs on a node
depends on the rest of the architecture through that node's class alone, which is why all sums here take one pass.
"""

import dataclasses
import functools
import math
from typing import Any

import jax.numpy as jnp
import numpy as np

UNIFORM = ("architectures", "choices")


@dataclasses.dataclass(frozen=True, eq=False)
class Conditions:
    """The classes that nodes may take, and the conditions under which they are there.

    Attributes:
        choices: bool `[N, V]`, the classes that each node may take where it is there.
        parents: int `[N]`, the earlier node that each node's condition is about; itself for a node that is always
            there.
        opens: bool `[N, V]`, the classes of the parent with which the node is there; all for one that always is.
        absent: the class of nodes that are not there, the last one; -1 where all are always there.
        uniform: one of `UNIFORM`, what is drawn equally often.
    """

    choices: np.ndarray
    parents: np.ndarray
    opens: np.ndarray
    absent: int
    uniform: str

    @functools.cached_property
    def conditional(self) -> np.ndarray:
        """Bool `[N]`: the nodes that may be absent."""
        return self.parents != np.arange(len(self.parents))

    @functools.cached_property
    def allowed(self) -> np.ndarray:
        """Bool `[N, V]`: the classes that each node may take, that of its absence included."""
        allowed = self.choices.copy()
        allowed[self.conditional, self.absent] = True
        return allowed

    @functools.cached_property
    def height(self) -> int:
        """The most conditions that hang on each other."""
        heights = np.zeros(len(self.parents), int)
        for node in np.nonzero(self.conditional)[0]:
            heights[node] = heights[self.parents[node]] + 1
        return int(heights.max())

    def present(self, tokens) -> Any:
        """Bool `[..., N]`: which nodes are there, by the classes that the nodes of their conditions have. Jittable."""
        xp: Any = np if isinstance(tokens, np.ndarray) else jnp
        parents = self.parents.astype(np.int32)  # wider numbers trip JAX where 64 bits were switched on in between
        return xp.asarray(self.opens)[np.arange(len(parents), dtype=np.int32), tokens[..., parents]]

    def agree(self, tokens) -> Any:
        """Bool `[...]`: whether just those nodes of tokens `[..., N]` are absent that should be. Jittable."""
        return ((tokens != self.absent) == self.present(tokens)).all(axis=-1)

    def settled(self, tokens, fill) -> Any:
        """Tokens `[..., N]` in which absent nodes have that class, and nodes that newly are there one of `fill`.

        Args:
            tokens: `[..., N]`, classes of the nodes that are always there and of any others.
            fill: `[..., N]`, the classes of nodes that are there but had none.
        """
        xp: Any = np if isinstance(tokens, np.ndarray) else jnp
        for _ in range(self.height):
            classes = xp.where(tokens == self.absent, fill, tokens)
            tokens = xp.where(self.present(tokens), classes, self.absent)
        return tokens

    @functools.cached_property
    def ways(self) -> np.ndarray:
        """In how many ways each class of a node can be taken, with what hangs on it: exact ints, object `[N, V]`."""
        ways = self.allowed.astype(int).astype(object)
        for node in np.nonzero(self.conditional)[0][::-1]:
            there = sum(ways[node, self.choices[node]])
            counts = [there if is_open else ways[node, self.absent] for is_open in self.opens[node]]
            ways[self.parents[node]] *= np.array(counts, object)
        return ways

    @functools.cached_property
    def size(self) -> int:
        """How many architectures there are."""
        return math.prod(int(sum(row)) for row in self.ways[~self.conditional])

    @functools.cached_property
    def log_odds(self) -> np.ndarray:
        """How often nodes that are there have each class, beside their likeliest: logarithms, float32 `[N, V]`."""
        logs = np.where(self.choices, 0.0, -np.inf)
        if self.uniform == "architectures":
            for node, row in enumerate(self.choices):
                ways = [math.log(count) for count in self.ways[node, row]]
                logs[node, row] = np.array(ways) - max(ways)
        return logs.astype(np.float32)

    @property
    def log_prior(self) -> np.ndarray:
        """What each node that is there multiplies an architecture's probability by: logarithms, float32 `[N, 1]`."""
        counts = self.choices.sum(axis=1, keepdims=True)
        return (-np.log(counts) if self.uniform == "choices" else np.zeros(counts.shape)).astype(np.float32)

    def possible(self, known: np.ndarray) -> np.ndarray:
        """Bool `[P, N, V]`: the classes that nodes have in some architecture of those in `known`, bool `[P, N, V]`."""
        up = known & self.allowed
        conditional = np.nonzero(self.conditional)[0]
        for node in conditional[::-1]:
            there = up[:, node][:, self.choices[node]].any(axis=1, keepdims=True)
            gone = up[:, node, self.absent, None]
            up[:, self.parents[node]] &= np.where(self.opens[node], there, gone)
        for node in conditional:
            parent = up[:, self.parents[node]]
            there = parent[:, self.opens[node]].any(axis=1, keepdims=True)
            gone = parent[:, ~self.opens[node]].any(axis=1, keepdims=True)
            up[:, node] &= np.where(self.choices[node], there, gone)
        return up

    def inequalities(self) -> list[np.ndarray]:
        """See `NodeSpace.inequalities`: a node is there as often as its condition holds, no more and no less."""
        rows = []
        for node in np.nonzero(self.conditional)[0]:
            row = np.zeros(self.choices.shape)
            row[self.parents[node], self.opens[node]] = 1.0
            row[node, self.choices[node]] = -1.0
            rows += [row, -row]
        return rows

    def sample(self, n: int) -> np.ndarray:
        """Random architectures, tokens int32 `[n, N]`: the same by all versions of NumPy, as fingerprints need them."""
        rng = np.random.RandomState(0)
        tokens = np.stack([rng.choice(np.nonzero(row)[0], n) for row in self.choices], axis=1).astype(np.int32)
        return self.settled(tokens, tokens)

    def every(self) -> np.ndarray:
        """All architectures, tokens int32 `[size, N]` in lexicographic order."""
        tokens = np.zeros((1, len(self.parents)), np.int32)
        for node, row in enumerate(self.choices):
            classes = np.nonzero(row)[0]
            there = self.opens[node, tokens[:, self.parents[node]]]
            counts = np.where(there, len(classes), 1)
            tokens = np.repeat(tokens, counts, axis=0)
            place = np.arange(len(tokens)) - np.repeat(np.cumsum(counts) - counts, counts)
            tokens[:, node] = np.where(np.repeat(there, counts), classes[place], self.absent)
        return tokens
