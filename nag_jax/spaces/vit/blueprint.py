"""Vision transformers as blueprints."""

from pathlib import Path
from typing import TYPE_CHECKING

from nag_jax.spaces.blueprint import Blueprint, Graph
from nag_jax.spaces.vit.layers import Layer, Patches
from nag_jax.spaces.vit.network import EPSILON, VisionTransformerNetwork

if TYPE_CHECKING:
    from nag_jax.spaces.vit.space import Sizes


def network_blueprint(sizes: "Sizes", patches: Patches, num_classes: int) -> Blueprint:
    """The network of those sizes, for images that are made of those patches."""
    height, width = patches.image
    return Blueprint(
        network=VisionTransformerNetwork(sizes.width, sizes.layers, patches.size, num_classes),
        title="A vision transformer",
        image_size=height,
        image_width=width,
        templates=Path(__file__).parent / "templates",
        fields={
            "image_width": width,
            "patch": patches.size,
            "num_tokens": patches.tokens,
            "width": sizes.width,
            "layers": sizes.layers,
            "num_classes": num_classes,
            "epsilon": EPSILON,
        },
        build=lambda graph, images: _build(graph, images, sizes, patches),
    )


def _build(graph: Graph, images: str, sizes: "Sizes", patches: Patches) -> str:
    h = _reshaped(graph, graph.patches(images, "patches"), 0, sizes.width, patches.tokens)
    h = graph.add("Transpose", h, perm=[0, 2, 1])
    h = graph.add("Add", h, graph.leaf("positions.kernel"))
    for i, layer in enumerate(sizes.layers):
        h = _layer(graph, h, f"layer_{i}", layer)
    h = graph.add("ReduceMean", _norm(graph, h, "norm"), axes=[1], keepdims=0)
    return graph.dense(h, "classifier")


def _layer(graph: Graph, h: str, path: str, layer: Layer) -> str:
    attended = _attention(graph, _norm(graph, h, f"{path}.attention_norm"), f"{path}.attention", layer)
    h = graph.add("Add", h, attended)
    inner = _dense(graph, _norm(graph, h, f"{path}.hidden_norm"), f"{path}.expand")
    return graph.add("Add", h, _dense(graph, _gelu(graph, inner), f"{path}.project"))


def _attention(graph: Graph, h: str, path: str, layer: Layer) -> str:
    def of_heads(name: str, order: list[int]) -> str:
        found = _reshaped(graph, _dense(graph, h, f"{path}.{name}"), 0, 0, layer.heads, layer.head_width)
        return graph.add("Transpose", found, perm=order)

    query, key, value = of_heads("query", [0, 2, 1, 3]), of_heads("key", [0, 2, 3, 1]), of_heads("value", [0, 2, 1, 3])
    scores = graph.add("Mul", graph.add("MatMul", query, key), _number(graph, layer.head_width**-0.5))
    found = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), value)
    found = graph.add("Transpose", found, perm=[0, 2, 1, 3])
    return _dense(graph, _reshaped(graph, found, 0, 0, layer.heads * layer.head_width), f"{path}.out")


def _gelu(graph: Graph, h: str) -> str:
    erf = graph.add("Erf", graph.add("Mul", h, _number(graph, 2**-0.5)))
    half = graph.add("Mul", h, _number(graph, 0.5))
    return graph.add("Mul", half, graph.add("Add", erf, _number(graph, 1.0)))


def _norm(graph: Graph, h: str, path: str) -> str:
    leaves = (graph.leaf(f"{path}.{name}") for name in ("scale", "bias"))
    return graph.add("LayerNormalization", h, *leaves, axis=-1, epsilon=EPSILON)


def _dense(graph: Graph, h: str, path: str) -> str:
    """A dense layer of each token; `Graph.dense` is one of whole examples."""
    return graph.add("Add", graph.add("MatMul", h, graph.leaf(f"{path}.kernel")), graph.leaf(f"{path}.bias"))


def _reshaped(graph: Graph, h: str, *shape: int) -> str:
    """H of another shape, where 0 leaves a length as it is."""
    return graph.add("Reshape", h, graph.add("Constant", value_ints=list(shape)))


def _number(graph: Graph, value: float) -> str:
    return graph.add("Constant", value_float=float(value))
