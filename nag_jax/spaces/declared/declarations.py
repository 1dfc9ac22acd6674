"""Declarations of a space, checked and turned into arrays."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from nag_jax.spaces.declared.blocks import Condition
from nag_jax.spaces.declared.conditions import UNIFORM, Conditions
from nag_jax.spaces.declared.keys import MOST_CLASSES
from nag_jax.system.errors import InputError, quoted

ABSENT = "absent"
"""The class of a node that is not there."""


def read_classes(
    space: str, classes: Sequence[str] | None, nodes: Mapping[str, Collection[str]], *, reserved: Collection[str]
) -> tuple[str, ...]:
    """The names of the classes.

    Args:
        space: its name, for messages.
        classes: the names as declared, or None for those of the nodes in the order in which they come.
        nodes: node to the classes that it may take.
        reserved: names that mean something else.

    Raises:
        InputError: a name is missing, repeated, reserved or not a string, or there are too many.
    """
    if classes is None:
        named = [[] if isinstance(allowed, str) else allowed for allowed in nodes.values()]
        classes = list(dict.fromkeys(name for allowed in named for name in allowed))
    names = tuple(classes)
    if len(set(names)) < len(names) or not all(isinstance(name, str) and name and "|" not in name for name in names):
        raise InputError(
            f"space {space!r}: classes must be strings that differ, not empty and without '|', found {names}"
        )
    if taken := [name for name in names if name in reserved]:
        raise InputError(f"space {space!r}: the class {taken[0]!r} is that of nodes that are not there: rename yours")
    if len(names) + len(reserved) > MOST_CLASSES:
        raise InputError(f"space {space!r} has {len(names)} classes: {MOST_CLASSES - len(reserved)} are the most")
    return names


def class_ids(space: str, class_names: Sequence[str], where: str, names: Collection[str]) -> tuple[int, ...]:
    """The numbers of some classes.

    Args:
        space: its name, for messages.
        class_names: all classes.
        where: the place of the names in the declarations, for messages.
        names: the classes asked for.

    Raises:
        InputError: there is no class of such a name, or the names are one string.
    """
    if isinstance(names, str) or (unknown := [name for name in names if name not in class_names]):
        found = names if isinstance(names, str) else unknown
        raise InputError(
            f"space {space!r}, {where}: expected a list of classes of {list(class_names)}, found {quoted(found)}"
        )
    return tuple(class_names.index(name) for name in names)


def read_attributes(
    space: str, class_names: Sequence[str], attributes: Mapping[str, Mapping[str, float]]
) -> dict[str, tuple[float, ...]]:
    """The values of all classes by attribute, 0 for a class that has none; see `class_ids`."""
    for attribute, values in attributes.items():
        class_ids(space, class_names, f"attribute {attribute!r}", list(values))
    return {name: tuple(values.get(of, 0) for of in class_names) for name, values in attributes.items()}


def read_edges(space: str, node_names: Sequence[str], edges: Iterable[tuple[str, str]]) -> np.ndarray:
    """Who feeds whom, bool `[N, N]`.

    Raises:
        InputError: an edge doesn't lead from a node to a later one.
    """
    places = {node: i for i, node in enumerate(node_names)}
    adjacency = np.zeros((len(places), len(places)), bool)
    for source, target in edges:
        if source not in places or target not in places or places[source] >= places[target]:
            raise InputError(
                f"space {space!r}: the edge {(source, target)!r} must lead from a node to a later one of "
                f"{list(places)}: correct it, or put the nodes into topological order"
            )
        adjacency[places[source], places[target]] = True
    return adjacency


def read_conditions(
    space: str,
    class_names: Sequence[str],
    nodes: Mapping[str, Collection[str]],
    when: Mapping[str, Condition],
    uniform: str,
) -> Conditions:
    """The classes of nodes, with one more for absent nodes where there are any, and the conditions.

    A condition that holds for all architectures is none.

    Args:
        space: its name, for messages.
        class_names: all classes.
        nodes: node to the classes that it may take.
        when: node to (an earlier node, its classes with which the node is there).
        uniform: one of `UNIFORM`.

    Raises:
        InputError: uniform is another word, no node has a choice, some node has no class, or a condition isn't about an
            earlier node and classes that it may take.
    """
    if uniform not in UNIFORM:
        raise InputError(f"space {space!r}: uniform must be one of {UNIFORM}, found {uniform!r}")
    places = {node: i for i, node in enumerate(nodes)}
    choices = np.zeros((len(nodes), len(class_names)), bool)
    for i, (node, classes) in enumerate(nodes.items()):
        choices[i, list(class_ids(space, class_names, f"node {node!r}", classes))] = True
    counts = choices.sum(axis=1)
    if not (counts > 0).all() or not (counts > 1).any():
        raise InputError(f"space {space!r}: every node needs a class, and some node more than one to choose from")
    parents, opens = np.arange(len(nodes)), np.ones(choices.shape, bool)
    if unknown := [node for node in when if node not in places]:
        raise InputError(f"space {space!r}: when names {unknown[0]!r}, which is no node of {list(places)}: correct it")
    for node, place in places.items():
        if node not in when:
            continue
        parent, classes = _condition(space, places, node, when[node])
        opened = np.zeros(len(class_names), bool)
        opened[list(class_ids(space, class_names, f"when of node {node!r}", classes))] = True
        if not opened.any() or (opened & ~choices[parent]).any():
            taken = [name for name, is_taken in zip(class_names, choices[parent], strict=True) if is_taken]
            raise InputError(
                f"space {space!r}: node {node!r} can't be there when {when[node][0]!r} is one of {list(classes)}: name "
                f"some of {taken}"
            )
        if parents[parent] != parent or (choices[parent] & ~opened).any():
            parents[place], opens[place] = parent, opened
    always = parents == np.arange(len(nodes))
    if always.all():
        return Conditions(choices, parents, opens, -1, uniform)
    choices = np.append(choices, np.zeros((len(nodes), 1), bool), axis=1)
    return Conditions(choices, parents, np.append(opens, always[:, None], axis=1), len(class_names), uniform)


def _condition(space: str, places: Mapping[str, int], node: str, condition: Condition) -> tuple[int, Collection[str]]:
    """The number of the node that a condition is about, and the names of its classes."""
    if not isinstance(condition, tuple | list) or len(condition) != 2 or isinstance(condition[1], str):
        raise InputError(
            f"space {space!r}: when of node {node!r} must be (an earlier node, a list of its classes), found "
            f"{condition!r}"
        )
    parent, classes = condition
    if parent not in places or places[parent] >= places[node]:
        raise InputError(
            f"space {space!r}: when of node {node!r} must be about a node before it, found {parent!r}: correct it, or "
            "put the nodes into another order"
        )
    return places[parent], classes
