"""Strings of the architectures of declared spaces: the classes of the nodes that are there and have a choice."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nag_jax.spaces.declared.conditions import Conditions
from nag_jax.system.errors import InputError, quoted

_MOST_SHOWN = 200
"""Characters of a wrong string that a message repeats."""


class Notation(NamedTuple):
    """What strings are written and read by.

    Attributes:
        space: the name of the space, for messages.
        node_names: the names of the nodes.
        class_names: the names of the classes.
        tree: the conditions.
    """

    space: str
    node_names: Sequence[str]
    class_names: Sequence[str]
    tree: Conditions

    def write(self, tokens: np.ndarray) -> list[str]:
        """The strings of tokens `[B, N]`, as `conv|pool|skip`."""
        is_shown = self._has_choice & self.tree.present(tokens)
        names = np.array(self.class_names, object)[tokens]
        return ["|".join(row[shown]) for row, shown in zip(names, is_shown, strict=True)]

    def read(self, architectures: Sequence[str]) -> np.ndarray:
        """Tokens int32 `[B, N]` of strings as `write` makes them.

        Raises:
            InputError: a string has a class that its node can't take, or too few or too many classes.
        """
        tokens = np.empty((len(architectures), len(self.node_names)), np.int32)
        for row, architecture in enumerate(architectures):
            try:
                tokens[row] = self._read(architecture)
            except InputError as error:
                found = quoted(architecture)
                raise InputError(f"row {row}: {found} is not an architecture of {self.space}: {error}") from error
        return tokens

    def conditions(self) -> dict[str, tuple[str, list[str]]]:
        """The conditions as they are declared: node to (an earlier node, its classes with which the node is there)."""
        names, tree = np.array(self.class_names), self.tree
        return {
            self.node_names[node]: (self.node_names[int(tree.parents[node])], names[tree.opens[node]].tolist())
            for node in np.nonzero(tree.conditional)[0].tolist()
        }

    @property
    def _has_choice(self) -> np.ndarray:
        return self.tree.choices.sum(axis=1) > 1

    def _read(self, architecture: str) -> np.ndarray:
        """Tokens `[N]`. Earlier nodes say whether a node is there, so classes are read from left to right."""
        names = architecture.split("|")
        tokens = self.tree.choices.argmax(axis=1)
        asked = []
        for node in range(len(tokens)):
            if not self.tree.opens[node, tokens[self.tree.parents[node]]]:
                tokens[node] = self.tree.absent
            elif self._has_choice[node]:
                tokens[node] = self._class(node, names[len(asked)]) if len(asked) < len(names) else tokens[node]
                asked.append(self.node_names[node])
        if len(names) != len(asked):
            listed = ", ".join(asked)
            listed = listed if len(listed) <= _MOST_SHOWN else listed[:_MOST_SHOWN] + "..."
            raise InputError(f"expected {len(asked)} classes joined by '|', for {listed}, found {len(names)}")
        return tokens

    def _class(self, node: int, name: str) -> int:
        known = [self.class_names[token] for token in np.nonzero(self.tree.choices[node])[0].tolist()]
        if name not in known:
            raise InputError(f"node {self.node_names[node]!r} can't be {name[:_MOST_SHOWN]!r}, only one of {known}")
        return self.class_names.index(name)
