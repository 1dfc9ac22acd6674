"""Sub-networks of once-for-all's trained supernet (Cai et al., ICLR 2020, section 3.4), as variables for our networks.

A sub-network takes the first channels of every layer. Its smaller kernels are the middles of the larger ones, each
multiplied by a learned matrix: 5x5 from 7x7, and 3x3 from that 5x5.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nag_jax.spaces.mobilenet_v3 import KERNELS, MOST_LAYERS
from nag_jax.spaces.mobilenet_v3.layers import Layer
from nag_jax.system.errors import InputError

Variables = dict[str, dict[str, Any]]
"""Flax's `params` and `batch_stats`."""


def extract(weights: Mapping[str, np.ndarray], layers: Sequence[Layer]) -> Variables:
    """The variables of a `models.mobilenet.MobileNet` of these blocks, cut out of a supernet's weights.

    Args:
        weights: of `ofa_mbv3_d234_e346_k357_w1.0` or of a supernet of that form, by PyTorch's names, as
            `weights_file.read_weights` gives them; in the published file's naming or the package's newer one.
        layers: from `MobileNetV3.layers`.

    Raises:
        InputError: a weight is missing or has another shape.
    """
    supernet = _Supernet(weights)
    modules = {
        "stem": supernet.conv_norm("first_conv", "first_conv.bn", layers[0].inputs),
        "final_expand": supernet.conv_norm("final_expand_layer", "final_expand_layer.bn"),
        "features": ({"kernel": supernet["feature_mix_layer.conv.weight"][:, :, 0, 0].T}, {}),
        "classifier": (
            {"kernel": supernet["classifier.linear.weight"].T, "bias": supernet["classifier.linear.bias"]},
            {},
        ),
    }
    for layer in layers:
        fixed = layer.stage < 0
        name = "fixed" if fixed else f"stage_{layer.stage}_{layer.position}"
        block = 0 if fixed else 1 + MOST_LAYERS * layer.stage + layer.position
        modules[name] = _block(supernet, f"blocks.{block}.conv", layer)
    return {
        "params": {name: params for name, (params, _) in modules.items()},
        "batch_stats": {name: stats for name, (_, stats) in modules.items() if stats},
    }


class _Supernet:
    """Weights by one naming, whatever that of the file."""

    def __init__(self, weights: Mapping[str, np.ndarray]):
        self._weights = {_plain_name(name): value for name, value in weights.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        try:
            return np.asarray(self._weights[name], np.float32)
        except KeyError:
            raise InputError(
                f"the supernet's weights have no {name!r}: use those of ofa_mbv3_d234_e346_k357_w1.0"
            ) from None

    def cut(self, name: str, *sizes: int | None) -> np.ndarray:
        """The first entries of a weight along each axis; None takes all."""
        found = self[name]
        wanted = [size or 0 for size in sizes]
        if found.ndim < len(sizes) or (np.array(wanted) > found.shape[: len(sizes)]).any():
            raise InputError(
                f"the supernet's weight {name!r} has the shape {list(found.shape)}, too small for this network: use "
                "those of ofa_mbv3_d234_e346_k357_w1.0"
            )
        return found[tuple(slice(size) for size in sizes)]

    def conv_norm(self, conv: str, norm: str, outputs: int | None = None, inputs: int | None = None):
        """Parameters and statistics of a convolution and its batch norm."""
        return self.with_norm(self.cut(f"{conv}.conv.weight", outputs, inputs), norm, outputs)

    def with_norm(self, kernel: np.ndarray, norm: str, channels: int | None):
        """Parameters and statistics of a convolution with that kernel (outputs, inputs, spatial) and a batch norm."""
        params = {
            "conv": {"kernel": kernel.transpose(2, 3, 1, 0)},
            "norm": {"scale": self.cut(f"{norm}.weight", channels), "bias": self.cut(f"{norm}.bias", channels)},
        }
        statistics = {
            "mean": self.cut(f"{norm}.running_mean", channels),
            "var": self.cut(f"{norm}.running_var", channels),
        }
        return params, {"norm": statistics}


def _block(supernet: _Supernet, name: str, layer: Layer):
    """Parameters and statistics of one inverted residual block."""
    parts = {}
    if layer.inner != layer.inputs:
        expand = f"{name}.inverted_bottleneck"
        parts["expand"] = supernet.conv_norm(expand, f"{expand}.bn", layer.inner, layer.inputs)
    depthwise = f"{name}.depth_conv"
    kernel = _kernel(supernet, f"{depthwise}.conv", layer)
    parts["depthwise"] = supernet.with_norm(kernel, f"{depthwise}.bn", layer.inner)
    if layer.squeezed:
        squeeze = f"{depthwise}.se.fc"
        parts["squeeze_excite"] = (
            {
                "reduce": _dense(supernet, f"{squeeze}.reduce", layer.squeezed, layer.inner),
                "expand": _dense(supernet, f"{squeeze}.expand", layer.inner, layer.squeezed),
            },
            {},
        )
    project = f"{name}.point_linear"
    parts["project"] = supernet.conv_norm(project, f"{project}.bn", layer.outputs, layer.inner)
    return (
        {part: params for part, (params, _) in parts.items()},
        {part: statistics for part, (_, statistics) in parts.items() if statistics},
    )


def _dense(supernet: _Supernet, name: str, outputs: int, inputs: int) -> dict[str, np.ndarray]:
    """A 1x1 convolution of single pixels, as the dense layer that it is."""
    return {
        "kernel": supernet.cut(f"{name}.weight", outputs, inputs)[:, :, 0, 0].T,
        "bias": supernet.cut(f"{name}.bias", outputs),
    }


def _kernel(supernet: _Supernet, name: str, layer: Layer) -> np.ndarray:
    """The depthwise kernel `[inner, 1, k, k]`."""
    kernel = supernet.cut(f"{name}.weight", layer.inner)
    if layer.stage < 0:
        return kernel
    for small, large in reversed(list(itertools.pairwise(KERNELS))):
        if large > layer.kernel:
            middle = kernel[:, :, 1:-1, 1:-1].reshape(len(kernel), small**2)
            kernel = (middle @ supernet[f"{name}.{large}to{small}_matrix"].T).reshape(len(kernel), 1, small, small)
    return kernel


def _plain_name(name: str) -> str:
    """One name for what the published file and the package's versions name differently."""
    name = name.replace(".mobile_inverted_conv.", ".conv.")
    for part in ("conv", "bn", "linear"):
        name = name.replace(f".{part}.{part}.", f".{part}.")
    return name
