"""Channels of the vertices of NAS-Bench-101's modules, and what modules cost (Ying et al., ICML 2019, section 2)."""

import numpy as np

from nag_jax.spaces.cells.costs import CellCost
from nag_jax.spaces.cells.layout import Layout
from nag_jax.spaces.cells.topologies import Topologies

IMAGE_SIZE, IMAGE_CHANNELS, STEM, CLASSES = 32, 3, 128, 10
"""CIFAR-10's images, channels of the stem, classes."""
STACKS, MODULES = 3, 3
"""Stacks, each with twice the channels and half the image size of the one before, and modules of a stack."""
KERNELS = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}
"""Of operations with weights."""


def vertex_channels(matrix: np.ndarray, channels: int) -> list[int]:
    """The channels of each vertex but the input of a module with so many at its output.

    The output concatenates the vertices that feed it, so its channels are split among those, the first ones taking
    what is left over. Any other vertex has as many as the largest of those that read it.

    Args:
        matrix: bool `[n, n]`, entry (source, target).
        channels: the number of channels at the output.

    Returns:
        n - 1 numbers, of vertices 1 to n - 1.

    Example:
        >>> vertex_channels(np.array([[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]), 129)
        [65, 64, 129]
    """
    last = len(matrix) - 1
    feeding = np.nonzero(matrix[1:-1, last])[0] + 1
    found = {last: channels}
    for place, vertex in enumerate(feeding.tolist()):
        found[vertex] = channels // len(feeding) + (place < channels % len(feeding))
    for vertex in range(last - 1, 0, -1):
        if vertex not in found:
            found[vertex] = max(found[target] for target in np.nonzero(matrix[vertex])[0].tolist())
    return [found[vertex] for vertex in range(1, last + 1)]


def modules() -> list[tuple[int, int, int]]:
    """Input channels, output channels and image size of each module, from the first to the last."""
    found, channels = [], STEM
    for stack in range(STACKS):
        for _ in range(MODULES):
            width = STEM * 2**stack
            found.append((channels, width, IMAGE_SIZE // 2**stack))
            channels = width
    return found


def costs(layout: Layout, topologies: Topologies) -> dict[str, CellCost]:
    """Parameters, with scales and offsets of batch norms, and multiply-accumulates of convolutions and classifier."""
    last = modules()[-1][1]
    fixed = {
        "params": (9 * IMAGE_CHANNELS + 2) * STEM + (last + 1) * CLASSES,
        "macs": IMAGE_SIZE**2 * 9 * IMAGE_CHANNELS * STEM + last * CLASSES,
    }
    sizes = (len(topologies.wired), layout.slots, len(layout.ops))
    constants = {name: np.full(sizes[0], float(value)) for name, value in fixed.items()}
    terms = {name: np.zeros(sizes) for name in fixed}
    matrices = layout.matrix(topologies.wired)
    for row, (matrix, interior) in enumerate(zip(matrices, topologies.interior.tolist(), strict=True)):
        kept = [*range(interior + 1), layout.vertices - 1]
        matrix = matrix[np.ix_(kept, kept)]
        widths = {width: vertex_channels(matrix, width) for _, width, _ in modules()}
        for inputs, width, size in modules():
            for vertex, channels in enumerate(widths[width], start=1):
                if matrix[0, vertex]:
                    constants["params"][row] += (inputs + 2) * channels
                    constants["macs"][row] += size**2 * inputs * channels
                for op, kernel in enumerate(KERNELS.get(name, 0) for name in layout.ops):
                    if kernel and vertex <= interior:
                        terms["params"][row, vertex - 1, op] += (kernel**2 * channels + 2) * channels
                        terms["macs"][row, vertex - 1, op] += size**2 * kernel**2 * channels**2
    return {name: CellCost(layout, topologies, constants[name], terms[name]) for name in fixed}
