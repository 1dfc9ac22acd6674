"""Search spaces: what an architecture is."""

from collections.abc import Callable
from typing import Any

from nag_jax.spaces.cells import CellSpace
from nag_jax.spaces.cells.pairs import PairCells
from nag_jax.spaces.contract import Space
from nag_jax.spaces.darts import DARTS
from nag_jax.spaces.declared import Block, DagSpace, chain, repeat
from nag_jax.spaces.mobilenet_v3 import MobileNetV3
from nag_jax.spaces.nasbench101 import NASBench101
from nag_jax.spaces.nasbench201 import NASBench201
from nag_jax.spaces.nasbench_graph import NASBenchGraph
from nag_jax.spaces.nats_size import NATSSize
from nag_jax.spaces.nodes import NodeSpace
from nag_jax.spaces.restricted import restrict, whole
from nag_jax.spaces.vit import VisionTransformer
from nag_jax.system.once import once
from nag_jax.system.options import find

REGISTRY = {
    "darts": DARTS,
    "mobilenet_v3": MobileNetV3,
    "nasbench101": NASBench101,
    "nasbench201": NASBench201,
    "nasbench_graph": NASBenchGraph,
    "nats_size": NATSSize,
    "vit": VisionTransformer,
}


__all__ = [
    "DARTS",
    "REGISTRY",
    "Block",
    "CellSpace",
    "DagSpace",
    "MobileNetV3",
    "NASBench101",
    "NASBench201",
    "NASBenchGraph",
    "NATSSize",
    "NodeSpace",
    "PairCells",
    "Space",
    "VisionTransformer",
    "chain",
    "make",
    "repeat",
    "restrict",
    "whole",
]


def make(name: str, **options) -> NodeSpace:
    """Makes the space of that name; the same one for the same options, so that what it compiles is compiled once.

    Args:
        name: a key of `REGISTRY`, or `FILE.py:NAME` of a function or class of your own that makes one, as a `DagSpace`.
        **options: its keyword arguments.

    Raises:
        InputError: no space has that name.

    Example:
        >>> make("nasbench201").size
        15625
    """
    return _build(find("space", name, REGISTRY), options)


@once
def _build(build: Callable[..., NodeSpace], options: dict[str, Any]) -> NodeSpace:
    return build(**options)
