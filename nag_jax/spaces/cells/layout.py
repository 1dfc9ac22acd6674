"""The layout of cells in tokens: an on-or-off node per pair of vertices, and a node per vertex."""

import dataclasses
from typing import Any

import numpy as np

INPUT, OUTPUT, OFF, ON = range(4)
"""Classes of the first and the last vertex, and of pairs of vertices."""
FIRST_OP = 4
"""The class of the first operation; the others follow, and behind them the class of absent vertices."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """Vertices 0 (the input) to M - 1 (the output) in topological order, and the P pairs of an earlier and a later one.

    Nodes come vertex by vertex, the pairs that end at a vertex right before it, so that they are in topological order.
    A cell of fewer vertices leaves the last of those between input and output absent.

    Attributes:
        vertices: M.
        ops: the operations, K names.

    Example:
        >>> Layout(4, ("conv",)).pairs
        ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    """

    vertices: int
    ops: tuple[str, ...]

    @property
    def slots(self) -> int:
        """Vertices between input and output, M - 2."""
        return self.vertices - 2

    @property
    def absent(self) -> int:
        """The class of absent vertices."""
        return FIRST_OP + len(self.ops)

    @property
    def class_names(self) -> tuple[str, ...]:
        """V names."""
        return ("input", "output", "off", "on", *self.ops, "absent")

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(source, target) of the P pairs."""
        return tuple((source, target) for target in range(1, self.vertices) for source in range(target))

    @property
    def vertex_nodes(self) -> np.ndarray:
        """The nodes of the vertices, int `[M]`."""
        targets = np.arange(self.vertices)
        return targets * (targets + 1) // 2 + targets

    @property
    def pair_nodes(self) -> np.ndarray:
        """The nodes of the pairs, int `[P]`."""
        return np.array([target * (target + 1) // 2 + source for source, target in self.pairs])

    @property
    def slot_nodes(self) -> np.ndarray:
        """The nodes of the vertices between input and output, int `[M - 2]`."""
        return self.vertex_nodes[1:-1]

    @property
    def node_names(self) -> tuple[str, ...]:
        """N names, as `0`, `0-1`, `1`."""
        names = np.empty(len(self.pairs) + self.vertices, object)
        names[self.pair_nodes] = [f"{source}-{target}" for source, target in self.pairs]
        names[self.vertex_nodes] = [str(vertex) for vertex in range(self.vertices)]
        return tuple(names.tolist())

    @property
    def coordinates(self) -> np.ndarray:
        """Source and target vertex of a pair, a vertex twice, int `[N, 2]`."""
        places = np.empty((len(self.node_names), 2), np.int64)
        places[self.pair_nodes] = self.pairs
        places[self.vertex_nodes] = np.arange(self.vertices)[:, None]
        return places

    @property
    def allowed(self) -> np.ndarray:
        """The classes that each node may take, bool `[N, V]`."""
        allowed = np.zeros((len(self.node_names), len(self.class_names)), bool)
        allowed[self.pair_nodes, OFF] = allowed[self.pair_nodes, ON] = True
        allowed[self.slot_nodes, FIRST_OP:] = True
        allowed[0, INPUT] = allowed[-1, OUTPUT] = True
        return allowed

    @property
    def adjacency(self) -> np.ndarray:
        """Bool `[N, N]`: a pair stands between its source and its target."""
        edges = np.zeros((len(self.node_names),) * 2, bool)
        for node, (source, target) in zip(self.pair_nodes, self.pairs, strict=True):
            edges[self.vertex_nodes[source], node] = edges[node, self.vertex_nodes[target]] = True
        return edges

    def write(self, wired: np.ndarray, ops: np.ndarray) -> np.ndarray:
        """Tokens int32 `[B, N]` of which pairs are wired, bool `[B, P]`, and operations `[B, M - 2]`, -1 for absent."""
        tokens = np.empty((len(wired), len(self.node_names)), np.int32)
        tokens[:, 0], tokens[:, -1] = INPUT, OUTPUT
        tokens[:, self.pair_nodes] = np.where(wired, ON, OFF)
        tokens[:, self.slot_nodes] = np.where(ops < 0, self.absent, ops + FIRST_OP)
        return tokens

    def wired(self, tokens: Any) -> Any:
        """Which pairs are wired in tokens `[..., N]`, bool `[..., P]`, of NumPy or JAX as tokens are."""
        return tokens[..., self.pair_nodes] == ON

    def operations(self, tokens: np.ndarray) -> np.ndarray:
        """Operations of tokens `[B, N]`, int `[B, M - 2]`, -1 for absent vertices."""
        classes = tokens[:, self.slot_nodes]
        return np.where(classes == self.absent, -1, classes - FIRST_OP)

    def matrix(self, wired: Any) -> Any:
        """Wired pairs `[..., P]` as matrices bool `[..., M, M]`, entry (source, target)."""
        upper = np.triu(np.ones((self.vertices, self.vertices), bool), 1)
        index = np.zeros(upper.shape, int)
        index[tuple(np.array(self.pairs).T)] = np.arange(len(self.pairs))
        return wired[..., index] & upper.reshape((1,) * (wired.ndim - 1) + upper.shape)
