"""Whole numbers from outside, taken as they are or refused: nothing is rounded, and nothing wraps around."""

from typing import Any

import numpy as np

from nag_jax.system.errors import InputError


def whole_numbers(values: Any, what: str) -> np.ndarray:
    """Values as int64, of the shape that they have.

    Args:
        values: an array or nested lists.
        what: what they are, for the message, as "operations".

    Raises:
        InputError: they are ragged, of another type (also floats without a fraction), or beyond 64 bits.

    Example:
        >>> whole_numbers([[0, 4]], "operations").tolist()
        [[0, 4]]
    """
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{what} must form an array of whole numbers ({error})") from error
    if array.size and (array.dtype.kind not in "iu" or (array > np.iinfo(np.int64).max).any()):
        raise InputError(f"{what} must be whole numbers of at most 64 bits, found {array.dtype}: convert them first")
    return array.astype(np.int64)
