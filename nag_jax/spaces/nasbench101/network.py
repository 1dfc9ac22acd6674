"""The network that NAS-Bench-101 trains for a cell (Ying et al., ICML 2019, section 2.2)."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from nag_jax.spaces.nasbench101.channels import KERNELS, MODULES, STACKS, STEM, vertex_channels
from nag_jax.system.errors import InputError

_POOLING = "maxpool3x3"


class CellNetwork(nn.Module):
    """A stem and three stacks of three modules with the same cell, each at half the size and twice the channels.

    Attributes:
        matrix: the wiring of the cell, nested tuples of bools `[n][n]`, entry (source, target); see
            `NASBench101.to_matrices`.
        ops: n operations with "input" and "output".
        channels: the number of channels in the stem and the first stack.
        modules: the number of modules per stack.
        num_classes: the number of classes that the classifier tells apart.
    """

    matrix: tuple[tuple[bool, ...], ...]
    ops: tuple[str, ...]
    channels: int = STEM
    modules: int = MODULES
    num_classes: int = 10

    def __post_init__(self):
        super().__post_init__()
        if unknown := sorted(set(self.ops[1:-1]) - {_POOLING, *KERNELS}):
            raise InputError(f"unknown operation {unknown[0]!r} of a cell: use one of {[*KERNELS, _POOLING]}")

    @nn.compact
    def __call__(self, images, *, train: bool = False):
        """Class logits `[B, num_classes]` of images `[B, s, s, 3]`; with `train`, norms use their batch."""
        h = ConvNormRelu(self.channels, 3, name="stem")(images, train)
        for stack in range(STACKS):
            if stack:
                h = nn.max_pool(h, (2, 2), strides=(2, 2))
            for i in range(self.modules):
                width = self.channels * 2**stack
                h = Cell(self.matrix, self.ops, width, name=f"cell_{stack}_{i}")(h, train)
        return nn.Dense(self.num_classes, name="classifier")(h.mean(axis=(1, 2)))


class Cell(nn.Module):
    """A module: every vertex does its operation on the sum of what it reads, and the output concatenates.

    What a vertex reads of another one is cut to its own channels, and what it reads of the input goes through a
    convolution of size 1, as what the output reads of it does.

    Attributes:
        matrix: the wiring of the cell, as `CellNetwork` has it.
        ops: the operations of the cell's vertices, as `CellNetwork` has them.
        width: channels of the output.
    """

    matrix: tuple[tuple[bool, ...], ...]
    ops: tuple[str, ...]
    width: int

    @nn.compact
    def __call__(self, h, train: bool):
        """Maps h `[B, s, s, C]` to `[B, s, s, width]`."""
        matrix, last = np.array(self.matrix), len(self.ops) - 1
        channels = [h.shape[-1], *vertex_channels(matrix, self.width)]
        values = {}
        for vertex in range(1, last):
            read = [values[source][..., : channels[vertex]] for source in range(1, vertex) if matrix[source, vertex]]
            if matrix[0, vertex]:
                read.append(ConvNormRelu(channels[vertex], 1, name=f"input_{vertex}")(h, train))
            total = sum(read[1:], start=read[0])
            if self.ops[vertex] == _POOLING:
                values[vertex] = nn.max_pool(total, (3, 3), padding="SAME")
            else:
                kernel = KERNELS[self.ops[vertex]]
                values[vertex] = ConvNormRelu(channels[vertex], kernel, name=f"vertex_{vertex}")(total, train)
        feeding = [values[vertex] for vertex in range(1, last) if matrix[vertex, last]]
        outputs = [jnp.concatenate(feeding, axis=-1)] if feeding else []
        if matrix[0, last]:
            outputs.append(ConvNormRelu(self.width, 1, name=f"input_{last}")(h, train))
        return sum(outputs[1:], start=outputs[0])


class ConvNormRelu(nn.Module):
    """Convolution padded to the same size, batch norm, ReLU.

    Attributes:
        width: output channels.
        kernel: size.
    """

    width: int
    kernel: int

    @nn.compact
    def __call__(self, h, train: bool):
        """Maps h `[B, s, s, C]` to `[B, s, s, width]`."""
        h = nn.Conv(self.width, (self.kernel, self.kernel), use_bias=False, name="conv")(h)
        return nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.997, epsilon=1e-5, name="norm")(h))
