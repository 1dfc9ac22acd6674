"""Strings of cells: each vertex but the input, with the vertices that it reads, as `conv3x3~0|conv1x1~0~1|output~2`."""

import numpy as np

from nag_jax.spaces.cells.layout import Layout
from nag_jax.system.errors import InputError

_OUTPUT = "output"


def write(layout: Layout, wired: np.ndarray, ops: np.ndarray) -> list[str]:
    """The strings of pairs bool `[B, P]` and operations `[B, M - 2]`, -1 for absent."""
    matrices = layout.matrix(wired)
    strings = []
    for matrix, row in zip(matrices, ops.tolist(), strict=True):
        names = [layout.ops[op] for op in row if op >= 0]
        targets = [*range(1, len(names) + 1), layout.vertices - 1]
        strings.append(
            "|".join(
                "~".join([name, *map(str, np.nonzero(matrix[:, target])[0].tolist())])
                for name, target in zip([*names, _OUTPUT], targets, strict=True)
            )
        )
    return strings


def read(layout: Layout, architecture: str) -> tuple[np.ndarray, np.ndarray]:
    """The pairs bool `[P]` and operations int `[M - 2]` of a string, which need not be a cell of a space.

    Raises:
        InputError: it isn't a graph of so many vertices with these operations.
    """
    vertices = [vertex.split("~") for vertex in architecture.split("|")]
    names = [name for name, *_ in vertices]
    if names[-1] != _OUTPUT or not set(names[:-1]) <= set(layout.ops):
        raise InputError(f"expected vertices of {list(layout.ops)} joined by '|', and 'output' as the last one")
    if len(names) > layout.vertices - 1:
        raise InputError(f"expected at most {layout.slots} vertices and 'output', found {len(names)}")
    wired = np.zeros(len(layout.pairs), bool)
    places = {pair: index for index, pair in enumerate(layout.pairs)}
    for number, (_, *sources) in enumerate(vertices, start=1):
        target = layout.vertices - 1 if number == len(vertices) else number
        known = [str(source) for source in range(number)]
        if not set(sources) <= set(known) or sources != sorted(set(sources), key=int):
            raise InputError(f"vertex {number} must read some of {', '.join(known)} in this order, joined by '~'")
        for source in sources:
            wired[places[int(source), target]] = True
    ops = np.full(layout.slots, -1)
    ops[: len(names) - 1] = [layout.ops.index(name) for name in names[:-1]]
    return wired, ops
