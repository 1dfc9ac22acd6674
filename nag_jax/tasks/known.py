"""What is known of several objectives before anything is generated: by formula, by measurements, by paid labels."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nag_jax.guidance.pareto import Estimates
from nag_jax.objectives import Metric
from nag_jax.objectives.fronts import Box
from nag_jax.predictors.labels import normalize_each
from nag_jax.spaces import NodeSpace
from nag_jax.spaces.costs import Cost
from nag_jax.strategies import surrogates
from nag_jax.strategies.surrogates import Data, Surrogate, data_of
from nag_jax.strategies.surrogates.costs import of_costs
from nag_jax.system.once import once

PAID, MEASURED, FORMULA = "paid", "measured", "formula"
"""Kinds of objectives, by what a value of them costs."""
ADDITIVE = 0.97
"""Held-out Spearman correlation from which on a sum over nodes is all the model that a measured objective gets: servers
and simulators reach 0.98 or more with 100 measurements, phones 0.92, and 0.94 with a Gaussian process of the rest."""
_FOLDS = 5
_RIDGES = (0.01, 0.1, 1.0)
"""The least is as good as none where measurements outnumber choices; held-out measurements decide."""
_CAPACITY = 64


@dataclasses.dataclass(frozen=True)
class Sum:
    """A measured objective as a sum over nodes, with how it does on measurements that it wasn't fitted to.

    Attributes:
        cost: the sum, in the metric's unit.
        error: root mean square error of held-out predictions, in five folds.
        spearman: their rank correlation with the measurements.
    """

    cost: Cost
    error: float
    spearman: float


def fit_sum(space: NodeSpace, tokens: np.ndarray, values: np.ndarray) -> Sum:
    """The sum over nodes fitted to values `[B]` of tokens `[B, N]` by a ridge regression on their classes."""
    entries = (tokens[..., None] == np.arange(space.num_classes)).reshape(len(tokens), -1).astype(float)
    fold = np.random.default_rng(0).permutation(len(tokens)) % _FOLDS

    def fit(rows, ridge):
        mean = values[rows].mean()
        gram = entries[rows].T @ entries[rows] + ridge * np.eye(entries.shape[1])
        return mean, np.linalg.solve(gram, entries[rows].T @ (values[rows] - mean))

    def held_out(ridge):
        predicted = np.empty(len(values))
        for i in range(_FOLDS):
            mean, weights = fit(fold != i, ridge)
            predicted[fold == i] = mean + entries[fold == i] @ weights
        return float(np.sqrt(np.mean((predicted - values) ** 2))), rank_correlation(predicted, values)

    tried = {ridge: held_out(ridge) for ridge in _RIDGES}
    ridge = min(tried, key=lambda each: tried[each][0])
    constant, weights = fit(np.ones(len(values), bool), ridge)
    return Sum(Cost(float(constant), weights.reshape(space.allowed.shape)), *tried[ridge])


def rank_correlation(left: np.ndarray, right: np.ndarray) -> float:
    """Spearman's; 0 where either is constant."""
    from scipy.stats import spearmanr

    if not np.ptp(left) or not np.ptp(right):
        return 0.0
    return float(spearmanr(left, right).statistic)  # pyright: ignore[reportAttributeAccessIssue]


@once
def _fit_surrogate(surrogate: Surrogate) -> Callable[[jax.Array, Data], Any]:
    return jax.jit(surrogate.fit)


def learn_objective(surrogate: Surrogate, space: NodeSpace, tokens: np.ndarray, labels: np.ndarray) -> Any:
    """What a surrogate learns of normalised labels `[B]` of tokens `[B, N]`."""
    return _fit_surrogate(surrogate)(jax.random.key(0), data_of(space, tokens, labels, least=_CAPACITY))


@dataclasses.dataclass(frozen=True, eq=False)
class Known:
    """Models of M objectives, in the order that `Estimates` wants: those that are learned, then those that add up.

    Attributes:
        estimates: predicts all of them, in the models' own units, higher is better.
        args: what `estimates` is given.
        order: the place of each among the run's objectives.
        to_units: predicted means `[..., M]` in the models' units -> values `[..., M]` in the run's order and the
            metrics' units, higher is better.
        from_units: the inverse for one objective: (its place in the run's order, value) -> the model's unit.
        facts: how measured objectives are modelled, by name.
    """

    estimates: Estimates
    args: dict[str, Any]
    order: tuple[int, ...]
    to_units: Callable[[np.ndarray], np.ndarray]
    from_units: Callable[[int, float], float]
    facts: dict[str, dict[str, Any]]

    def predict(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation `[B, M]` of tokens `[B, N]`, in the models' order and units."""
        return predict(self.estimates, self.args, tokens)

    def values(self, tokens: np.ndarray, *, caution: float = 0.0) -> np.ndarray:
        """Predicted values `[B, M]` in the run's order and units, so many standard deviations below the mean."""
        means, deviations = self.predict(tokens)
        return self.to_units(means - caution * deviations)


_PIECE = 4096


def predict(estimates: Estimates, args: dict[str, Any], tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of tokens `[B, N]`, `[B, M]` each, in pieces of few sizes."""
    apply, parts = _compiled(estimates), []
    size = min(_PIECE, 1 << max(6, (len(tokens) - 1).bit_length()))
    for start in range(0, len(tokens), size):
        piece = tokens[start : start + size]
        padded = np.concatenate([piece, np.repeat(piece[-1:], size - len(piece), axis=0)])
        parts.append([np.asarray(each, np.float64)[: len(piece)] for each in apply(args, padded)])
    means, deviations = zip(*parts, strict=True)
    return np.concatenate(means), np.concatenate(deviations)


@once
def _compiled(estimates: Estimates) -> Callable:
    return jax.jit(lambda args, tokens: estimates(args, estimates.space.encode(tokens)))


def know(
    space: NodeSpace,
    metrics: tuple[Metric, ...],
    kinds: tuple[str, ...],
    *,
    costs: dict[str, Any],
    labels: tuple[np.ndarray, np.ndarray],
    measurements: tuple[np.ndarray, np.ndarray],
    normalization: str,
    reference: np.ndarray,
) -> Known:
    """Models of objectives by kind.

    Args:
        space: the space of the architectures.
        metrics: the objectives.
        kinds: the kind of each.
        costs: those that a formula gives, by name.
        labels: tokens `[L, N]` and values `[L, P]` of the paid ones, in their order, higher is better.
        measurements: tokens `[M, N]` and values `[M, Q]` of the measured ones, likewise.
        normalization: the normalisation of labels.
        reference: unlabelled architectures, `[R, N]`, whose spread is the unit of sums.
    """
    by_kind = {PAID: surrogates.make("gaussian_process", space), MEASURED: of_costs(space)}
    learned: list[tuple[int, Surrogate, Any, Any]] = []
    sums: list[tuple[int, Cost, float]] = []
    facts: dict[str, dict[str, Any]] = {}
    columns = {PAID: 0, MEASURED: 0}
    for place, (metric, kind) in enumerate(zip(metrics, kinds, strict=True)):
        if kind == FORMULA:
            sums.append((place, costs[metric.name], 0.0))
            continue
        tokens, values = labels if kind == PAID else measurements
        column, columns[kind] = values[:, columns[kind]], columns[kind] + 1
        if kind == MEASURED:
            found = fit_sum(space, tokens, metric.sign * column)
            facts[metric.name] = {
                "measurements": len(tokens),
                "held_out_rmse": found.error,
                "held_out_spearman": found.spearman,
                "model": "sum over nodes" if found.spearman >= ADDITIVE else "gaussian process",
            }
            if found.spearman >= ADDITIVE:
                sums.append((place, found.cost, found.error))
                continue
        normalized, scales = normalize_each(column[:, None], normalization)
        surrogate = by_kind[kind]
        learned.append((place, surrogate, learn_objective(surrogate, space, tokens, normalized[:, 0]), scales))
    return _assemble(space, metrics, learned, sums, facts, reference)


def _assemble(space, metrics, learned, sums, facts, reference) -> Known:
    order = tuple([place for place, *_ in learned] + [place for place, _, _ in sums])
    units = {place: float(cost.of(reference).std()) or 1.0 for place, cost, _ in sums}
    signs = {place: metrics[place].sign for place, _, _ in sums}
    scales = {place: scale for place, _, _, scale in learned}
    factors = np.array([signs[place] / units[place] for place, _, _ in sums], np.float64)
    shape = (len(sums), *space.allowed.shape)
    tables = np.stack([cost.table for _, cost, _ in sums]) if sums else np.zeros(shape)
    args = {
        "learned": tuple(posterior for _, _, posterior, _ in learned),
        "constants": np.asarray(factors * [cost.constant for _, cost, _ in sums], np.float32),
        "tables": np.asarray(factors[:, None, None] * tables, np.float32),
        "errors": np.asarray(np.abs(factors) * [error for _, _, error in sums], np.float32),
    }

    def to_units(means):
        values = np.empty(means.shape, np.float64)
        for i, place in enumerate(order):
            column = means[..., i : i + 1]
            if place in scales:
                values[..., place] = np.asarray(scales[place].to_units(jnp.asarray(column, jnp.float32)))[..., 0]
            else:
                values[..., place] = means[..., i] * units[place]
        return values

    def from_units(place, value):
        if place in units:
            return value / units[place]
        scale = scales[place]
        return float(np.interp(value, np.asarray(scale.units[0]), np.asarray(scale.normalized[0])))

    return Known(
        Estimates(space, tuple(surrogate.predict for _, surrogate, *_ in learned)),
        args,
        order,
        to_units,
        from_units,
        facts,
    )


def box_of(values: np.ndarray, worst: dict[int, float]) -> Box:
    """The box of values `[n, M]`: from the bounds, by place, or the least values, to the greatest."""
    least = np.nanmin(values, axis=0)
    for place, bound in worst.items():
        least[place] = bound
    return Box(least, np.nanmax(values, axis=0))
