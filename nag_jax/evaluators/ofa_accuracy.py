"""Once-for-all's own accuracy predictor of its MobileNetV3 sub-networks (Cai et al., ICLR 2020), read from a file."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.mobilenet_v3 import EXPANSIONS, KERNELS, SETTINGS, MobileNetV3
from nag_jax.system.errors import InputError
from nag_jax.system.weights_file import read_weights

_LEAST_RESOLUTION, _RESOLUTION_STEP, _RESOLUTION_SLOTS = 112, 16, 8
_INPUTS = 20 * (len(KERNELS) + len(EXPANSIONS)) + _RESOLUTION_SLOTS
_HOW = "use acc_predictor.pth of once-for-all, or the same weights as npz"


class Layers(NamedTuple):
    """A multilayer perceptron with ReLUs between its layers.

    Attributes:
        kernels: `[inputs, outputs]` of each layer.
        biases: `[outputs]` of each layer.
    """

    kernels: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]


def read_predictor(path: str | Path) -> Layers:
    """Reads the predictor's weights: matrices `[outputs, inputs]` from 128 inputs to one output, in that order.

    Raises:
        InputError: the file can't be read, or its matrices don't form such a chain.
    """
    arrays = read_weights(path)
    strange = [name for name, value in arrays.items() if value.dtype.kind == "f" and not np.isfinite(value).all()]
    if strange:
        raise InputError(f"{path}: the weight {strange[0]!r} holds numbers that aren't finite: {_HOW}")
    names = [name for name, value in arrays.items() if value.ndim == 2 and value.dtype.kind == "f"]
    widths = [_INPUTS, *(arrays[name].shape[0] for name in names)]
    if not names or [arrays[name].shape[1] for name in names] != widths[:-1] or widths[-1] != 1:
        shapes = [list(arrays[name].shape) for name in names]
        raise InputError(f"{path} is not once-for-all's accuracy predictor (matrices of {shapes}): {_HOW}")
    biases = []
    for name, width in zip(names, widths[1:], strict=True):
        bias = arrays.get(name.replace("weight", "bias"), np.zeros(width))
        if name == name.replace("weight", "bias") or bias.shape != (width,) or bias.dtype.kind != "f":
            raise InputError(
                f"{path}: the bias of {name!r} has the shape {list(bias.shape)}, expected [{width}]: {_HOW}"
            )
        biases.append(bias)
    # Newer versions of the package keep the mean accuracy beside a last layer without bias.
    mean = arrays.get("base_acc", np.zeros(1))
    if mean.size != 1 or mean.dtype.kind != "f":
        raise InputError(f"{path}: base_acc has the shape {list(mean.shape)}, expected one number: {_HOW}")
    biases[-1] = biases[-1] + mean.ravel()
    return Layers(
        tuple(np.asarray(arrays[name].T, np.float32) for name in names),
        tuple(np.asarray(bias, np.float32) for bias in biases),
    )


def predict_accuracy(layers: Layers, space: MobileNetV3, tokens) -> np.ndarray:
    """Predicted ImageNet accuracies in % at the space's resolution, float64 `[B]`, of tokens `[B, 20]`."""
    return 100.0 * np.asarray(_apply(layers, features(space, tokens)), np.float64)


def features(space: MobileNetV3, tokens) -> np.ndarray:
    """What the predictor sees, float32 `[B, 128]`: one-hot kernels, expansions, and the resolution.

    A skipped layer's entries are 0. Resolutions between the eight that it knows, 112 to 224 in steps of 16, count as
    the next lower one.
    """
    settings = np.array([*SETTINGS, (0, 0)])[np.asarray(tokens)]
    kernels = settings[..., 0, None] == np.array(KERNELS)
    expansions = settings[..., 1, None] == np.array(EXPANSIONS)
    slot = (space.resolution - _LEAST_RESOLUTION) // _RESOLUTION_STEP
    resolution = np.tile(np.arange(_RESOLUTION_SLOTS) == slot, (len(settings), 1))
    rows = [part.reshape(len(settings), -1) for part in (kernels, expansions, resolution)]
    return np.concatenate(rows, axis=1).astype(np.float32)


@jax.jit
def _apply(layers: Layers, h):
    for i, (kernel, bias) in enumerate(zip(layers.kernels, layers.biases, strict=True)):
        h = (jnp.maximum(h, 0.0) if i else h) @ kernel + bias[None]
    return h[:, 0]
