"""The network that NAS-Bench-201 trains for a cell (Dong and Yang, ICLR 2020, section 2.1)."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from nag_jax.spaces.nasbench201.space import EDGES, OPERATIONS
from nag_jax.system.errors import InputError

Edge = tuple[int, int, str]
"""Source and target among the cell's nodes 0 to 3, and the operation between them, as `NASBench201.cell_edges`."""
SMALL = 64
"""Pixels up to which a convolution is a matrix product: XLA's own on CPUs is up to five times slower there."""


class CellNetwork(nn.Module):
    """A stem, stages of the same cell, at 16, 32 and 64 channels, with a residual block between them, a classifier.

    Attributes:
        edges: the edges of the cell, sources before targets.
        channels: the number of channels in the first stage.
        cells: the number of cells per stage.
        num_classes: the number of classes that the classifier tells apart.
        stages: the number of stages, each after the first at half the size and twice the channels of the one before.
    """

    edges: tuple[Edge, ...]
    channels: int = 16
    cells: int = 5
    num_classes: int = 10
    stages: int = 3

    def __post_init__(self):
        super().__post_init__()
        unknown = sorted({name for _, _, name in self.edges} - {"none", *_OPERATIONS})
        if unknown:
            raise InputError(f"unknown operation {unknown[0]!r} of a cell: use 'none' or one of {sorted(_OPERATIONS)}")

    @nn.compact
    def __call__(self, images, *, train: bool = False):
        """Class logits `[B, num_classes]` of images `[B, s, s, 3]`; with `train`, norms use their batch."""
        return _stages(self, images, train, lambda name: lambda h: Cell(self.edges, name=name)(h, train))


class AnyCellNetwork(nn.Module):
    """`CellNetwork` of a cell that is an input, so that one compiled program trains every cell of the space.

    Every edge has a kernel of 3 x 3, of which a convolution of 1 x 1 uses the middle, and a norm; `specialise` leaves
    those that the cell uses.

    Attributes:
        channels: the number of channels in the first stage.
        cells: the number of cells per stage.
        num_classes: the number of classes that the classifier tells apart.
        stages: the number of stages, each after the first at half the size and twice the channels of the one before.
    """

    channels: int = 16
    cells: int = 5
    num_classes: int = 10
    stages: int = 3

    @nn.compact
    def __call__(self, images, operations, *, train: bool = False):
        """Class logits `[B, num_classes]` of images `[B, h, w, 3]` and operations int32 `[6]`, see `OPERATIONS`."""
        return _stages(self, images, train, lambda name: lambda h: AnyCell(name=name)(h, operations, train))


def _stages(network, images, train: bool, cell: Callable):
    """The logits of a network, whose cells are made by `cell`: name -> what maps h to the same shape."""
    h = nn.Conv(network.channels, (3, 3), use_bias=False, name="stem")(images)
    h = batch_norm(train, "stem_norm")(h)
    for stage in range(network.stages):
        width = network.channels * 2**stage
        if stage:
            h = ResidualBlock(width, name=f"reduction_{stage}")(h, train)
        for i in range(network.cells):
            h = cell(f"cell_{stage}_{i}")(h)
    h = nn.relu(batch_norm(train, "last_norm")(h)).mean(axis=(1, 2))
    return nn.Dense(network.num_classes, name="classifier")(h)


class Cell(nn.Module):
    """Four nodes, each the sum of what the edges into it carry; the last is the output.

    Attributes:
        edges: the edges of the cell, sources before targets.
    """

    edges: tuple[Edge, ...]

    @nn.compact
    def __call__(self, h, train: bool):
        """Maps h `[B, s, s, C]` to the same shape."""
        nodes = {0: h}
        for source, target, name in sorted(self.edges, key=lambda edge: edge[1]):
            nodes.setdefault(target, jnp.zeros_like(h))
            if name != "none":
                carried = _OPERATIONS[name](nodes[source], train, f"edge_{source}_{target}")
                nodes[target] = nodes[target] + carried
        return nodes[max(nodes)]


class AnyCell(nn.Module):
    """`Cell` whose operations are an input."""

    @nn.compact
    def __call__(self, h, operations, train: bool):
        """Maps h `[B, s, s, C]` to the same shape, by operations int32 `[6]`."""
        nodes = {0: h}
        for edge, (source, target) in enumerate(EDGES):
            carried = AnyEdge(name=f"edge_{source}_{target}")(nodes[source], operations[edge], train)
            nodes[target] = nodes[target] + carried if target in nodes else carried
        return nodes[max(nodes)]


class AnyEdge(nn.Module):
    """An edge of a cell whose operation is an input."""

    @nn.compact
    def __call__(self, h, operation, train: bool):
        """Maps h `[B, s, s, C]` to the same shape, by the number of the operation."""
        kernel = MiddleKernel(name="conv")(h.shape[-1], operation == _ONE)
        return EdgeNorm(name="norm")(h, operation, kernel, train)


class EdgeNorm(nn.Module):
    """The norm of an edge's convolution, as `nn.BatchNorm` does it, where the edge has one."""

    @nn.compact
    def __call__(self, h, operation, kernel, train: bool):
        """What the edge carries of h `[B, s, s, C]`, by the number of its operation and its kernel."""
        size = (h.shape[-1],)
        scale = self.param("scale", nn.initializers.ones, size, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, size, jnp.float32)
        mean = self.variable("batch_stats", "mean", jnp.zeros, size, jnp.float32)
        var = self.variable("batch_stats", "var", jnp.ones, size, jnp.float32)
        # Recomputed, since what the branches keep for the gradient would be kept for all of them.
        carry = jax.checkpoint(_carry, static_argnums=4)
        carried, moments = carry(operation, h, kernel, (scale, bias, mean.value, var.value), train)
        if train:
            mean.value, var.value = moments
        return carried


class MiddleKernel(nn.Module):
    """A kernel of 3 x 3, drawn for a convolution of that size or of its middle."""

    @nn.compact
    def __call__(self, width: int, only_middle):
        """The kernel `[3, 3, width, width]`."""

        def draw(key, shape, dtype):
            fan_in = width * jnp.where(only_middle, 1, 9)
            return jax.random.normal(key, shape, dtype) / jnp.sqrt(fan_in)

        return self.param("kernel", draw, (3, 3, width, width), jnp.float32)


def specialise(variables, edges: tuple[Edge, ...]):
    """The variables of `CellNetwork(edges)` that are those of an `AnyCellNetwork`."""

    def of_cell(cell: dict) -> dict:
        convolutions = {f"edge_{source}_{target}": name for source, target, name in edges if "conv" in name}
        return {edge: of_edge(cell[edge], name) for edge, name in convolutions.items() if edge in cell}

    def of_edge(edge: dict, name: str) -> dict:
        if "conv" not in edge or name != OPERATIONS[_ONE]:
            return edge
        return edge | {"conv": {"kernel": edge["conv"]["kernel"][1:2, 1:2]}}

    def of_network(modules: dict) -> dict:
        made = {name: of_cell(part) if name.startswith("cell_") else part for name, part in modules.items()}
        return {name: part for name, part in made.items() if part}

    return {collection: of_network(modules) for collection, modules in variables.items()}


class ResidualBlock(nn.Module):
    """Halves the image: two convolutions, and the mean of 2 x 2 pixels through a third beside them.

    Odd sizes are rounded up, so that a series, an image one pixel wide, stays one.

    Attributes:
        width: output channels.
    """

    width: int

    @nn.compact
    def __call__(self, h, train: bool):
        """Maps h `[B, s, s, C]` to `[B, s / 2, s / 2, width]`."""
        residual = ReluConvNorm(self.width, 3, stride=2, name="first")(h, train)
        residual = ReluConvNorm(self.width, 3, name="second")(residual, train)
        shortcut = nn.avg_pool(h, (2, 2), strides=(2, 2), padding="SAME", count_include_pad=False)
        return residual + nn.Conv(self.width, (1, 1), use_bias=False, name="shortcut")(shortcut)


class ReluConvNorm(nn.Module):
    """ReLU, convolution padded by half its kernel, batch norm.

    Attributes:
        width: output channels.
        kernel: size.
        stride: the stride of the convolution.
    """

    width: int
    kernel: int
    stride: int = 1

    @nn.compact
    def __call__(self, h, train: bool):
        """Maps h `[B, s, s, C]` to `[B, s / stride, s / stride, width]`."""
        half = self.kernel // 2
        size = (self.kernel, self.kernel)
        convolution = nn.Conv(
            self.width,
            size,
            strides=self.stride,
            padding=((half, half), (half, half)),
            use_bias=False,
            conv_general_dilated=convolve,
            name="conv",
        )
        return batch_norm(train, "norm")(convolution(nn.relu(h)))


def batch_norm(train: bool, name: str) -> nn.BatchNorm:
    """The batch norm of all networks of the benchmark."""
    return nn.BatchNorm(use_running_average=not train, momentum=_MOMENTUM, epsilon=_EPSILON, name=name)


def _convolution(kernel: int) -> Callable:
    return lambda h, train, name: ReluConvNorm(h.shape[-1], kernel, name=name)(h, train)


def _mean_of_nine(h, train: bool, name: str):
    """The mean over 3 x 3 pixels, at the border over those that there are."""
    return nn.avg_pool(h, (3, 3), padding="SAME", count_include_pad=False)


_OPERATIONS: dict[str, Callable] = {
    "skip_connect": lambda h, train, name: h,
    "nor_conv_1x1": _convolution(1),
    "nor_conv_3x3": _convolution(3),
    "avg_pool_3x3": _mean_of_nine,
}
_ONE = OPERATIONS.index("nor_conv_1x1")
_MOMENTUM, _EPSILON = 0.9, 1e-5


def _carry(operation, h, kernel, norm, train: bool):
    """What an edge carries, and the new running mean and variance of its norm."""
    branches = [lambda *given, name=name: _CARRIED[name](*given, train) for name in OPERATIONS]
    return jax.lax.switch(operation, branches, h, kernel, norm)


def _without_weights(operate: Callable) -> Callable:
    return lambda h, kernel, norm, train: (operate(h), norm[2:])


def _convolved(h, kernel, norm, train: bool):
    """ReLU, convolution and batch norm, as `ReluConvNorm`; see `_carry`."""
    half = kernel.shape[0] // 2
    convolved = convolve(nn.relu(h), kernel, (1, 1), ((half, half), (half, half)))
    exact = convolved.astype(jnp.float32)
    scale, bias, *running = norm
    moments = tuple(running)
    if train:
        mean = exact.mean(axis=(0, 1, 2))
        moments = mean, jnp.maximum((exact * exact).mean(axis=(0, 1, 2)) - mean * mean, 0.0)
        running = [_MOMENTUM * old + (1 - _MOMENTUM) * new for old, new in zip(running, moments, strict=True)]
    factor = jax.lax.rsqrt(moments[1] + _EPSILON) * scale
    mean, factor, bias = (vector[None, None, None] for vector in (moments[0], factor, bias))
    return ((exact - mean) * factor + bias).astype(h.dtype), tuple(running)


def convolve(h, kernel, strides, padding, **options):
    """`lax.conv_general_dilated` of images `[B, h, w, C]`, as one matrix product where they are small."""
    if h.shape[1] * h.shape[2] > SMALL:
        options.setdefault("dimension_numbers", ("NHWC", "HWIO", "NHWC"))
        return jax.lax.conv_general_dilated(h, kernel, strides, padding, **options)
    size, _, inputs, outputs = kernel.shape
    padded = jnp.pad(h, ((0, 0), *padding, (0, 0)))
    height, width = ((n - size) // step + 1 for n, step in zip(padded.shape[1:3], strides, strict=True))
    seen = [
        padded[:, y : y + (height - 1) * strides[0] + 1 : strides[0], x : x + (width - 1) * strides[1] + 1 : strides[1]]
        for y in range(size)
        for x in range(size)
    ]
    return jnp.concatenate(seen, axis=-1) @ kernel.reshape(size * size * inputs, outputs)


_CARRIED: dict[str, Callable] = {
    "none": _without_weights(jnp.zeros_like),
    "skip_connect": _without_weights(lambda h: h),
    "nor_conv_1x1": lambda h, kernel, norm, train: _convolved(h, kernel[1:2, 1:2], norm, train),
    "nor_conv_3x3": _convolved,
    "avg_pool_3x3": _without_weights(lambda h: _mean_of_nine(h, True, "")),
}
