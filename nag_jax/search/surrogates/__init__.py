"""Surrogates: what is believed of architectures that nobody has labelled."""

import inspect

from nag_jax.errors import InputError
from nag_jax.search.surrogates.base import Data, Surrogate, make_data, padded_capacity
from nag_jax.search.surrogates.deep_ensemble import deep_ensemble
from nag_jax.search.surrogates.gaussian_process import gaussian_process
from nag_jax.spaces import Space

REGISTRY = {"deep_ensemble": deep_ensemble, "gaussian_process": gaussian_process}

__all__ = ["REGISTRY", "Data", "Surrogate", "make", "make_data", "padded_capacity"]


def make(name: str, space: Space, **options) -> Surrogate:
    """Makes the surrogate of that name.

    Raises:
        InputError: no surrogate has that name, or it has no such option.

    Example:
        >>> surrogate = make("gaussian_process", NASBench201(), groups=["one_hot"])
    """
    if name not in REGISTRY:
        raise InputError(f"unknown surrogate {name!r}: use one of {sorted(REGISTRY)}")
    known = set(inspect.signature(REGISTRY[name]).parameters) - {"space"}
    if unknown := sorted(set(options) - known):
        raise InputError(f"surrogate {name!r} has no option {unknown}: use {sorted(known)}")
    return REGISTRY[name](space, **options)
