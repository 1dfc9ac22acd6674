"""Weights that somebody else trained, checked before they are used."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nag_jax.system.errors import InputError

_NAMED = 3
"""How many names an error lists."""


def check_weights(
    weights: Mapping[str, np.ndarray],
    shapes: Mapping[str, tuple[int, ...]],
    *,
    path: str | Path,
    network: str,
    ignored: tuple[str, ...] = (),
) -> dict[str, np.ndarray]:
    """The weights of a network as float32, once every name and shape is what the network has.

    Args:
        weights: arrays by name.
        shapes: what is expected, by name.
        path: where the weights are from, for messages.
        network: what they should be of, for messages.
        ignored: ends of names that the network has no use for.

    Raises:
        InputError: a name is missing or unknown, or an array has another shape, or isn't of finite numbers.
    """
    missing = [name for name in shapes if name not in weights]
    unknown = [name for name in weights if name not in shapes and not name.endswith(ignored)]
    if missing or unknown:
        parts = [
            f"{word} {', '.join(names[:_NAMED])}" + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
            for word, names in (("without", missing), ("with unknown", unknown))
            if names
        ]
        raise InputError(f"{path} isn't weights of {network}: found it {' and '.join(parts)}; use the right file")
    for name, shape in shapes.items():
        found = weights[name]
        if found.shape != tuple(shape):
            raise InputError(
                f"{path}: weight {name} must have the shape {list(shape)} for {network}, found {list(found.shape)}; "
                "use the right file"
            )
        if found.dtype.kind != "f" or not np.isfinite(found).all():
            raise InputError(f"{path}: weight {name} must hold finite floats, found others; save it again")
    return {name: np.asarray(weights[name], np.float32) for name in shapes}
