"""NAS-Bench-201's cells as blueprints."""

from pathlib import Path
from typing import Any, NamedTuple

from nag_jax.spaces.blueprint import Blueprint, Graph
from nag_jax.spaces.nasbench201.network import CellNetwork

IMAGE_SIZE = 32
"""The side of CIFAR's images."""
_KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


class Edge(NamedTuple):
    """What flows into a node; `kernel` is that of a convolution and 0 for other operations."""

    source: int
    operation: str
    kernel: int


class Node(NamedTuple):
    """A node of the cell.

    Attributes:
        number: 1 to 3.
        edges: the edges into it, those with `none` left out.
        needed: whether it is read, be it by a convolution that leads nowhere.
        live: whether the output depends on it.
    """

    number: int
    edges: tuple[Edge, ...]
    needed: bool
    live: bool


def cell_blueprint(
    edges: tuple[tuple[int, int, str], ...],
    *,
    channels: int = 16,
    cells: int = 5,
    num_classes: int = 10,
    stages: int = 3,
    image_size: int = IMAGE_SIZE,
) -> Blueprint:
    """The network of a cell.

    A convolution from which no path leads to the output stays, because the benchmark counts its parameters.

    Args:
        edges: (source, target, operation) of the cell's six edges.
        channels: the width of the first stage.
        cells: the number of cells per stage.
        num_classes: the number of classes that the classifier tells apart.
        stages: the number of stages.
        image_size: the side of the images in the checks, a multiple of 4.
    """
    nodes = cell_nodes(edges)
    sizes: dict[str, Any] = {"channels": channels, "cells": cells, "num_classes": num_classes, "stages": stages}

    def pools(nodes):
        return any(edge.operation == "avg_pool_3x3" for node in nodes for edge in node.edges)

    def build(graph: Graph, images: str) -> str:
        return _build(graph, images, nodes, cells, stages)

    return Blueprint(
        network=CellNetwork(edges, **sizes),
        title="The network of a NAS-Bench-201 cell",
        image_size=image_size,
        templates=Path(__file__).parent / "templates",
        fields={
            "nodes": nodes,
            "convolves": any(edge.kernel for node in nodes for edge in node.edges),
            "needs_pool": pools(node for node in nodes if node.needed),
            "output_needs_pool": pools(node for node in nodes if node.live),
            **sizes,
        },
        build=build,
    )


def cell_nodes(edges: tuple[tuple[int, int, str], ...]) -> list[Node]:
    """Nodes 1 to 3 of a cell with those (source, target, operation)."""
    into = {
        target: tuple(
            Edge(source, name, _KERNELS.get(name, 0)) for source, end, name in edges if end == target and name != "none"
        )
        for target in (1, 2, 3)
    }
    live, needed = {3}, {3}
    for target in (3, 2, 1):
        live |= {edge.source for edge in into[target] if target in live}
        needed |= {edge.source for edge in into[target] if target in needed or edge.kernel}
    return [Node(number, into[number], number in needed, number in live) for number in (1, 2, 3)]


def _build(graph: Graph, images: str, nodes: list[Node], cells: int, stages: int) -> str:
    h = graph.norm(graph.conv(images, "stem"), "stem_norm")
    for stage in range(stages):
        if stage:
            h = reduction(graph, h, f"reduction_{stage}")
        for i in range(cells):
            h = _cell(graph, h, f"cell_{stage}_{i}", nodes)
    h = graph.add("Relu", graph.norm(h, "last_norm"))
    return graph.dense(graph.add("Flatten", graph.add("GlobalAveragePool", h)), "classifier")


def _cell(graph: Graph, h: str, path: str, nodes: list[Node]) -> str:
    values = {0: h}
    for node in nodes:
        carried = [
            _carried(graph, values[edge.source], edge, f"{path}.edge_{edge.source}_{node.number}")
            for edge in node.edges
            if node.needed or edge.kernel
        ]
        if node.needed:
            values[node.number] = graph.add("Sum", *carried) if carried else graph.zeros_like(h)
    return values[3]


def _carried(graph: Graph, h: str, edge: Edge, path: str) -> str:
    if edge.kernel:
        return relu_conv_norm(graph, h, path)
    if edge.operation == "avg_pool_3x3":
        return graph.add("AveragePool", h, kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1], count_include_pad=0)
    return h


def reduction(graph: Graph, h: str, path: str) -> str:
    """Writes `ResidualBlock` at a path into a graph; returns its output."""
    residual = relu_conv_norm(graph, h, f"{path}.first", stride=2)
    residual = relu_conv_norm(graph, residual, f"{path}.second")
    shortcut = graph.add("AveragePool", h, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    return graph.add("Add", residual, graph.conv(shortcut, f"{path}.shortcut"))


def relu_conv_norm(graph: Graph, h: str, path: str, **options: Any) -> str:
    """Writes `ReluConvNorm` at a path into a graph, with options of `Graph.conv_norm`; returns its output."""
    return graph.conv_norm(graph.add("Relu", h), path, **options)
