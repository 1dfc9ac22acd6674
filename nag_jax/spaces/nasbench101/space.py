"""NAS-Bench-101 (Ying et al., ICML 2019): cells of up to seven vertices and nine edges."""

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nag_jax.spaces.cells import CellSpace
from nag_jax.spaces.cells.costs import CellCost
from nag_jax.spaces.nasbench101 import channels
from nag_jax.spaces.nasbench101.digest import digest
from nag_jax.system.errors import InputError, quoted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nag_jax.spaces.blueprint import Blueprint

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
"""The benchmark's operations, in its order."""
MOST_VERTICES, MOST_EDGES = 7, 9
_DIGEST = re.compile("[0-9a-f]{32}", re.ASCII)


class NASBench101(CellSpace):
    """The 423,624 cells, of which each is described by as many graphs as its vertices have topological orders.

    Args:
        most_vertices: the most vertices of a cell with its input and output; 7 in the benchmark, whose cells of at most
            5 can be listed.
        uniform: `"graphs"`, of which there are 1,293,208, or `"cells"`; see `CellSpace`.

    Attributes:
        most_vertices: the most vertices of a cell with its input and output.
        uniform: what is drawn equally often, `"graphs"` or `"cells"`.

    Raises:
        InputError: the number of vertices is out of range, or `uniform` is neither of the two words.

    Example:
        >>> space = NASBench101()
        >>> cell = space.from_native(["conv3x3-bn-relu~0|maxpool3x3~0~1|output~1~2"])
        >>> space.digests(cell)
        ['5498ba534c256c9d086596e2b51cf170']
        >>> space.size, space.num_canonical
        (1293208, 423624)
    """

    name = "nasbench101"
    drawn_as = "cells"

    def __init__(self, *, most_vertices: int = MOST_VERTICES, uniform: str = "graphs"):
        self.most_vertices = most_vertices
        super().__init__(
            "nasbench101",
            ops=OPERATIONS,
            most_vertices=most_vertices,
            most_edges=MOST_EDGES,
            uniform=uniform,
            weightless=["maxpool3x3"],
        )

    @property
    def num_canonical(self) -> int | None:
        """423,624."""
        # As a constant, since counting symmetries takes seconds.
        return 423_624 if self.layout.vertices == MOST_VERTICES else super().num_canonical

    def to_matrices(self, tokens) -> list[tuple[np.ndarray, list[str]]]:
        """The benchmark's own form: the matrix bool `[n, n]` of each cell, and its n operations with both ends."""
        tokens = self._checked(tokens)
        found = []
        for matrix, ops in zip(
            self.layout.matrix(self.layout.wired(tokens)), self.layout.operations(tokens), strict=True
        ):
            kept = [0, *(np.nonzero(ops >= 0)[0] + 1).tolist(), self.layout.vertices - 1]
            names = ["input", *(OPERATIONS[op] for op in ops[ops >= 0].tolist()), "output"]
            found.append((matrix[np.ix_(kept, kept)], names))
        return found

    def from_matrices(self, cells: Sequence[tuple[np.ndarray, Sequence[str]]]) -> np.ndarray:
        """Tokens `[B, N]` of cells in the benchmark's own form; vertices that lie on no path are left out, as there.

        Args:
            cells: matrix `[n, n]` of zeros and ones, upper triangular, and n operations with "input" and "output".

        Raises:
            InputError: one is not a cell; the message has its row, from 0.
        """
        rows = [self._from_matrix(row, *cell) for row, cell in enumerate(cells)]
        tokens = np.array(rows, np.int32).reshape(-1, self.num_nodes)
        inside = self._inside(tokens)
        if not inside.all():
            row = int(np.argmin(inside))
            raise InputError(f"row {row}: expected a cell of {self._rule()}")
        return tokens

    def digests(self, tokens) -> list[str]:
        """The digests that the benchmark calls cells by, B strings of 32 hexadecimal digits; see `digest`."""
        labels = {"input": -1, "output": -2} | {name: label for label, name in enumerate(OPERATIONS)}
        return [digest(matrix, [labels[name] for name in names]) for matrix, names in self.to_matrices(tokens)]

    def from_native(self, architectures: list[str]) -> np.ndarray:
        """Tokens `[B, N]` of strings as `to_native` writes them, or of the benchmark's digests.

        The first digest takes a minute or two, since those of all cells must be known.

        Raises:
            InputError: see `NodeSpace.from_native`.
        """
        is_digest = [_DIGEST.fullmatch(architecture) is not None for architecture in architectures]
        written = [
            self.to_native(self._of_digest(row, name))[0] if known else name
            for row, (name, known) in enumerate(zip(architectures, is_digest, strict=True))
        ]
        return super().from_native(written)

    def all_cells(self) -> np.ndarray:
        """The representatives of all cells, tokens `[num_canonical, N]`; the graphs are too many to list."""
        parts = [self.tokens_of_size(interior) for interior in range(self.layout.slots + 1)]
        return np.concatenate([part[(self.representatives(part) == part).all(axis=1)] for part in parts])

    def costs(self) -> dict[str, CellCost]:
        """Parameters and multiply-accumulates of the benchmark's networks on CIFAR-10: `"params"` and `"macs"`; exact.

        Parameters include the scales and offsets of batch norms. A multiply-accumulate is one of a convolution or of
        the classifier.
        """
        return self._costs

    def cost_lines(self, tokens) -> list[str]:
        """The parameters of each cell, in words: B lines."""
        return [f"{params / 1e6:.2f} M parameters" for params in self._costs["params"].of(tokens)]

    def draw(self, figure: "Figure", tokens, titles: Sequence[str]) -> None:
        """Draws cells side by side, from input to output; see `Drawable`."""
        from nag_jax.spaces.nasbench101.drawing import draw_cells

        draw_cells(figure, self.to_matrices(tokens), titles)

    def blueprint(self, tokens) -> "Blueprint":
        """The network that the benchmark trains for a cell, tokens `[N]`; see `Buildable`."""
        from nag_jax.spaces.nasbench101.blueprint import cell_blueprint

        return cell_blueprint(*self.to_matrices(np.asarray(tokens)[None])[0])

    @functools.cached_property
    def _costs(self) -> dict[str, CellCost]:
        return channels.costs(self.layout, self.topologies)

    @functools.cached_property
    def _tokens_of_digests(self) -> dict[str, np.ndarray]:
        cells = self.all_cells()
        return dict(zip(self.digests(cells), cells, strict=True))

    def _of_digest(self, row: int, name: str) -> np.ndarray:
        if name not in self._tokens_of_digests:
            raise InputError(f"row {row}: {quoted(name)} is the digest of no cell of {self.name}")
        return self._tokens_of_digests[name][None]

    def _from_matrix(self, row: int, matrix: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Tokens `[N]` of one cell in the benchmark's own form, which need not be one of the space."""
        matrix, n = np.asarray(matrix, bool), len(names)
        known = n >= 2 and (names[0], names[-1]) == ("input", "output") and set(names[1:-1]) <= set(OPERATIONS)
        if not known or n > self.layout.vertices or matrix.shape != (n, n) or np.tril(matrix).any():
            raise InputError(
                f"row {row}: expected an upper triangular matrix [n, n], n at most {self.layout.vertices}, and "
                f"'input', operations of {list(OPERATIONS)} and 'output', found {quoted(list(names))}"
            )
        reaches = np.linalg.matrix_power(np.eye(n, dtype=int) + matrix, n) > 0
        kept = np.nonzero(reaches[0] & reaches[:, -1])[0]
        if not len(kept):
            raise InputError(f"row {row}: no path leads from input to output: wire one")
        places = [*range(len(kept) - 1), self.layout.vertices - 1]
        full = np.zeros((self.layout.vertices,) * 2, bool)
        full[np.ix_(places, places)] = matrix[np.ix_(kept, kept)]
        ops = np.full((1, self.layout.slots), -1)
        ops[0, : len(kept) - 2] = [OPERATIONS.index(names[vertex]) for vertex in kept[1:-1]]
        sources, targets = np.array(self.layout.pairs).T
        return self.layout.write(full[sources, targets][None], ops)[0]
