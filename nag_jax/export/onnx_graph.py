"""ONNX graphs of convolutional networks, from Flax variables and without PyTorch. Needs the package onnx."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

OPSET, IR_VERSION = 17, 8
"""Of 2022: new enough for hard swishes, old enough for most runtimes."""


class Graph:
    """A graph that grows an operation at a time; tensors are images first, `[B, C, r, r]`.

    Initialisers have the names of the Flax variables with dots, as `cell_0_0.edge_0_1.conv.kernel`, and ONNX's layout.

    Args:
        variables: Flax's `params` and `batch_stats`.
    """

    def __init__(self, variables: Mapping[str, Any]):
        import onnx

        self._onnx = onnx
        self._params, self._stats = variables["params"], variables.get("batch_stats", {})
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []

    def add(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Adds an operation; returns the name of its output."""
        output = f"{operation}_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(operation, list(inputs), [output], output, **attributes))
        return output

    def conv(self, h: str, path: str, *, stride: int = 1, groups: int = 1) -> str:
        """The Flax convolution at `path`, padded by half its odd kernel; a dense layer there is one of 1 x 1."""
        leaves = _at(self._params, path)
        kernel = leaves["kernel"].reshape((1, 1) * (leaves["kernel"].ndim == 2) + leaves["kernel"].shape)
        inputs = [h, self._constant(f"{path}.kernel", kernel.transpose(3, 2, 0, 1))]
        if "bias" in leaves:
            inputs.append(self._constant(f"{path}.bias", leaves["bias"]))
        half = len(kernel) // 2
        return self.add("Conv", *inputs, pads=[half] * 4, strides=[stride] * 2, group=groups)

    def patches(self, h: str, path: str) -> str:
        """The Flax convolution at `path` that goes from patch to patch: its stride is its kernel."""
        kernel = _at(self._params, path)["kernel"]
        inputs = [h, self._constant(f"{path}.kernel", kernel.transpose(3, 2, 0, 1)), self.leaf(f"{path}.bias")]
        return self.add("Conv", *inputs, strides=list(kernel.shape[:2]))

    def leaf(self, path: str) -> str:
        """The Flax variable at `path`, as it is."""
        module, _, name = path.rpartition(".")
        return self._constant(path, _at(self._params, module)[name])

    def norm(self, h: str, path: str) -> str:
        """The Flax batch norm at `path`, with its running statistics."""
        leaves, stats = _at(self._params, path), _at(self._stats, path)
        names = [self._constant(f"{path}.{name}", leaves[name]) for name in ("scale", "bias")]
        names += [self._constant(f"{path}.{name}", stats[name]) for name in ("mean", "var")]
        return self.add("BatchNormalization", h, *names, epsilon=1e-5)

    def conv_norm(self, h: str, path: str, *, stride: int = 1, groups: int = 1) -> str:
        """The convolution and batch norm of a module at `path` that names them `conv` and `norm`."""
        return self.norm(self.conv(h, f"{path}.conv", stride=stride, groups=groups), f"{path}.norm")

    def dense(self, h: str, path: str) -> str:
        """The Flax dense layer at `path`, of h `[B, C]`."""
        leaves = _at(self._params, path)
        inputs = [self._constant(f"{path}.{name}", leaves[name]) for name in ("kernel", "bias") if name in leaves]
        return self.add("Gemm", h, *inputs)

    def zeros_like(self, h: str) -> str:
        """Zeros of the shape of h."""
        return self.add("ConstantOfShape", self.add("Shape", h))

    def model(self, logits: str, *, image_shape: tuple[int, int, int], num_classes: int, about: str) -> Any:
        """The finished model, checked by onnx: `images` `[batch, 3, h, w]` -> `logits` `[batch, num_classes]`."""
        helper, kind = self._onnx.helper, self._onnx.TensorProto.FLOAT
        self._nodes.append(helper.make_node("Identity", [logits], ["logits"], "logits"))
        graph = helper.make_graph(
            self._nodes,
            "network",
            [helper.make_tensor_value_info("images", kind, ["batch", 3, *image_shape[:2]])],
            [helper.make_tensor_value_info("logits", kind, ["batch", num_classes])],
            self._initializers,
        )
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, doc_string=about)
        model.producer_name = "nag_jax"
        self._onnx.checker.check_model(model, full_check=True)
        return model

    def _constant(self, name: str, values: Any) -> str:
        tensor = self._onnx.numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name)
        self._initializers.append(tensor)
        return name


def write_model(
    path: Path,
    build: Callable[[Graph, str], str],
    variables: Mapping[str, Any],
    *,
    image_shape: tuple[int, int, int],
    about: str,
) -> None:
    """Writes a network with a dense layer `classifier` at its end as an ONNX file.

    Args:
        path: the file.
        build: adds the network to a graph, up to the classifier; see `Blueprint`.
        variables: its weights.
        image_shape: height, width and channels of the images.
        about: what the file says that it is.
    """
    import onnx

    graph = Graph(variables)
    logits = build(graph, "images")
    num_classes = len(variables["params"]["classifier"]["bias"])
    onnx.save(graph.model(logits, image_shape=image_shape, num_classes=num_classes, about=about), path)


def _at(tree: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    for name in path.split("."):
        tree = tree[name]
    return tree
