"""The networks of NATS-Bench's size space as blueprints."""

from pathlib import Path

from nag_jax.spaces.blueprint import Blueprint, Graph
from nag_jax.spaces.nasbench201.blueprint import reduction, relu_conv_norm
from nag_jax.spaces.nats_size.layers import CLASSES, halves, side_after
from nag_jax.spaces.nats_size.network import SizeNetwork


def size_blueprint(
    widths: tuple[int, ...], *, num_classes: int = CLASSES, image_size: int = side_after(-1)
) -> Blueprint:
    """The network of five widths.

    Args:
        widths: the channels of the layers.
        num_classes: the number of classes that the classifier tells apart.
        image_size: the side of the images in the checks, a multiple of 4.
    """
    return Blueprint(
        network=SizeNetwork(widths, num_classes),
        title="A network of NATS-Bench's size space",
        image_size=image_size,
        templates=Path(__file__).parent / "templates",
        fields={"widths": widths, "halved": [halves(i) for i in range(len(widths))], "num_classes": num_classes},
        build=lambda graph, images: _build(graph, images, widths),
    )


def _build(graph: Graph, images: str, widths: tuple[int, ...]) -> str:
    h, inputs = graph.norm(graph.conv(images, "stem"), "stem_norm"), widths[0]
    for layer, width in enumerate(widths):
        path = f"layer_{layer}"
        h = reduction(graph, h, path) if halves(layer) else _cell(graph, h, path, projects=inputs != width)
        inputs = width
    h = graph.add("Relu", graph.norm(h, "last_norm"))
    return graph.dense(graph.add("Flatten", graph.add("GlobalAveragePool", h)), "classifier")


def _cell(graph: Graph, h: str, path: str, *, projects: bool) -> str:
    first = relu_conv_norm(graph, h, f"{path}.edge_0_1")
    second = graph.add(
        "Add", relu_conv_norm(graph, h, f"{path}.edge_0_2"), relu_conv_norm(graph, first, f"{path}.edge_1_2")
    )
    carried = graph.norm(graph.conv(h, f"{path}.edge_0_3"), f"{path}.edge_0_3_norm") if projects else h
    return graph.add(
        "Sum",
        carried,
        relu_conv_norm(graph, first, f"{path}.edge_1_3"),
        relu_conv_norm(graph, second, f"{path}.edge_2_3"),
    )
