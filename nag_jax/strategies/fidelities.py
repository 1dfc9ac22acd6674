"""Values of several fidelities as strategies learn from them: one of each architecture, comparable with the others."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from nag_jax.trials import Trial

Rungs = Sequence[Mapping[int | str, Trial]]
"""The trials of every fidelity by canonical key, the lowest first."""


def comparable(rungs: Rungs, metrics: Sequence[str]) -> list[Trial]:
    """The trial of the highest fidelity of each architecture, in the order in which they were begun.

    Values of a lower fidelity are shifted by what going on changes: for every step to the next fidelity, the median
    change of those that took it. So those that went on aren't ahead, or behind, for having gone on alone.

    Args:
        rungs: the trials.
        metrics: the metrics whose values are shifted.
    """
    shifts = [_shift(below, above, metrics) for below, above in itertools.pairwise(rungs)]
    highest = {key: level for level, rung in enumerate(rungs) for key in rung}
    return [
        _shifted(rungs[level][key], {name: sum(shift[name] for shift in shifts[level:]) for name in metrics})
        for key, level in highest.items()
    ]


def _shift(
    below: Mapping[int | str, Trial], above: Mapping[int | str, Trial], metrics: Sequence[str]
) -> dict[str, float]:
    """The median change of each metric; 0 where nothing is known of it."""
    both = [key for key in above if key in below]
    found = {name: np.array([above[key].values[name] - below[key].values[name] for key in both]) for name in metrics}
    known = {name: changes[np.isfinite(changes)] for name, changes in found.items()}
    return {name: float(np.median(changes)) if len(changes) else 0.0 for name, changes in known.items()}


def _shifted(trial: Trial, by: Mapping[str, float]) -> Trial:
    return dataclasses.replace(trial, values={name: value + by.get(name, 0.0) for name, value in trial.values.items()})
