"""Seeds: which numbers they may be."""

import operator

from nag_jax.system.errors import InputError

MOST_SEED = 2**32 - 1
"""JAX's keys are made of as many bits of a seed, and would take a larger one for a smaller, without a word."""


def check_seed(seed: int, name: str = "seed") -> int:
    """A seed as a Python integer.

    Args:
        seed: what was given for one.
        name: the name of its field, for the message.

    Raises:
        InputError: it isn't a whole number from 0 to `MOST_SEED`.

    Example:
        >>> check_seed(2**32 - 1)
        4294967295
    """
    try:
        value = operator.index(seed)
    except TypeError:
        value = -1
    if not 0 <= value <= MOST_SEED:
        raise InputError(f"{name} must be a whole number from 0 to {MOST_SEED}, found {str(seed)[:40]!r}")
    return value
