"""What a training that was stopped is worth: its last value, or where its curve leads."""

import numpy as np

from nag_jax.trials import Trial

_LEAST_POINTS = 4
"""Points from which a power law of three parameters is fitted; with fewer, the last value stands."""
_EXPONENTS = np.linspace(0.1, 2.0, 20)
"""The exponents that are tried; the other two parameters of a power law are linear."""


def last_value(trial: Trial, epochs: int) -> dict[str, float]:
    """The values of a trial as they are."""
    del epochs
    return trial.values


def power_law(trial: Trial, epochs: int) -> dict[str, float]:
    """The values that a power law of each metric's curve gives after so many epochs.

    Args:
        trial: the trial; metrics that its curve lacks keep their values.
        epochs: the epochs of a full training.
    """
    return {
        name: extrapolate(np.array([point[name] for point in trial.curve if name in point]), epochs, value)
        for name, value in trial.values.items()
    }


def extrapolate(values: np.ndarray, epochs: int, last: float = np.nan) -> float:
    """Where a curve leads by the least squares of `a - b * epoch ** -c`, c from 0.1 to 2, for epochs from 1 on.

    Args:
        values: one for each epoch, `[E]`.
        epochs: the epoch that is asked for.
        last: what is given where the curve is too short or not finite.

    Example:
        >>> round(extrapolate(90.0 - 40.0 / np.arange(1, 9), 80), 2)
        89.5
    """
    if len(values) < _LEAST_POINTS or not np.isfinite([*values, last if np.isfinite(last) else 0.0]).all():
        return last
    epoch = np.arange(1, len(values) + 1, dtype=float)
    found = []
    for exponent in _EXPONENTS:
        terms = np.stack([np.ones_like(epoch), epoch**-exponent], axis=1)
        (limit, slope), *_ = np.linalg.lstsq(terms, values, rcond=None)
        found.append((float(((terms @ (limit, slope) - values) ** 2).sum()), limit + slope * epochs**-exponent))
    return float(min(found)[1])
