"""The networks of a space for a data set, as evaluators that build them need them."""

import hashlib
import json
from typing import Any

import jax
import numpy as np

from nag_jax.datasets.examples import Parts
from nag_jax.spaces.any_network import AnyNetwork
from nag_jax.spaces.capabilities import Trainable
from nag_jax.system.errors import InputError


def networks_of(space: Any, data: Parts, sizes: dict[str, int]) -> tuple[Any, AnyNetwork]:
    """The space, NAS-Bench-201 where it is None, and its networks for a data set.

    Args:
        space: the space of the architectures, or None.
        data: the parts of the data set.
        sizes: the sizes of the networks, as the space's `any_network` takes them; {} for its own.

    Raises:
        InputError: no network of the space can be trained, there is no such size, or the examples don't fit.
    """
    from nag_jax import spaces

    chosen: Any = spaces.make("nasbench201") if space is None else space
    named, tokens = chosen.name, jax.ShapeDtypeStruct(chosen.allowed.shape[:1], np.int32)
    if not isinstance(chosen, Trainable):
        able = [name for name in spaces.REGISTRY if isinstance(spaces.make(name), Trainable)]
        raise InputError(f"{named} has no network to train: use one of {', '.join(able)}")
    try:
        network = chosen.any_network(num_classes=len(data.classes), **sizes)
    except TypeError as error:
        raise InputError(f"the networks of {named} don't have the sizes {sorted(sizes)} ({error})") from error
    # Examples that don't fit the networks are refused now, and not after architectures were generated.
    jax.eval_shape(network.init, jax.random.key(0), tokens, data.training.inputs[:1])
    return chosen, network


def digest(*facts: Any) -> str:
    """A digest of facts that JSON can write."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
