"""What is asked of the choices of architectures: classes that nodes have, or don't take, and one to be near to."""

from collections.abc import Collection, Mapping

import numpy as np

from nag_jax.spaces.nodes import NodeSpace
from nag_jax.system.errors import InputError, quoted

EVERY = "*"
"""Stands for every node that may take the class."""
NEVER = -1e4
"""The log-weight of what is left out: e to it is 0 in float32, and multiplied by 0 it isn't NaN, as minus infinity."""


def read_choices(text: str) -> dict[str, list[str]]:
    """Reads choices as configs write them: nodes with their classes, joined by `;`.

    Raises:
        InputError: a part isn't `node=class` or `node=class,class`, or a node comes twice.

    Example:
        >>> read_choices("0-1=none,skip_connect; *=avg_pool_3x3")
        {'0-1': ['none', 'skip_connect'], '*': ['avg_pool_3x3']}
    """
    found: dict[str, list[str]] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        node, sign, classes = (piece.strip() for piece in part.partition("="))
        names = [name.strip() for name in classes.split(",")]
        if not sign or not node or not all(names):
            raise InputError(f"choice {quoted(part)} isn't understood: write 'node=class', and ';' between several")
        if node in found:
            raise InputError(f"node {quoted(node)} is chosen for twice: say all of it in one place")
        found[node] = names
    return found


def read_fixed(text: str) -> dict[str, str]:
    """Reads fixed choices as configs write them, `node=class` joined by `;`; see `read_choices`."""
    found = read_choices(text)
    for node, classes in found.items():
        if len(classes) > 1:
            raise InputError(f"node {quoted(node)} is fixed to {len(classes)} classes: name one of them")
    return {node: classes[0] for node, classes in found.items()}


def permitted(space: NodeSpace, fixed: Mapping[str, str], excluded: Mapping[str, str | Collection[str]]) -> np.ndarray:
    """The classes that nodes may still take, bool `[N, V]`.

    Args:
        space: the space of the architectures.
        fixed: node to the class that it has.
        excluded: node to the class, or classes, that it doesn't take; `"*"` is every node.

    Raises:
        InputError: a node or a class is unknown, a node can't take the class, or none is left to it.
    """
    mask = space.allowed.copy()
    for node, name in fixed.items():
        row, column = _node(space, node), _class(space, node, name)
        mask[row] &= np.arange(space.num_classes) == column
    for node, names in excluded.items():
        for name in [names] if isinstance(names, str) else names:
            rows = slice(None) if node == EVERY else _node(space, node)
            mask[rows, _class(space, node, name)] = False
    if not (left := mask.any(axis=1)).all():
        node = space.node_names[int(np.argmin(left))]
        what = f"it is fixed to {quoted(fixed[node])}, which is excluded" if node in fixed else "all are excluded"
        raise InputError(f"no class of node {quoted(node)} is left: {what}; leave one of both out")
    return mask


def nearness(space: NodeSpace, mask: np.ndarray, near: str, changes: float) -> np.ndarray:
    """Log-weights of classes `[N, V]`, by which architectures differ from one in so many nodes, as far as they can.

    Every node in which an architecture differs multiplies its probability by the same factor, which is chosen as if
    nodes were independent.

    Args:
        space: the space of the architectures.
        mask: the classes that nodes may take, bool `[N, V]`.
        near: the architecture, in the space's notation.
        changes: the nodes in which architectures differ from it, on average.

    Raises:
        InputError: it is none, or the changes are not more than 0 and less than those of random draws.
    """
    try:
        tokens = space.from_native([near])[0]
    except InputError as error:
        raise InputError(f"near: {str(error).removeprefix('row 0: ')}") from error
    same = np.arange(space.num_classes) == tokens[:, None]
    here, others = (mask & same).any(axis=1), (mask & ~same).sum(axis=1)
    must, most = float((~here).sum()), float((others / (here + others)).sum())
    if not must < changes < most:
        raise InputError(
            f"near: architectures must differ from it in more than {must:g} and less than {most:.3g} nodes on average, "
            f"as many as random ones do, found changes={changes:g}"
        )
    low, high = -50.0, 0.0  # a bisection of the logarithm of the factor
    for _ in range(60):
        middle = (low + high) / 2
        odds = others * np.exp(middle)
        low, high = (middle, high) if (odds / (here + odds)).sum() < changes else (low, middle)
    return np.where(same, 0.0, low).astype(np.float32)


def _node(space: NodeSpace, name: str) -> int:
    if name not in space.node_names:
        raise InputError(f"{space.name} has no node {quoted(name)}: use some of {_listed(space.node_names)}")
    return space.node_names.index(name)


def _class(space: NodeSpace, node: str, name: str) -> int:
    rows = range(space.num_nodes) if node == EVERY else [_node(space, node)]
    names = [each for column, each in enumerate(space.class_names) if space.allowed[rows, column].any()]
    if name not in names:
        whose = "no node" if node == EVERY else f"not node {quoted(node)}"
        raise InputError(f"{whose} of {space.name} takes the class {quoted(name)}: use one of {_listed(names)}")
    return space.class_names.index(name)


def _listed(names: Collection[str]) -> str:
    """The first names, for messages."""
    shown = [quoted(name) for name in list(names)[:20]]
    return ", ".join(shown) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
