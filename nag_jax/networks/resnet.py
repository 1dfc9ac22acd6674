"""ResNet-18 (He et al., CVPR 2016) as torchvision lays it out, as a frozen source of 512 features per image."""

from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.networks.weights import check_weights
from nag_jax.system.weights_file import read_weights

CHANNEL_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
CHANNEL_STD = np.array([0.229, 0.224, 0.225], np.float32)
"""Of ImageNet's training images in [0, 1], red, green, blue: torchvision's networks expect images so normalised."""

_WIDTHS = (64, 128, 256, 512)
_BLOCKS = 2
_IGNORED = ("num_batches_tracked", "fc.weight", "fc.bias")
"""Of torchvision's names: a count that only training uses, and the classifier after the features."""


class ResNet18(nn.Module):
    """The network without its classifier; BatchNorm uses its running statistics.

    Parameters have torchvision's names with dots as underscores, so that each has one obvious origin.
    """

    @nn.compact
    def __call__(self, images):
        """Features `[B, 512]` of images `[B, H, W, 3]`, normalised by `CHANNEL_MEAN` and `CHANNEL_STD`."""
        h = nn.relu(_norm("bn1")(_conv(64, 7, 2, "conv1")(images)))
        around: Any = ((1, 1), (1, 1))  # flax's own annotation allows names only
        h = nn.max_pool(h, (3, 3), (2, 2), around)
        for stage, width in enumerate(_WIDTHS, start=1):
            for i in range(_BLOCKS):
                h = _block(h, width, stride=2 if stage > 1 and i == 0 else 1, prefix=f"layer{stage}_{i}")
        return h.mean(axis=(1, 2))


def _conv(width: int, size: int, stride: int, name: str) -> nn.Conv:
    padding = [(size // 2, size // 2)] * 2  # SAME would pad a strided convolution on one side only
    return nn.Conv(width, (size, size), (stride, stride), padding, use_bias=False, name=name)


def _norm(name: str) -> nn.BatchNorm:
    return nn.BatchNorm(use_running_average=True, epsilon=1e-5, name=name)


def _block(h, width: int, *, stride: int, prefix: str):
    shortcut = h
    if stride > 1:
        shortcut = _conv(width, 1, stride, f"{prefix}_downsample_0")(h)
        shortcut = _norm(f"{prefix}_downsample_1")(shortcut)
    inner = nn.relu(_norm(f"{prefix}_bn1")(_conv(width, 3, stride, f"{prefix}_conv1")(h)))
    inner = _norm(f"{prefix}_bn2")(_conv(width, 3, 1, f"{prefix}_conv2")(inner))
    return nn.relu(inner + shortcut)


def read_variables(path: str | Path) -> dict[str, Any]:
    """The Flax variables of a ResNet-18 whose weights somebody saved under torchvision's names.

    Args:
        path: torchvision's `resnet18().state_dict()`, with or without classifier; see `weights_file.read_weights`.

    Raises:
        InputError: the file can't be read, or a name or a shape isn't ResNet-18's.
    """
    shapes = {torch_name: shape for torch_name, _, shape in weight_table()}
    weights = check_weights(read_weights(path), shapes, path=path, network="a ResNet-18", ignored=_IGNORED)
    variables: dict[str, Any] = {"params": {}, "batch_stats": {}}
    for torch_name, (collection, module, leaf), _ in weight_table():
        value = weights[torch_name]
        if leaf == "kernel":
            value = value.transpose(2, 3, 1, 0)  # out, in, height, width -> height, width, in, out
        variables[collection].setdefault(module, {})[leaf] = jnp.asarray(value, jnp.float32)
    return variables


def weight_table() -> list[tuple[str, tuple[str, str, str], tuple[int, ...]]]:
    """(torchvision's name, (collection, module, leaf) in Flax, torchvision's shape) of every weight."""
    out = []
    shapes = jax.eval_shape(ResNet18().init, jax.random.key(0), jnp.zeros((1, 32, 32, 3), jnp.float32))
    for module, leaves in shapes["params"].items():
        prefix = module.replace("_", ".")
        if "kernel" in leaves:
            height, width, fan_in, fan_out = leaves["kernel"].shape
            out.append((f"{prefix}.weight", ("params", module, "kernel"), (fan_out, fan_in, height, width)))
        else:
            size = leaves["scale"].shape
            out += [
                (f"{prefix}.weight", ("params", module, "scale"), size),
                (f"{prefix}.bias", ("params", module, "bias"), size),
                (f"{prefix}.running_mean", ("batch_stats", module, "mean"), size),
                (f"{prefix}.running_var", ("batch_stats", module, "var"), size),
            ]
    return out


_apply = jax.jit(ResNet18().apply)


def image_features(variables: dict[str, Any], images: np.ndarray, *, batch_size: int = 100) -> np.ndarray:
    """Features float32 `[M, 512]` of images uint8 `[M, H, W, 3]`, M > 0, in batches of one shape: it compiles once."""
    images = np.asarray(images)
    batch_size = min(batch_size, len(images))
    out = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size].astype(np.float32) / 255.0
        normal = (batch - CHANNEL_MEAN) / CHANNEL_STD
        padded = np.zeros((batch_size, *images.shape[1:]), np.float32)
        padded[: len(normal)] = normal
        out.append(np.asarray(_apply(variables, padded))[: len(normal)])
    return np.concatenate(out)
