"""Many searches of listed tables at once, which differ in their task and their seed, by a surrogate and an acquisition.

What `strategies.bo` with the maximiser `exhaustive` and batches of one does, compiled for all searches of a space
together, so that a choice of its parts can be tried on many tasks.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench.suite_tasks import Listed, Task
from nag_jax.predictors import features
from nag_jax.predictors.labels import normalize
from nag_jax.predictors.wiring import chooses_wiring
from nag_jax.spaces import NodeSpace
from nag_jax.strategies import acquisitions, surrogates
from nag_jax.strategies.surrogates import Data
from nag_jax.strategies.surrogates.base import padded_capacity

AT_ONCE = 16
"""Searches whose predictions of all architectures are in memory at the same time."""
_LEAST = 64
"""Labels that a fit is compiled for, or that many times a power of two."""


class Choice(NamedTuple):
    """What is chosen: the parts of Bayesian optimisation.

    Attributes:
        surrogate: a name of `surrogates.REGISTRY`.
        options: options of the surrogate.
        labels: how labels are normalised, of `predictors.labels.NORMALIZATIONS`.
        acquisition: a name of `acquisitions.REGISTRY`.
        acquisition_options: options of the acquisition.
        incumbent: what is improved on, a name of `strategies.bo.INCUMBENTS`.
        initial: random labels that a search begins with.
        finer: whether the features are those of `finer_groups`.
    """

    surrogate: str = "gaussian_process"
    options: Mapping[str, Any] = {}
    labels: str = "regret"
    acquisition: str = "log_ei"
    acquisition_options: Mapping[str, Any] = {}
    incumbent: str = "label"
    initial: int = 10
    finer: bool = False


class Searched(NamedTuple):
    """What searches did.

    Attributes:
        rows: architectures labelled, in order, int `[S, budget]`.
        recommended: what has the highest posterior mean of what is labelled, by number of labels, int `[S, budget]`;
            before there is a surrogate it is what has the best label.
    """

    rows: np.ndarray
    recommended: np.ndarray


def search(where: Listed, tasks: Sequence[Task], seeds: Sequence[int], choice: Choice, budget: int) -> Searched:
    """Searches each task with the seed beside it; S searches in all.

    Args:
        where: the architectures of all tasks.
        tasks: the task of each search.
        seeds: its seed, which decides on the initial design alone.
        choice: the parts of Bayesian optimisation.
        budget: labels in all.
    """
    propose = _compiled(where, choice)
    number, observed = len(tasks), np.stack([task.observed for task in tasks])
    rows, recommended = np.zeros((number, budget), np.int64), np.zeros((number, budget), np.int64)
    first = [initial_rows(task, seed, choice.initial) for task, seed in zip(tasks, seeds, strict=True)]
    rows[:, : choice.initial] = first
    recommended[:, : choice.initial] = running_best(np.array(first), np.take_along_axis(observed, np.array(first), 1))
    for count in range(choice.initial, budget + 1):
        asked = _asked(rows[:, :count], observed, choice.labels)
        keys = jax.vmap(functools.partial(jax.random.fold_in, jax.random.key(count)))(np.arange(number))
        best, following = propose(keys, *asked)
        recommended[:, count - 1] = np.take_along_axis(rows, np.asarray(best)[:, None], axis=1)[:, 0]
        if count < budget:
            rows[:, count] = np.asarray(following)
    return Searched(rows, recommended)


def finer_groups(space: NodeSpace) -> tuple[str, ...]:
    """The default features with a finer group behind them, or a coarser one before, where the space has such."""
    if chooses_wiring(space):
        return ("profile", "links", "one_hot")
    if space.path_terms() is not None:
        return features.default(space)
    return (
        ("attribute_totals", "attribute_values", "attributes")
        if space.class_attributes
        else ("class_counts", "one_hot")
    )


def initial_rows(task: Task, seed: int, count: int) -> np.ndarray:
    """The first architectures of a search, the same ones for all that begin with as many."""
    return np.random.default_rng(seed).permutation(np.flatnonzero(np.isfinite(task.observed)))[:count]


def running_best(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Of rows `[S, T]` with labels `[S, T]`, by number of labels the one with the best label so far, `[S, T]`.

    The latest of equals, where `reports.trajectories.incumbents` takes the first.
    """
    place = np.where(values >= np.maximum.accumulate(values, axis=1), np.arange(values.shape[1]), 0)
    return np.take_along_axis(rows, np.maximum.accumulate(place, axis=1), axis=1)


def _asked(rows: np.ndarray, observed: np.ndarray, labels: str) -> tuple[np.ndarray, ...]:
    """Rows, normalised labels and mask, padded `[S, C]`, and what may not be proposed, `[S, A]`."""
    number, count = rows.shape
    capacity = padded_capacity(count, _LEAST)
    padded_rows, padded = np.zeros((number, capacity), np.int32), np.zeros((number, capacity), np.float32)
    padded_rows[:, :count] = rows
    for values, row in zip(np.take_along_axis(observed, rows, axis=1), padded, strict=True):
        row[:count] = normalize(values, labels)
    closed = ~np.isfinite(observed)
    np.put_along_axis(closed, rows, True, axis=1)
    return padded_rows, padded, np.broadcast_to(np.arange(capacity) < count, padded.shape), closed


def _compiled(where: Listed, choice: Choice) -> Callable:
    """(keys, rows `[S, C]`, labels `[S, C]`, mask, closed `[S, A]`) -> the best labelled and the next row of each."""
    groups = {"groups": finer_groups(where.space)} if choice.finer else {}
    model = surrogates.make(choice.surrogate, where.space, **choice.options, **groups)
    value = acquisitions.make(choice.acquisition, **choice.acquisition_options)
    every = jnp.asarray(where.space.encode(where.tokens))

    def decide(given):
        key, posterior, rows, labels, mask, closed = given
        mean, std = model.predict(posterior, every)
        means = jnp.where(mask, mean[rows], -jnp.inf)
        best = jnp.where(mask, labels, -jnp.inf).max() if choice.incumbent == "label" else means.max()
        noise = jax.random.normal(key, mean.shape, jnp.float32)
        return means.argmax(), jnp.where(closed, -jnp.inf, value(mean, std, best, noise)).argmax()

    @jax.jit
    def propose(keys, rows, labels, mask, closed):
        posteriors = jax.vmap(lambda key, *data: model.fit(key, Data(*data)))(keys, every[rows], labels, mask)
        return jax.lax.map(decide, (keys, posteriors, rows, labels, mask, closed), batch_size=AT_ONCE)

    return propose
