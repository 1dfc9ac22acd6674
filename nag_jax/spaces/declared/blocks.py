"""Blocks of nodes, put one after the other or repeated to a depth that is a choice itself."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from nag_jax.system.errors import InputError

Condition = tuple[str, Collection[str]]
"""An earlier node, and its classes with which another node is there."""


class Block(NamedTuple):
    """Some nodes of a declared space, as `DagSpace(name, **block._asdict())` takes them.

    Attributes:
        nodes: node to the classes that it may take, in topological order.
        edges: (source, target) pairs of nodes. Nodes that nothing feeds are the block's inputs, those that feed nothing
            its outputs.
        when: the conditions: node to (an earlier node, its classes with which the node is there).

    Example:
        >>> Block({"a": ("conv", "pool")}, [], {}).nodes
        {'a': ('conv', 'pool')}
    """

    nodes: Mapping[str, Collection[str]]
    edges: Sequence[tuple[str, str]]
    when: Mapping[str, Condition] = {}

    @property
    def inputs(self) -> list[str]:
        """The nodes that nothing feeds."""
        fed = {target for _, target in self.edges}
        return [node for node in self.nodes if node not in fed]

    @property
    def outputs(self) -> list[str]:
        """The nodes that feed nothing."""
        feeding = {source for source, _ in self.edges}
        return [node for node in self.nodes if node not in feeding]


def chain(*blocks: Block | Mapping[str, Collection[str]]) -> Block:
    """One block of several: the outputs of each feed the inputs of the next.

    Args:
        *blocks: blocks, or nodes with their classes, each of which feeds the next.

    Raises:
        InputError: two blocks have a node of the same name.

    Example:
        >>> chain({"in": ["input"], "op": ["conv", "pool"]}, {"out": ["output"]}).edges
        [('in', 'op'), ('op', 'out')]
    """
    nodes: dict[str, Collection[str]] = {}
    edges: list[tuple[str, str]] = []
    when: dict[str, Condition] = {}
    ends: list[str] = []
    for block in map(_block, blocks):
        if repeated := [node for node in block.nodes if node in nodes]:
            raise InputError(f"blocks in a chain must have different nodes, found {repeated[0]!r} twice: rename one")
        edges += [(end, start) for end in ends for start in block.inputs]
        nodes |= block.nodes
        edges += block.edges
        when |= block.when
        ends = block.outputs
    return Block(nodes, edges, when)


def repeat(name: str, block: Block | Mapping[str, Collection[str]], depths: Collection[int]) -> Block:
    """A block as many times, one after the other, as a first node says, which is a choice like others.

    That node is called `NAME depth` and has the classes `NAME x2`, `NAME x3` and so on; the others are called as in
    the block, after `NAME 1`, `NAME 2` and so on. Copies beyond the depth are not there. With the depths 0 and 1 the
    block is optional.

    Args:
        name: what a copy is called, as `"layer"`.
        block: a block, which may hold repeated ones itself, or nodes with their classes, each of which feeds the next.
        depths: how often the block may be there.

    Raises:
        InputError: the depths are not whole numbers that differ, from 0, with one above 0.

    Example:
        >>> repeat("layer", {"op": ["conv", "pool"]}, depths=(1, 2)).when
        {'layer 1 op': ('layer depth', ['layer x1', 'layer x2']), 'layer 2 op': ('layer depth', ['layer x2'])}
    """
    depths = list(depths)
    if not all(isinstance(d, int) and d >= 0 for d in depths) or len(set(depths)) < len(depths) or not any(depths):
        raise InputError(
            f"repeat {name!r}: expected depths that are whole numbers, differ and reach 1 or more, found {depths}"
        )
    first = f"{name} depth"
    copies = []
    for i in range(1, max(depths) + 1):
        deep_enough = [f"{name} x{depth}" for depth in depths if depth >= i]
        copies.append(_copy(_block(block), f"{name} {i}", (first, deep_enough)))
    return chain({first: [f"{name} x{depth}" for depth in depths]}, *copies)


def _block(block: Block | Mapping[str, Collection[str]]) -> Block:
    """The block itself, or the one of nodes each of which feeds the next."""
    if isinstance(block, Block):
        return block
    names = list(block)
    return Block(block, list(itertools.pairwise(names)))


def _copy(block: Block, prefix: str, condition: Condition) -> Block:
    """The block with its nodes renamed; those without a condition of their own are there when the given one holds."""
    when = dict.fromkeys(block.nodes, condition)
    when |= {node: (f"{prefix} {other}", classes) for node, (other, classes) in block.when.items()}
    return Block(
        {f"{prefix} {node}": classes for node, classes in block.nodes.items()},
        [(f"{prefix} {source}", f"{prefix} {target}") for source, target in block.edges],
        {f"{prefix} {node}": when[node] for node in block.nodes},
    )
