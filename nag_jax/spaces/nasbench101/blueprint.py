"""NAS-Bench-101's cells as blueprints."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nag_jax.spaces.blueprint import Blueprint, Graph
from nag_jax.spaces.nasbench101.channels import IMAGE_SIZE, KERNELS, MODULES, STACKS, STEM, vertex_channels
from nag_jax.spaces.nasbench101.network import CellNetwork


class Vertex(NamedTuple):
    """A vertex of the cell but the input.

    Attributes:
        number: its number, from 1.
        sources: vertices that it reads, without the input.
        reads_input: whether it reads the input.
        kernel: the size of its convolution; 0 for max-pooling, and of the output.
    """

    number: int
    sources: tuple[int, ...]
    reads_input: bool
    kernel: int


def cell_blueprint(
    matrix: np.ndarray,
    ops: Sequence[str],
    *,
    channels: int = STEM,
    modules: int = MODULES,
    num_classes: int = 10,
    image_size: int = IMAGE_SIZE,
) -> Blueprint:
    """The network of a cell.

    Args:
        matrix: bool `[n, n]`, entry (source, target).
        ops: n operations with "input" and "output".
        channels: the width of the stem and the first stack.
        modules: the number of modules per stack.
        num_classes: the number of classes that the classifier tells apart.
        image_size: the side of the images in the checks, a multiple of 4.
    """
    widths = {channels * 2**stack: vertex_channels(matrix, channels * 2**stack) for stack in range(STACKS)}
    vertices = [
        Vertex(
            number,
            tuple((np.nonzero(matrix[1:number, number])[0] + 1).tolist()),
            bool(matrix[0, number]),
            KERNELS.get(ops[number], 0),
        )
        for number in range(1, len(ops))
    ]
    sizes: dict[str, Any] = {"channels": channels, "modules": modules, "num_classes": num_classes}

    def build(graph: Graph, images: str) -> str:
        return _build(graph, images, vertices, widths, modules)

    return Blueprint(
        network=CellNetwork(tuple(map(tuple, matrix.tolist())), tuple(ops), **sizes),
        title="The network of a NAS-Bench-101 cell",
        image_size=image_size,
        templates=Path(__file__).parent / "templates",
        fields={
            "vertices": vertices[:-1],
            "output": vertices[-1],
            "widths": widths,
            "pools": any(not vertex.kernel for vertex in vertices[:-1]),
            **sizes,
        },
        build=build,
    )


def _build(graph: Graph, images: str, vertices: list[Vertex], widths: dict[int, list[int]], modules: int) -> str:
    h = _conv_norm_relu(graph, images, "stem")
    for stack, channels in enumerate(widths.values()):
        if stack:
            h = graph.add("MaxPool", h, kernel_shape=[2, 2], strides=[2, 2])
        for i in range(modules):
            h = _cell(graph, h, f"cell_{stack}_{i}", vertices, channels)
    return graph.dense(graph.add("Flatten", graph.add("GlobalAveragePool", h)), "classifier")


def _cell(graph: Graph, h: str, path: str, vertices: list[Vertex], channels: list[int]) -> str:
    values: dict[int, str] = {}
    for vertex in vertices[:-1]:
        read = [
            _cut(graph, values[source], channels[source - 1], channels[vertex.number - 1]) for source in vertex.sources
        ]
        if vertex.reads_input:
            read.append(_conv_norm_relu(graph, h, f"{path}.input_{vertex.number}"))
        total = graph.add("Sum", *read)
        if vertex.kernel:
            values[vertex.number] = _conv_norm_relu(graph, total, f"{path}.vertex_{vertex.number}")
        else:
            values[vertex.number] = graph.add("MaxPool", total, kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1])
    output, parts = vertices[-1], []
    if output.sources:
        parts.append(graph.add("Concat", *(values[source] for source in output.sources), axis=1))
    if output.reads_input:
        parts.append(_conv_norm_relu(graph, h, f"{path}.input_{output.number}"))
    return graph.add("Sum", *parts)


def _cut(graph: Graph, h: str, channels: int, wanted: int) -> str:
    """The first channels of h."""
    if channels == wanted:
        return h
    bounds = [graph.add("Constant", value_ints=[value]) for value in (0, wanted, 1)]
    return graph.add("Slice", h, *bounds)


def _conv_norm_relu(graph: Graph, h: str, path: str) -> str:
    return graph.add("Relu", graph.conv_norm(h, path))
