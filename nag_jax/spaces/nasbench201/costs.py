"""Parameters and multiply-accumulates of NAS-Bench-201's networks on CIFAR-10, as sums over the edges of the cell.

A network is a stem, three stages of five cells of 16, 32 and 64 channels with a residual block between them, and a
classifier (Dong and Yang, ICLR 2020, section 2.1). Of a cell only convolutions have weights.
"""

import itertools

import numpy as np

from nag_jax.spaces.costs import Cost

_CELLS = 5
_STAGES = ((16, 32), (32, 16), (64, 8))
"""Channels and image side of each stage."""
_CLASSES = 10


def network_costs(shape: tuple[int, int], kernels: dict[int, int], edges: range) -> dict[str, Cost]:
    """Parameters, with scales and offsets of batch norms, and multiply-accumulates: `"params"` and `"macs"`.

    Args:
        shape: (N, V) of the space.
        kernels: kernel size of each class that is a convolution.
        edges: the nodes that are edges of the cell.
    """
    params, macs = np.zeros(shape), np.zeros(shape)
    for token, kernel in kernels.items():
        for channels, side in _STAGES:
            params[edges, token] += _CELLS * _params(channels, channels, kernel)
            macs[edges, token] += _CELLS * _macs(channels, channels, kernel, side)
    return {"params": Cost(_fixed_params(), params), "macs": Cost(_fixed_macs(), macs)}


def _params(inputs: int, outputs: int, kernel: int) -> int:
    """Of a convolution and the batch norm after it."""
    return inputs * outputs * kernel**2 + 2 * outputs


def _macs(inputs: int, outputs: int, kernel: int, side: int) -> int:
    return inputs * outputs * kernel**2 * side**2


def _fixed_params() -> int:
    """Stem, residual blocks (whose shortcut has no batch norm), last batch norm and classifier."""
    channels = [width for width, _ in _STAGES]
    between = itertools.pairwise(channels)
    blocks = sum(_params(a, b, 3) + _params(b, b, 3) + a * b for a, b in between)
    return _params(3, channels[0], 3) + blocks + 2 * channels[-1] + channels[-1] * _CLASSES + _CLASSES


def _fixed_macs() -> int:
    stem = _macs(3, _STAGES[0][0], 3, _STAGES[0][1])
    between = itertools.pairwise(_STAGES)
    blocks = sum(_macs(a, b, 3, side) + _macs(b, b, 3, side) + _macs(a, b, 1, side) for (a, _), (b, side) in between)
    return stem + blocks + _STAGES[-1][0] * _CLASSES
