"""Spaces of cells whose vertices each add up two operations on two earlier vertices, as those of DARTS."""

import itertools
import math
from collections.abc import Collection, Sequence

import numpy as np

from nag_jax.spaces.declared import DagSpace
from nag_jax.system.errors import InputError

INPUTS = 2
"""Of a cell: the outputs of the two cells before it."""
_MOST_STEPS = 6
"""Keys look at all orders of a cell's vertices: 720 of six."""


class PairCells(DagSpace):
    """Cells with two inputs, every further vertex of which takes two earlier ones, by one operation each.

    Which two it takes is one choice of pairs, so no rule is left: all combinations are architectures, and all nodes are
    independent. What a vertex takes is added up, and all vertices together are the cell's output.

    Args:
        name: what the space is called.
        ops: the operations of edges.
        steps: vertices of a cell beside its inputs, up to 6.
        cells: names of the cells that an architecture consists of, each with its own choices.
        passing: operations that pass their input on unchanged.
        weightless: operations without weights, as pooling.

    Raises:
        InputError: see `DagSpace`.

    Example:
        >>> space = PairCells("small", ops=["conv", "pool"], steps=2, cells=["cell"])
        >>> space.size, space.num_canonical
        (48, 42)
        >>> space.to_native(space.all_tokens()[:1])
        ['conv|conv|0+1|conv|conv']
    """

    def __init__(
        self,
        name: str,
        *,
        ops: Sequence[str],
        steps: int = 4,
        cells: Sequence[str] = ("normal", "reduction"),
        passing: Collection[str] = (),
        weightless: Collection[str] = (),
    ):
        if not 1 <= steps <= _MOST_STEPS:
            raise InputError(f"space {name!r}: steps must be 1 to {_MOST_STEPS}, found {steps}")
        self.pairs = list(itertools.combinations(range(INPUTS + steps - 1), 2))
        self.pairs.sort(key=lambda pair: pair[::-1])  # so that the first ones are those of the first vertices
        self.ops, self.steps, self.cells = tuple(ops), steps, tuple(cells)
        names = [f"{a}+{b}" for a, b in self.pairs]
        nodes: dict[str, Sequence[str]] = {}
        edges = []
        for cell in cells:
            for step in range(steps):
                inputs, *ends = (f"{cell} {INPUTS + step} {part}" for part in ("inputs", "first", "second"))
                nodes |= {inputs: names[: math.comb(INPUTS + step, 2)], ends[0]: self.ops, ends[1]: self.ops}
                edges += [(inputs, end) for end in ends]
                edges += [
                    (f"{cell} {INPUTS + before} {part}", inputs)
                    for before in range(step)
                    for part in ("first", "second")
                ]
        super().__init__(
            name,
            nodes=nodes,
            edges=edges,
            classes=[*names, *ops],
            canonical=self._least_twins,
            passing=passing,
            weightless=weightless,
        )

    @property
    def coordinates(self) -> np.ndarray:
        """See `NodeSpace.coordinates`: cell, vertex, and inputs, first or second operation, int `[N, 3]`."""
        shape = (len(self.cells), self.steps, 3)
        return np.indices(shape).reshape(3, -1).T

    def to_choices(self, tokens) -> tuple[np.ndarray, np.ndarray]:
        """The vertices `[B, cells, steps, 2]` that every vertex takes, and the operations on them."""
        tokens = np.asarray(tokens).reshape(-1, len(self.cells), self.steps, 3)
        return np.array(self.pairs)[tokens[..., 0]], tokens[..., 1:] - len(self.pairs)

    def from_choices(self, sources: np.ndarray, ops: np.ndarray) -> np.ndarray:
        """Tokens int32 `[B, N]` of what `to_choices` gives; the two of a vertex in any order."""
        order = np.argsort(sources, axis=-1, kind="stable")
        low, high = np.moveaxis(np.take_along_axis(sources, order, axis=-1), -1, 0)
        pair = high * (high - 1) // 2 + low
        ops = np.take_along_axis(ops, order, axis=-1) + len(self.pairs)
        return np.concatenate([pair[..., None], ops], axis=-1).reshape(len(sources), -1).astype(np.int32)

    def _least_twins(self, tokens: np.ndarray) -> np.ndarray:
        """Of each cell's orders of vertices that have sources first, the one with the least tokens."""
        sources, ops = self.to_choices(tokens)
        shape = (len(tokens), len(self.cells), -1)
        best = self.from_choices(sources, ops).reshape(shape)
        for order in itertools.permutations(range(self.steps)):
            place = np.array([0, 1, *(INPUTS + np.argsort(order))])  # of an old vertex
            moved = place[sources[:, :, order]]
            fits = (moved < INPUTS + np.arange(self.steps)[:, None]).all(axis=(2, 3))
            found = self.from_choices(moved, ops[:, :, order]).reshape(shape)
            differs = found != best
            first = differs.argmax(axis=2)[..., None]
            less = np.take_along_axis(found, first, axis=2)[..., 0] < np.take_along_axis(best, first, axis=2)[..., 0]
            best = np.where((fits & less)[..., None], found, best)
        return best.reshape(tokens.shape)
