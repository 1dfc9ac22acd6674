"""Search spaces: what an architecture is."""

from nag_jax.errors import InputError
from nag_jax.spaces.base import Space
from nag_jax.spaces.mobilenet_v3 import MobileNetV3
from nag_jax.spaces.nasbench201 import NASBench201
from nag_jax.spaces.nasbench_graph import NASBenchGraph

REGISTRY = {"mobilenet_v3": MobileNetV3, "nasbench201": NASBench201, "nasbench_graph": NASBenchGraph}


def make(name: str, **options) -> Space:
    """Makes the space of that name.

    Raises:
        InputError: no space has that name.

    Example:
        >>> make("nasbench201").size
        15625
    """
    if name not in REGISTRY:
        raise InputError(f"unknown space {name!r}: use one of {sorted(REGISTRY)}")
    return REGISTRY[name](**options)
