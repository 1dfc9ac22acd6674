"""Measures of a pool of architectures: how good, how varied and how new it is.

Values are *higher is better* throughout: of an objective that is to be minimised, pass the negated values,
and regrets keep their sign. Functions that need true values take them as plain arrays, so nothing here can
read a label that was not handed over.
"""

import math
from typing import NamedTuple

import numpy as np

from nag_jax.generators.contract import Samples
from nag_jax.reports.checks import finite_vector
from nag_jax.spaces import Space
from nag_jax.spaces.capabilities import HasPaths
from nag_jax.system.errors import InputError


class PoolMetrics(NamedTuple):
    """What a pool of samples is made of; shares lie in 0..1 and are None where there is nothing to share.

    Attributes:
        samples: size of the pool, valid or not.
        validity_threshold: share of the samples that are architectures when cut at 0 (the published rule).
        validity_argmax: share of the samples that are architectures when each row's largest entry is taken.
            Never less than `validity_threshold`.
        connectivity: share of the valid whose output depends on their input, in spaces with paths; validity does not
            ask for it.
        distinct: architectures that differ, among the valid.
        distinct_share: `distinct` over the number of valid samples (the published uniqueness).
        distinct_canonical: architectures that compute different things, among the valid.
        novelty: share of the distinct that are not in the training split; None where no split was held out.
        diversity: `pairwise_hamming` of the valid, in nodes.

    "The valid" are those by argmax, the rule that architectures are read with.
    """

    samples: int
    validity_threshold: float
    validity_argmax: float
    connectivity: float | None
    distinct: int
    distinct_share: float | None
    distinct_canonical: int
    novelty: float | None
    diversity: float | None


class Quality(NamedTuple):
    """Greatest, mean and least value of a pool, in the values' own unit."""

    max: float
    mean: float
    min: float


def pool_metrics(space: Space, samples: Samples, *, training_tokens=None) -> PoolMetrics:
    """Describes a pool of samples.

    Args:
        space: the space that they were sampled in.
        samples: the pool, as a generator's sampler returns it.
        training_tokens: `[M, N]`, the training split, where some of the space was held out of it.

    Raises:
        InputError: the pool is empty.
    """
    tokens, valid, sharp = map(np.asarray, samples)
    if not len(tokens):
        raise InputError("an empty pool has no metrics: expected one sample or more")
    tokens = tokens[valid]
    unique = tokens[distinct(tokens)]
    return PoolMetrics(
        samples=len(valid),
        validity_threshold=float(sharp.mean()),
        validity_argmax=float(valid.mean()),
        connectivity=_connectivity(space, tokens),
        distinct=len(unique),
        distinct_share=_share(len(unique), len(tokens)),
        distinct_canonical=len(np.unique(space.canonical(unique))),
        novelty=None if training_tokens is None else _novelty(unique, training_tokens),
        diversity=pairwise_hamming(tokens) if len(tokens) else None,
    )


def _connectivity(space: Space, tokens: np.ndarray) -> float | None:
    return _share(np.asarray(space.connected(tokens)).sum(), len(tokens)) if isinstance(space, HasPaths) else None


def distinct(tokens) -> np.ndarray:
    """Where each different row of tokens `[B, N]` first occurs: ascending indices int64 `[D]`."""
    tokens = np.asarray(tokens)
    if not len(tokens):
        return np.zeros(0, np.int64)
    return np.sort(np.unique(_keys(tokens), return_index=True)[1])


def expected_distinct(size: float, n: int) -> float:
    """Expected share, in 0..1, of distinct ones among n uniform draws from `size` architectures.

    `size * (1 - (1 - 1 / size)^n) / n`: 0.969 for 1,000 draws of 15,625. What an honest sampler that learned
    the uniform distribution shows, no more and no less.
    """
    if size < 1 or n < 1:
        raise InputError(f"expected at least one architecture and one draw, found size {size} and n {n}")
    if size == 1:
        return 1 / n
    return -size * math.expm1(n * math.log1p(-1 / size)) / n


def pairwise_hamming(tokens) -> float:
    """Mean number of nodes in which two different samples of a pool differ, in 0..N; 0 for a pool of one.

    With class c occurring n_c times at a node: `sum_c n_c (B - n_c) / (B (B - 1))`, summed over nodes.

    Args:
        tokens: `[B, N]`, B at least 1; repeated rows are samples of their own.
    """
    tokens = np.asarray(tokens)
    b = len(tokens)
    if not b:
        raise InputError("an empty pool has no diversity: expected tokens [B, N] with B at least 1")
    if b == 1:
        return 0.0
    same = sum(float((np.bincount(column).astype(float) ** 2).sum()) for column in tokens.T)
    return (tokens.shape[1] * b**2 - same) / (b * (b - 1))


def quality(values) -> Quality:
    """Greatest, mean and least of the values `[K]` of a pool's distinct architectures (see `distinct`)."""
    values = finite_vector(values, "values of the pool")
    return Quality(max=float(values.max()), mean=float(values.mean()), min=float(values.min()))


def top_means(values, ranking=None) -> np.ndarray:
    """Mean value of the top K, for every K: float64 `[A]`, whose entry K - 1 is the mean over the top K.

    Architectures that rank alike count with their mean value (what breaking ties at random gives on average),
    so the order of the arrays does not matter.

    Args:
        values: `[A]`, true values.
        ranking: `[A]`, what orders them, highest first; the values themselves by default.
    """
    values = finite_vector(values, "values")
    ranking = values if ranking is None else finite_vector(ranking, "predictions")
    if len(ranking) != len(values):
        raise InputError(f"expected a prediction a value, found {len(ranking)} for {len(values)} values")
    _, group, counts = np.unique(-ranking, return_inverse=True, return_counts=True)
    means = np.bincount(group, weights=values) / counts
    return np.cumsum(np.repeat(means, counts)) / np.arange(1, len(values) + 1)


def pool_regret(all_values, generated_values) -> float:
    """Mean of the best possible K architectures minus that of the K distinct generated ones; at least 0.

    In the values' own unit. It is 0 exactly where no other K architectures have a higher mean.

    Args:
        all_values: `[A]`, true values of the whole space.
        generated_values: `[K]`, true values of the distinct generated architectures, 1 <= K <= A.
    """
    generated = finite_vector(generated_values, "values of the generated")
    return _shortfall(top_means(all_values), generated)


def guidance_gap(all_values, all_predictions, generated_values) -> float:
    """Mean true value of the predictor's own top K of the whole space minus that of the K distinct generated.

    In the values' own unit. It is what the guided search loses against asking the predictor about every
    architecture: below 0 where the generated ones are the better.

    Args:
        all_values: `[A]`, true values of the whole space.
        all_predictions: `[A]`, what the predictor says of the same architectures, in any monotone unit.
        generated_values: `[K]`, true values of the distinct generated architectures, 1 <= K <= A.
    """
    generated = finite_vector(generated_values, "values of the generated")
    return _shortfall(top_means(all_values, all_predictions), generated)


def _shortfall(reference: np.ndarray, generated: np.ndarray) -> float:
    if len(generated) > len(reference):
        raise InputError(
            f"found {len(generated)} generated values in a space of {len(reference)}: "
            "pass those of distinct architectures"
        )
    return float(reference[len(generated) - 1] - generated.mean())


def _novelty(unique: np.ndarray, training_tokens) -> float | None:
    training_tokens = np.asarray(training_tokens)
    if training_tokens.ndim != 2 or training_tokens.shape[1] != unique.shape[1]:
        raise InputError(
            f"training tokens: expected the shape [M, {unique.shape[1]}], found {list(training_tokens.shape)}"
        )
    keys = _keys(np.concatenate([unique, training_tokens]))
    return _share(np.isin(keys[: len(unique)], keys[len(unique) :], invert=True).sum(), len(unique))


def _keys(tokens: np.ndarray) -> np.ndarray:
    """One sortable scalar a row: its bytes. (`np.unique(axis=0)` is several times slower.)"""
    tokens = np.ascontiguousarray(tokens, np.min_scalar_type(int(tokens.max())))
    return tokens.view(np.dtype((np.void, tokens.itemsize * tokens.shape[1]))).ravel()


def _share(part, whole) -> float | None:
    return float(part / whole) if whole else None
