"""Guidance: how objectives and budgets bend what a generator believes.

`REGISTRY` holds the guides that a config can name; `chain` joins them.
"""

import inspect

from nag_jax.guidance.band import cost_band
from nag_jax.guidance.guide import Guide, ValueFn, chain, identity
from nag_jax.guidance.tilt import class_tilt
from nag_jax.system.options import check_options, find

REGISTRY = {"class_tilt": class_tilt, "cost_band": cost_band, "identity": identity}

__all__ = ["REGISTRY", "Guide", "ValueFn", "chain", "make"]


def make(name: str, **options) -> Guide:
    """Makes the guide of that name.

    Args:
        name: a key of `REGISTRY`, or `FILE.py:NAME` of a function of your own.
        **options: its keyword arguments; `value_fn` may be given to any of them, and those that have none go without.

    Raises:
        InputError: no guide has that name, it has no such option or lacks one that it needs.

    Example:
        >>> make("class_tilt", value_fn=lambda x, progress, args: x.sum((1, 2))).coupled
        False
    """
    if not takes_value(name):
        options.pop("value_fn", None)
    return check_options("guidance", name, REGISTRY, options)(**options)


def takes_value(name: str) -> bool:
    """Whether the guide of that name is by a value; see `make`.

    Example:
        >>> takes_value("class_tilt"), takes_value("identity")
        (True, False)
    """
    return "value_fn" in inspect.signature(find("guidance", name, REGISTRY)).parameters
