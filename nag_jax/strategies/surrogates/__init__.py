"""Surrogates: what is believed of architectures that nobody has labelled."""

from collections.abc import Mapping
from typing import Any

from nag_jax.spaces import NodeSpace
from nag_jax.strategies.surrogates.base import Data, Surrogate, data_of, make_data, padded_tokens
from nag_jax.strategies.surrogates.deep_ensemble import deep_ensemble
from nag_jax.strategies.surrogates.gaussian_process import gaussian_process
from nag_jax.system.once import once
from nag_jax.system.options import check_options

REGISTRY = {"deep_ensemble": deep_ensemble, "gaussian_process": gaussian_process}

_SEARCHING = {"gaussian_process": {"noise": 0.1}}
"""Options that differ where a surrogate decides on labels, chosen by `experiments.bench.suite`; see docs/decisions."""

__all__ = ["REGISTRY", "Data", "Surrogate", "data_of", "for_search", "make", "make_data", "padded_tokens"]


@once
def make(name: str, space: NodeSpace, **options) -> Surrogate:
    """Makes the surrogate of that name.

    Raises:
        InputError: no surrogate has that name, or it has no such option.

    Example:
        >>> from nag_jax import spaces
        >>> make("gaussian_process", spaces.make("nasbench201"), groups=["one_hot"])._fields
        ('fit', 'predict', 'noise')
    """
    return check_options("surrogate", name, REGISTRY, options, given=("space",))(space, **options)


def for_search(name: str, space: NodeSpace, options: Mapping[str, Any] | None = None) -> Surrogate:
    """Makes the surrogate of that name as searches have it: its labels are taken for noisier ones; see `make`."""
    return make(name, space, **{**_SEARCHING.get(name, {}), **(options or {})})
