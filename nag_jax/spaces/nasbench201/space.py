"""NAS-Bench-201 (Dong and Yang, ICLR 2020): cells of four nodes whose six edges each carry one of five operations."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nag_jax.spaces.costs import Cost
from nag_jax.spaces.nasbench201.costs import network_costs
from nag_jax.spaces.nodes import NodeSpace, check_inside
from nag_jax.system.errors import InputError, quoted
from nag_jax.system.whole import whole_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nag_jax.spaces.any_network import AnyNetwork
    from nag_jax.spaces.blueprint import Blueprint

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source, target) cell nodes of the six edges, in the order of the official string."""

FIRST_OPERATION = 2
"""Token of `OPERATIONS[0]`: tokens 0 and 1 are the input and the output."""
_PLACES = len(OPERATIONS) ** np.arange(len(EDGES) - 1, -1, -1)


class NASBench201(NodeSpace):
    """The 15,625 cells as a line graph of 8 nodes: the input, the cell's six edges in string order, the output.

    A node feeds another where the cell edge that it stands for ends at the cell node at which the other begins.
    The published code swaps nodes 3 and 4 of this graph against its features; this one doesn't.

    Example:
        >>> NASBench201().to_native(NASBench201().from_index([15624]))
        ['|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|']
    """

    name = "nasbench201"
    class_names = ("input", "output", *OPERATIONS)
    passing = (FIRST_OPERATION + OPERATIONS.index("skip_connect"),)
    blocking = (FIRST_OPERATION + OPERATIONS.index("none"),)
    weightless = (FIRST_OPERATION + OPERATIONS.index("avg_pool_3x3"),)
    drawn_as = "cells"

    def __init__(self):
        nodes = len(EDGES) + 2
        self.allowed = np.zeros((nodes, len(self.class_names)), bool)
        self.allowed[0, 0] = self.allowed[-1, 1] = True
        self.allowed[1:-1, FIRST_OPERATION:] = True
        starts = np.array([source for source, _ in EDGES] + [3])
        ends = np.array([0] + [target for _, target in EDGES])
        self.adjacency = np.zeros((nodes, nodes), bool)
        self.adjacency[:-1, 1:] = ends[:, None] == starts[None, :]

    @property
    def node_names(self) -> tuple[str, ...]:
        """`input`, the cell's edges as `source-target`, and `output`."""
        return "input", *(f"{source}-{target}" for source, target in EDGES), "output"

    @property
    def size(self) -> int:
        """15,625."""
        return len(OPERATIONS) ** len(EDGES)

    @property
    def num_canonical(self) -> int:
        """6,466."""
        return len(np.unique(_canonical_table()))

    def to_ops(self, tokens) -> np.ndarray:
        """Operations `[B, 6]` of tokens `[B, 8]`, as indices into `OPERATIONS`, edges in string order."""
        return np.asarray(tokens)[:, 1:-1] - FIRST_OPERATION

    def from_ops(self, ops) -> np.ndarray:
        """Tokens `[B, 8]` of operations `[B, 6]`; inverse of `to_ops`.

        Raises:
            InputError: an operation is not a whole number in 0..4, or a row has not six of them.
        """
        ops = whole_numbers(ops, "operations")
        if ops.ndim != 2 or ops.shape[1] != len(EDGES):
            raise InputError(f"operations must have the shape [B, 6], found {list(ops.shape)}")
        if ops.size and (ops.min() < 0 or ops.max() >= len(OPERATIONS)):
            row = int(np.nonzero(((ops < 0) | (ops >= len(OPERATIONS))).any(axis=1))[0][0])
            raise InputError(f"row {row}: operations must be 0 to 4 (of {OPERATIONS}), found {ops[row].tolist()}")
        tokens = np.empty((len(ops), self.num_nodes), np.int32)
        tokens[:, 0], tokens[:, -1] = 0, 1
        tokens[:, 1:-1] = ops + FIRST_OPERATION
        return tokens

    def to_index(self, tokens) -> np.ndarray:
        """Lexicographic index int64 `[B]` in 0..15,624 (not the official one, which orders cells at random).

        Raises:
            InputError: tokens are not of the space, as `decode` may give for invalid samples.
        """
        tokens = np.asarray(tokens)
        ops = self.to_ops(tokens)
        inside = ((ops >= 0) & (ops < len(OPERATIONS))).all(axis=1) & (tokens[:, 0] == 0) & (tokens[:, -1] == 1)
        check_inside(tokens, inside, "a NAS-Bench-201 cell")
        return ops @ _PLACES

    def from_index(self, index) -> np.ndarray:
        """Tokens `[B, 8]` of lexicographic indices `[B]`; inverse of `to_index`.

        Raises:
            InputError: an index is not a whole number in 0..15,624.
        """
        index = whole_numbers(index, "indices")
        if (outside := (index < 0) | (index >= self.size)).any():
            row = int(np.argmax(outside))
            raise InputError(f"row {row}: indices must be 0 to {self.size - 1}, found {index[row]}")
        return self.from_ops(index[:, None] // _PLACES % len(OPERATIONS))

    def to_matrix(self, tokens) -> np.ndarray:
        """The official 4x4 matrices `[B, 4, 4]`: entry (target, source) is the operation's index in `OPERATIONS`."""
        ops = self.to_ops(tokens)
        matrix = np.zeros((len(ops), 4, 4), np.int32)
        for edge, (source, target) in enumerate(EDGES):
            matrix[:, target, source] = ops[:, edge]
        return matrix

    def from_matrix(self, matrix) -> np.ndarray:
        """Tokens `[B, 8]` of matrices `[B, 4, 4]`; inverse of `to_matrix`."""
        matrix = np.asarray(matrix)
        return self.from_ops(np.stack([matrix[:, target, source] for source, target in EDGES], axis=1))

    def to_native(self, tokens) -> list[str]:
        """The official strings, as `|nor_conv_3x3~0|+|none~0|skip_connect~1|+|...~0|...~1|...~2|`."""
        strings = _strings()
        return [strings[i] for i in self.to_index(tokens)]

    def from_native(self, architectures: list[str]) -> np.ndarray:
        """Tokens `[B, 8]` of official strings; see `NodeSpace.from_native`."""
        lookup = _string_lookup()
        index = [lookup.get(architecture, -1) for architecture in architectures]
        if -1 in index:
            row = index.index(-1)
            raise InputError(
                f"row {row}: {quoted(architectures[row])} is not a NAS-Bench-201 cell; expected a string like "
                f"{_strings()[0]!r} with operations of {OPERATIONS}"
            )
        return self.from_index(np.array(index, np.int64))

    def canonical(self, tokens) -> np.ndarray:
        """Keys int64 `[B]`: the least lexicographic index of the cells that compute the same thing, 6,466 in all.

        The rule is NAS-Bench-201's own isomorphism (Dong and Yang 2020, section 3): a skip passes on its
        source's expression, `none` and whatever it feeds are zero, and terms of a sum may be swapped.
        """
        return _canonical_table()[self.to_index(tokens)]

    def connected(self, tokens) -> np.ndarray:
        """Bool `[B]`: whether a path without `none` leads from the input to the output (341 cells have none)."""
        passes = self.to_ops(tokens) != OPERATIONS.index("none")
        reached = np.zeros((len(passes), 4), bool)
        reached[:, 0] = True
        for edge in np.argsort([target for _, target in EDGES], kind="stable"):
            source, target = EDGES[edge]
            reached[:, target] |= reached[:, source] & passes[:, edge]
        return reached[:, 3]

    def cell_edges(self, tokens) -> list[tuple[int, int, str]]:
        """(source, target, operation) of the six edges of one cell (tokens `[8]`)."""
        ops = self.to_ops(np.asarray(tokens)[None])[0]
        return [(source, target, OPERATIONS[op]) for (source, target), op in zip(EDGES, ops, strict=True)]

    def draw(self, figure: "Figure", tokens, titles: Sequence[str]) -> None:
        """Draws cells side by side; see `Drawable`."""
        from nag_jax.spaces.nasbench201.drawing import draw_cells

        draw_cells(figure, [self.cell_edges(row) for row in tokens], titles)

    def costs(self) -> dict[str, Cost]:
        """Parameters and multiply-accumulates on CIFAR-10, exactly: `"params"`, `"macs"`; see `network_costs`."""
        kernels = {FIRST_OPERATION + OPERATIONS.index(f"nor_conv_{k}x{k}"): k for k in (1, 3)}
        return network_costs(self.allowed.shape, kernels, range(1, self.num_nodes - 1))

    def cost_lines(self, tokens) -> list[str]:
        """As `1.07 M parameters`, of each of tokens `[B, 8]`: B lines."""
        return [f"{params / 1e6:.2f} M parameters" for params in self.costs()["params"].of(tokens)]

    def blueprint(self, tokens) -> "Blueprint":
        """The network that the benchmark trains for a cell, tokens `[8]`; see `Buildable`."""
        from nag_jax.spaces.nasbench201.blueprint import cell_blueprint

        return cell_blueprint(tuple(self.cell_edges(tokens)))

    def any_network(self, *, num_classes: int, channels: int = 16, cells: int = 5, stages: int = 3) -> "AnyNetwork":
        """The networks of all cells, with so many channels in the first stage and cells per stage; see `Trainable`."""
        from nag_jax.spaces.nasbench201.any_cell import any_cell_network

        return any_cell_network(num_classes=num_classes, channels=channels, cells=cells, stages=stages)


def _all_ops() -> np.ndarray:
    return np.arange(len(OPERATIONS) ** len(EDGES))[:, None] // _PLACES % len(OPERATIONS)


@functools.cache
def _strings() -> list[str]:
    edges = [[f"{name}~{source}|" for name in OPERATIONS] for source, _ in EDGES]
    return [
        f"|{edges[0][a]}+|{edges[1][b]}{edges[2][c]}+|{edges[3][d]}{edges[4][e]}{edges[5][f]}"
        for a, b, c, d, e, f in _all_ops()
    ]


@functools.cache
def _string_lookup() -> dict[str, int]:
    return {string: index for index, string in enumerate(_strings())}


def _expression(ops) -> str:
    """What the output of one cell computes, in the benchmark's own notation.

    The notation matters: NAS-Bench-201 compares sums as sorted strings, a skip pastes its source's sum in unsorted,
    and a sum of zeros is not zero, so some cells that compute the same stay apart (treating zero and sums as
    algebra does leaves fewer than 5,400 classes). Its 6,466 classes are what the literature counts.
    """
    terms = {node: [] for node in range(1, 4)}
    values = {0: "0"}
    for (source, target), op in zip(EDGES, ops, strict=True):
        if source not in values:
            values[source] = "+".join(sorted(terms[source]))
        value = values[source]
        if OPERATIONS[op] == "none" or value == "#":
            value = "#"
        elif OPERATIONS[op] != "skip_connect":
            value = f"({value})@{OPERATIONS[op]}"
        terms[target].append(value)
    return "+".join(sorted(terms[3]))


@functools.cache
def _canonical_table() -> np.ndarray:
    expressions = np.array([_expression(ops) for ops in _all_ops().tolist()])
    _, first, inverse = np.unique(expressions, return_index=True, return_inverse=True)
    return first[inverse]
