"""The space of DARTS (Liu et al., ICLR 2019): a normal and a reduction cell of four vertices, seven operations."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nag_jax.spaces.cells.pairs import PairCells
from nag_jax.system.errors import InputError, quoted

OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""DARTS' operations, in its order; its `none` is not part of what it finds."""
Edges = Sequence[tuple[str, int]]
"""(operation, vertex that it is done on), two for each vertex of a cell in turn."""


class Genotype(NamedTuple):
    """DARTS' own form of an architecture.

    Attributes:
        normal: 8 edges of the normal cell.
        normal_concat: vertices that are the output, 2 to 5.
        reduce: those of the reduction cell.
        reduce_concat: 2 to 5.
    """

    normal: Edges
    normal_concat: Sequence[int]
    reduce: Edges
    reduce_concat: Sequence[int]


class DARTS(PairCells):
    """The 1.1e18 pairs of cells; see `PairCells`.

    Example:
        >>> f"{DARTS().size:.2e}"
        '1.08e+18'
    """

    name = "darts"

    def __init__(self):
        super().__init__("darts", ops=OPERATIONS, passing=["skip_connect"], weightless=["max_pool_3x3", "avg_pool_3x3"])

    @property
    def fingerprint(self) -> str:
        """The name, which says it."""
        return self.name

    def to_genotypes(self, tokens) -> list[Genotype]:
        """The genotypes of tokens `[B, 24]`."""
        sources, ops = self.to_choices(self._checked(tokens))
        concat = tuple(range(2, 2 + self.steps))
        found = []
        for of_cells in zip(sources.reshape(-1, 2, 8).tolist(), ops.reshape(-1, 2, 8).tolist(), strict=True):
            normal, reduce = (
                tuple((OPERATIONS[op], source) for source, op in zip(*of_cell, strict=True))
                for of_cell in zip(*of_cells, strict=True)
            )
            found.append(Genotype(normal, concat, reduce, concat))
        return found

    def from_genotypes(self, genotypes: Sequence[Genotype]) -> np.ndarray:
        """Tokens `[B, 24]` of genotypes.

        Raises:
            InputError: a vertex takes a vertex twice or a later one, an operation is unknown, or not all vertices are
                the output; the message has the row, from 0.
        """
        sources, ops = np.zeros((len(genotypes), 2, 4, 2), int), np.zeros((len(genotypes), 2, 4, 2), int)
        for row, genotype in enumerate(genotypes):
            cells = ((genotype.normal, genotype.normal_concat), (genotype.reduce, genotype.reduce_concat))
            for cell, (edges, concat) in enumerate(cells):
                if not _is_cell(edges, concat):
                    raise InputError(
                        f"row {row}: expected 8 edges (operation of {list(OPERATIONS)}, earlier vertex), two on "
                        f"different vertices for each of 2 to 5, which are all the output, found {quoted(list(edges))}"
                    )
                sources[row, cell] = np.array([source for _, source in edges]).reshape(4, 2)
                ops[row, cell] = np.array([OPERATIONS.index(op) for op, _ in edges]).reshape(4, 2)
        return self.from_choices(sources, ops)


def _is_cell(edges: Edges, concat: Sequence[int]) -> bool:
    """Whether edges are those of a cell, two for each vertex in turn."""
    known = all(op in OPERATIONS and source in range(2 + i // 2) for i, (op, source) in enumerate(edges))
    differ = len(edges) == 8 and all(edges[i][1] != edges[i + 1][1] for i in range(0, 8, 2))
    return known and differ and sorted(concat) == [2, 3, 4, 5]
