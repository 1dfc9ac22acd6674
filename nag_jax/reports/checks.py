"""The check of the numbers that this room is given: finite vectors."""

import numpy as np

from nag_jax.system.errors import InputError


def finite_vector(values, what: str) -> np.ndarray:
    """Returns values as float64 `[n]`.

    Args:
        values: any sequence of numbers.
        what: what they are, for the message.

    Raises:
        InputError: they are no vector, none at all, or not all finite.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not values.size:
        raise InputError(f"{what}: expected a non-empty vector, found the shape {list(values.shape)}")
    failed = int((~np.isfinite(values)).sum())
    if failed:
        raise InputError(f"{what}: {failed} of {values.size} are not finite: leave failed trials out")
    return values
