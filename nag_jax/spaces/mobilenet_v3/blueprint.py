"""MobileNetV3's networks as blueprints."""

import itertools
from pathlib import Path
from typing import Any

from nag_jax.spaces.blueprint import Blueprint, Graph
from nag_jax.spaces.mobilenet_v3.layers import IMAGE_CHANNELS
from nag_jax.spaces.mobilenet_v3.network import MobileNet, block_name


def network_blueprint(layers: list[Any], resolution: int) -> Blueprint:
    """A network of those blocks, `Layer`s from input to output with the fixed one first, for images of that side."""
    network = MobileNet(tuple(layers))

    def build(graph: Graph, images: str) -> str:
        return _build(graph, images, layers)

    return Blueprint(
        network=network,
        title="A network of once-for-all's MobileNetV3 space",
        image_size=resolution,
        templates=Path(__file__).parent / "templates",
        fields={
            "image_channels": IMAGE_CHANNELS,
            "stages": [
                (stage, [(block_name(layer), layer) for layer in group])
                for stage, group in itertools.groupby(layers, key=lambda layer: layer.stage)
            ],
            "stem": layers[0].inputs,
            "last": layers[-1].outputs,
            "final_expand": network.final_expand,
            "features": network.features,
            "num_classes": network.num_classes,
        },
        build=build,
    )


def _build(graph: Graph, images: str, layers: list[Any]) -> str:
    h = graph.add("HardSwish", graph.conv_norm(images, "stem", stride=2))
    for layer in layers:
        h = _block(graph, h, layer)
    h = graph.add("HardSwish", graph.conv_norm(h, "final_expand"))
    h = graph.add("Flatten", graph.add("GlobalAveragePool", h))
    return graph.dense(graph.add("HardSwish", graph.dense(h, "features")), "classifier")


def _block(graph: Graph, h: str, layer: Any) -> str:
    path = block_name(layer)
    activation = "HardSwish" if layer.hard_swish else "Relu"
    inner = h
    if layer.inner != layer.inputs:
        inner = graph.add(activation, graph.conv_norm(h, f"{path}.expand"))
    depthwise = graph.conv_norm(inner, f"{path}.depthwise", stride=layer.stride, groups=layer.inner)
    inner = graph.add(activation, depthwise)
    if layer.squeezed:
        inner = graph.add("Mul", inner, _excitation(graph, inner, f"{path}.squeeze_excite"))
    out = graph.conv_norm(inner, f"{path}.project")
    return graph.add("Add", out, h) if layer.stride == 1 and layer.inputs == layer.outputs else out


def _excitation(graph: Graph, h: str, path: str) -> str:
    hidden = graph.add("Relu", graph.conv(graph.add("GlobalAveragePool", h), f"{path}.reduce"))
    return graph.add("HardSigmoid", graph.conv(hidden, f"{path}.expand"), alpha=1 / 6, beta=0.5)
