"""Utilities: one number of the objectives' values.

A utility maps values `[..., M]`, higher is better, to `[...]`, higher is better, of NumPy's and of JAX's arrays alike
and differentiably. What is to be minimised counts negative, so 3 ms of a latency are -3.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nag_jax.system.errors import InputError
from nag_jax.system.once import once
from nag_jax.system.options import check_options

Utility = Callable[[Any], Any]
"""Values `[..., M]` -> utility `[...]`, higher is better; see the module."""


@once
def identity() -> Utility:
    """The value of the only objective, which is what a run has that names no other utility."""

    def utility(values):
        if values.shape[-1] != 1:
            raise InputError(
                f"the utility 'identity' is of one objective, found {values.shape[-1]}: use 'weighted_sum' or "
                "'chebyshev', or FILE.py:NAME of your own"
            )
        return values[..., 0]

    return utility


@once
def weighted_sum(*, weights: Sequence[float]) -> Utility:
    """`sum_i w_i v_i`: what a unit of each objective is worth. Its best architectures lie on the convex hull.

    Args:
        weights: the weight of each objective, in its order.
    """
    weights = tuple(map(float, weights))

    def utility(values):
        _check(values, weights, "weights")
        return sum(weight * values[..., i] for i, weight in enumerate(weights))

    return utility


@once
def chebyshev(*, weights: Sequence[float], ideal: Sequence[float]) -> Utility:
    """`-max_i w_i (ideal_i - v_i)`: the objective that lacks most counts (Miettinen, 1999, section 3.4.3).

    With positive weights and an ideal that nothing reaches, every point of the Pareto front is the best for some
    weights, those between the corners of its convex hull included.

    Args:
        weights: the weight of each objective, in its order.
        ideal: the values that are aimed at, in the same order; negative for what is to be minimised.
    """
    weights, ideal = tuple(map(float, weights)), tuple(map(float, ideal))

    def utility(values):
        _check(values, weights, "weights")
        _check(values, ideal, "ideal values")
        lacking = [w * (best - values[..., i]) for i, (w, best) in enumerate(zip(weights, ideal, strict=True))]
        return -values.__array_namespace__().stack(lacking, axis=-1).max(axis=-1)

    return utility


REGISTRY: dict[str, Callable[..., Utility]] = {
    "chebyshev": chebyshev,
    "identity": identity,
    "weighted_sum": weighted_sum,
}
"""The name of each utility, and the function that makes it; its keyword arguments are the options."""


def make(name: str, num_objectives: int, **options) -> Utility:
    """Makes the utility of that name, and tries it on values of so many objectives.

    Args:
        name: a key of `REGISTRY`, or `FILE.py:NAME` of a function of your own that returns a utility.
        num_objectives: M.
        **options: keyword arguments of the function there.

    Raises:
        InputError: no utility has that name, it has no such option or lacks one that it needs, or what it makes isn't
            one number of M values.

    Example:
        >>> make("weighted_sum", 2, weights=(1.0, 0.5))(np.array([[90.0, -4.0], [92.0, -6.0]])).tolist()
        [88.0, 89.0]
    """
    utility: Any = check_options("utility", name, REGISTRY, options)(**options)
    if not callable(utility):
        raise InputError(f"utility {name!r} must be a function that returns one of values [..., M], found {utility!r}")
    tried: Any = utility(np.zeros((2, 3, num_objectives), np.float32))
    found = np.shape(tried)
    if found != (2, 3):
        raise InputError(
            f"utility {name!r} must make values [2, 3] of [2, 3, {num_objectives}], found {list(found)}: correct it"
        )
    return utility


def of_trials(utility: Utility, values: Any) -> np.ndarray:
    """The utility float64 `[...]` of trials' values `[..., M]`; NaN where one is not finite, as in failed trials.

    Example:
        >>> of_trials(identity(), [[0.5], [np.nan]]).tolist()
        [0.5, nan]
    """
    values = np.asarray(values, np.float64)
    known = np.isfinite(values).all(axis=-1)
    return np.where(known, np.asarray(utility(np.where(known[..., None], values, 0.0)), np.float64), np.nan)


def _check(values: Any, numbers: Sequence[float], what: str) -> None:
    """Raises InputError where there isn't a number for each objective."""
    if values.shape[-1] != len(numbers):
        raise InputError(f"expected as many {what} as objectives, {values.shape[-1]}, found {len(numbers)}")
