"""Sub-networks of once-for-all's trained supernet (Cai et al., ICLR 2020, section 3.4), as variables for our networks.

A sub-network takes the first channels of every layer. Its smaller kernels are the middles of the larger ones, each
multiplied by a learned matrix: 5x5 from 7x7, and 3x3 from that 5x5.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nag_jax.spaces.mobilenet_v3 import EXPANSIONS, KERNELS, MOST_LAYERS
from nag_jax.spaces.mobilenet_v3.layers import (
    CLASSES,
    FEATURES,
    FINAL_EXPAND,
    IMAGE_CHANNELS,
    STEM,
    WIDTHS,
    Layer,
    layer_at,
)
from nag_jax.system.errors import InputError

_PUBLISHED = "ofa_mbv3_d234_e346_k357_w1.0"

Variables = dict[str, dict[str, Any]]
"""Flax's `params` and `batch_stats`."""


def extract(weights: Mapping[str, np.ndarray], layers: Sequence[Layer]) -> Variables:
    """The variables of a `models.mobilenet.MobileNet` of these blocks, cut out of a supernet's weights.

    Args:
        weights: the weights of `ofa_mbv3_d234_e346_k357_w1.0` or of a supernet of that form, by PyTorch's names, as
            `weights_file.read_weights` gives them; in the published file's naming or the package's newer one.
        layers: what `MobileNetV3.layers` returned.

    Raises:
        InputError: a weight is missing or has another shape, as of a supernet of another width.
    """
    supernet = _Supernet(weights)
    last = WIDTHS[-1]
    modules = {
        "stem": supernet.conv_norm("first_conv", "first_conv.bn", (STEM, IMAGE_CHANNELS, 3, 3)),
        "final_expand": supernet.conv_norm("final_expand_layer", "final_expand_layer.bn", (FINAL_EXPAND, last, 1, 1)),
        "features": ({"kernel": supernet.dense("feature_mix_layer.conv.weight", (FEATURES, FINAL_EXPAND, 1, 1))}, {}),
        "classifier": (
            {
                "kernel": supernet.whole("classifier.linear.weight", (CLASSES, FEATURES)).T,
                "bias": supernet.whole("classifier.linear.bias", (CLASSES,)),
            },
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

    def whole(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """A weight, float32, which must have exactly that shape: first channels of a wider supernet mean others."""
        if name not in self._weights:
            raise InputError(f"the supernet's weights have no {name!r}: use those of {_PUBLISHED}")
        found = self._weights[name]
        if found.shape != shape or found.dtype.kind != "f":
            raise InputError(
                f"the supernet's weight {name!r} must be floats of the shape {list(shape)}, found {found.dtype} of "
                f"{list(found.shape)}: use those of {_PUBLISHED}"
            )
        return np.asarray(found, np.float32)

    def cut(self, name: str, shape: tuple[int, ...], *sizes: int) -> np.ndarray:
        """The first `sizes` entries along the first axes of a weight of that shape."""
        return self.whole(name, shape)[tuple(slice(size) for size in sizes)]

    def dense(self, name: str, shape: tuple[int, ...], *sizes: int) -> np.ndarray:
        """A 1x1 convolution of single pixels, as the kernel of the dense layer that it is."""
        return self.cut(name, shape, *sizes)[:, :, 0, 0].T

    def conv_norm(self, conv: str, norm: str, shape: tuple[int, ...], *sizes: int):
        """Parameters and statistics of a convolution and its batch norm, of `sizes` outputs and inputs."""
        return self.with_norm(self.cut(f"{conv}.conv.weight", shape, *sizes), norm, shape[0])

    def with_norm(self, kernel: np.ndarray, norm: str, channels: int):
        """Parameters and statistics of a convolution and a batch norm.

        Args:
            kernel: `[outputs, inputs, k, k]`.
            norm: the batch norm's name.
            channels: how many the supernet's batch norm has, the first of which are used.
        """
        first = {
            name: self.cut(f"{norm}.{name}", (channels,), len(kernel))
            for name in ("weight", "bias", "running_mean", "running_var")
        }
        params = {
            "conv": {"kernel": kernel.transpose(2, 3, 1, 0)},
            "norm": {"scale": first["weight"], "bias": first["bias"]},
        }
        return params, {"norm": {"mean": first["running_mean"], "var": first["running_var"]}}


def _block(supernet: _Supernet, name: str, layer: Layer):
    """Parameters and statistics of one inverted residual block."""
    fixed = layer.stage < 0
    full = layer if fixed else layer_at(layer.stage, layer.position, max(KERNELS), max(EXPANSIONS))
    parts = {}
    if layer.inner != layer.inputs:
        expand, shape = f"{name}.inverted_bottleneck", (full.inner, full.inputs, 1, 1)
        parts["expand"] = supernet.conv_norm(expand, f"{expand}.bn", shape, layer.inner)
    depthwise = f"{name}.depth_conv"
    kernel = _kernel(supernet, f"{depthwise}.conv", layer, full)
    parts["depthwise"] = supernet.with_norm(kernel, f"{depthwise}.bn", full.inner)
    if layer.squeezed:
        squeeze, inner, squeezed = f"{depthwise}.se.fc", full.inner, full.squeezed
        reduced, expanded = (squeezed, inner, 1, 1), (inner, squeezed, 1, 1)
        parts["squeeze_excite"] = (
            {
                "reduce": {
                    "kernel": supernet.dense(f"{squeeze}.reduce.weight", reduced, layer.squeezed, layer.inner),
                    "bias": supernet.cut(f"{squeeze}.reduce.bias", (squeezed,), layer.squeezed),
                },
                "expand": {
                    "kernel": supernet.dense(f"{squeeze}.expand.weight", expanded, layer.inner, layer.squeezed),
                    "bias": supernet.cut(f"{squeeze}.expand.bias", (inner,), layer.inner),
                },
            },
            {},
        )
    project, shape = f"{name}.point_linear", (full.outputs, full.inner, 1, 1)
    parts["project"] = supernet.conv_norm(project, f"{project}.bn", shape, layer.outputs, layer.inner)
    return (
        {part: params for part, (params, _) in parts.items()},
        {part: statistics for part, (_, statistics) in parts.items() if statistics},
    )


def _kernel(supernet: _Supernet, name: str, layer: Layer, full: Layer) -> np.ndarray:
    """The depthwise kernel `[inner, 1, k, k]`."""
    kernel = supernet.cut(f"{name}.weight", (full.inner, 1, full.kernel, full.kernel), layer.inner)
    if layer.stage < 0:
        return kernel
    for small, large in reversed(list(itertools.pairwise(KERNELS))):
        if large > layer.kernel:
            middle = kernel[:, :, 1:-1, 1:-1].reshape(len(kernel), small**2)
            matrix = supernet.whole(f"{name}.{large}to{small}_matrix", (small**2, small**2))
            kernel = (middle @ matrix.T).reshape(len(kernel), 1, small, small)
    return kernel


def _plain_name(name: str) -> str:
    """One name for what the published file and the package's versions name differently."""
    name = name.replace(".mobile_inverted_conv.", ".conv.")
    for part in ("conv", "bn", "linear"):
        name = name.replace(f".{part}.{part}.", f".{part}.")
    return name
