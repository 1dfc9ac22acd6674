"""Bayesian optimisation of several objectives by expected hypervolume improvement, `strategies.hypervolume`."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_jax.objectives.fronts import front_ranks, non_dominated
from nag_jax.predictors.labels import normalize_each
from nag_jax.spaces import NodeSpace
from nag_jax.strategies import surrogates
from nag_jax.strategies.base import Domain, History, Strategy, complete, remember
from nag_jax.strategies.hypervolume import UnitsFn, log_improvement_of, make_cells
from nag_jax.strategies.surrogates import Surrogate, data_of, padded_tokens
from nag_jax.strategies.surrogates.base import padded_capacity
from nag_jax.strategies.surrogates.costs import of_costs
from nag_jax.system.errors import InputError
from nag_jax.system.once import once

KnownFn = Callable[[Any], Array]
"""Relaxed x `[B, N, V]` -> an objective that needs no label, `[B]`, higher is better, in its unit."""

_WIDTH = 1e-3
"""Standard deviation of a known objective, so that its logarithm has a slope; objectives run from 0 to 1."""
_MARGIN = 0.05
"""By how much the reference point lies below the worst label, so that the ends of the front count."""
_POOL = 1024
"""Candidates of a domain that isn't listed."""
_LEAST = 64
"""Architectures that one call is compiled for, or that many times a power of two."""
_MEASUREMENTS = 256
"""The latest measurements that a model of costs learns from: more make it slower, and hardly better."""
_FINALISTS = 512
"""Candidates that the members of a batch after the first are chosen from."""
_LIST = 20_000
"""Architectures of a domain at most, all of which are candidates."""


class Given(NamedTuple):
    """What `front_bo` was made with; see there.

    Attributes:
        space: the space of the architectures.
        surrogate: the model of paid objectives.
        known: the objectives that need no label.
        measured: measurements beside the trials.
        worst: the worst values that count.
        labels: the normalisation of labels.
        capacity: labels that a fit is compiled for.
    """

    space: NodeSpace
    surrogate: Surrogate
    known: Mapping[int, KnownFn]
    measured: Mapping[int, tuple[np.ndarray, np.ndarray]]
    worst: Mapping[int, float]
    labels: str
    capacity: int


def front_bo(
    domain: Domain,
    *,
    known: Mapping[int, KnownFn] = MappingProxyType({}),
    measured: Mapping[int, tuple[np.ndarray, np.ndarray]] = MappingProxyType({}),
    worst: Mapping[int, float] = MappingProxyType({}),
    surrogate: str = "gaussian_process",
    surrogate_options: dict[str, Any] | None = None,
    labels: str = "normal",
    pool_size: int = 0,
    capacity: int = 64,
) -> Strategy:
    """Labels the candidates with the highest expected hypervolume improvement.

    Candidates are all architectures of a small domain; otherwise random ones, and mutations of those that nothing
    beats. The members of a batch are chosen in turn, as if those before them had been as good as expected. Of what
    computes the same, the member that is expected to cost least is the candidate.

    Args:
        domain: what may be proposed.
        known: the place of each objective that needs no label -> its value.
        measured: the place of each objective that was measured, as a latency -> tokens `[Q, N]` and values `[Q]`, which
            a model of costs learns from beside the trials.
        worst: the place of an objective -> the worst value that counts, higher is better. Elsewhere it lies a little
            below the worst that there is.
        surrogate: a name of `surrogates.REGISTRY`, which models the other objectives.
        surrogate_options: options of the surrogate.
        labels: the normalisation of labels; see `predictors.labels.normalize`.
        pool_size: candidates of a round; 0 takes all of a small domain, and 1,024 of others.
        capacity: labels that a fit is compiled for.

    Raises:
        InputError: a name or an option is wrong.

    Example:
        >>> from nag_jax import spaces
        >>> strategy = front_bo(Domain(spaces.make("nasbench_graph")))
        >>> tokens, _ = strategy.ask(jax.random.key(0), strategy.init(jax.random.key(1)), 3)
        >>> tokens.shape
        (3, 5)
    """
    if pool_size < 0 or capacity < 1:
        raise InputError(f"front_bo needs pool_size >= 0 and capacity >= 1, found {pool_size} and {capacity}")
    space = domain.space
    model = surrogates.make(surrogate, space, **(surrogate_options or {}))
    given = Given(space, model, known, measured, worst, labels, capacity)

    def ask(key, state, n, pending=None):
        fit_key, pool_key, rest_key = jax.random.split(key, 3)
        taken, good = state.awaiting(space, pending).keys, state.succeeded()
        if len(good) < 2:
            return domain.random(rest_key, n, taken), state
        drawn = _candidates(domain, pool_key, good, pool_size, taken)
        costs = {place: believe(given, fit_key, place, good, drawn) for place in sorted({*known, *measured})}
        order = _cheapest_first(costs, len(drawn))
        candidates = domain.new(drawn[order], taken)
        if not len(candidates):
            return complete(domain, rest_key, candidates, n, taken), state
        row = {tokens.tobytes(): i for i, tokens in enumerate(drawn)}
        rows = np.array([row[tokens.tobytes()] for tokens in candidates])
        beliefs = [
            costs[place].of(rows) if place in costs else believe(given, fit_key, place, good, candidates)
            for place in range(good.values.shape[1])
        ]
        return complete(domain, rest_key, candidates[choose_batch(beliefs, n)], n, taken), state

    return Strategy(ask=ask, **remember(domain))


def _candidates(domain: Domain, key: Array, history: History, size: int, taken: np.ndarray) -> np.ndarray:
    if not size and domain.listable and domain.space.size <= _LIST:
        return domain.space.all_tokens()
    size = size or _POOL
    keys = jax.random.split(key, 3)
    best = history.tokens[np.argsort(front_ranks(history.values), kind="stable")[:20]]
    children = domain.mutate(keys[1], np.resize(best, (size // 2, best.shape[1])))
    return np.concatenate([domain.random(keys[0], size - size // 2, taken), children, domain.mutate(keys[2], children)])


class Belief(NamedTuple):
    """What is believed of one objective.

    Attributes:
        told: values of the trials, `[T]`, on the model's scale.
        means: expected values of the candidates, `[C]`, on that scale.
        deviations: their standard deviations, `[C]`.
        worst: the worst that counts, on that scale.
        to_units: brings values back to a scale that is linear in the metric.
    """

    told: np.ndarray
    means: np.ndarray
    deviations: np.ndarray
    worst: float
    to_units: UnitsFn

    def of(self, rows: np.ndarray) -> "Belief":
        """The belief of some of the candidates."""
        return self._replace(means=self.means[rows], deviations=self.deviations[rows])


def believe(given: Given, key: Array, place: int, history: History, candidates: np.ndarray) -> Belief:
    """The belief of the objective at that place, of candidates, tokens `[C, N]`, after all trials that didn't fail."""
    told, bound = history.values[:, place], given.worst.get(place)
    if place in given.known:
        means = _value_of(given.space, given.known[place])(padded_tokens(candidates, _LEAST))[: len(candidates)]
        worst = min(told.min(), means.min()) if bound is None else bound
        return Belief(told, means, np.zeros(len(means)), worst, np.asarray)
    tokens, values, model, labels = history.tokens, told, given.surrogate, given.labels
    if place in given.measured:
        tokens = np.concatenate([given.measured[place][0], tokens])[-_MEASUREMENTS:]
        values = np.concatenate([given.measured[place][1], told])[-_MEASUREMENTS:]
        model, labels = of_costs(given.space), "z"
    values = values if bound is None else np.maximum(values, bound)
    normalized, scales = normalize_each(values[:, None], labels)
    means, deviations = _learn(given.space, model)(
        jax.random.fold_in(key, place),
        data_of(given.space, tokens, normalized[:, 0], least=given.capacity),
        padded_tokens(candidates, _LEAST),
    )
    means, deviations = (np.asarray(each, np.float64)[: len(candidates)] for each in (means, deviations))
    told = scales.column_from_units(told)
    if bound is not None:
        worst = float(scales.column_from_units(np.array([bound]))[0])
    else:
        worst = min(told.min(), means.min()) if place in given.measured else told.min()
    return Belief(told, means, deviations, worst, scales.column_to_units)


def _cheapest_first(costs: Mapping[int, Belief], count: int) -> np.ndarray:
    """Rows of candidates in the order of their costs, so that of a class its cheapest member is proposed."""
    total = np.zeros(count)
    for belief in costs.values():
        total += belief.means / (belief.means.std() or 1.0)
    return np.argsort(-total, kind="stable")


def choose_batch(beliefs: Sequence[Belief], n: int) -> list[int]:
    """Rows of candidates in the order of their improvement, each given those before it.

    On its model's scale an objective runs from 0, a little below the worst that counts, to 1, the best label;
    hypervolume is that of units.
    """
    values, means, deviations, to_units = [], [], [], []
    for belief in beliefs:
        span = max(float(belief.told.max() - belief.worst), 1e-6)
        base, width = belief.worst - _MARGIN * span, (1 + _MARGIN) * span
        values.append((belief.told - base) / width)
        means.append((belief.means - base) / width)
        deviations.append(np.hypot(belief.deviations / width, _WIDTH))
        to_units.append(lambda v, belief=belief, base=base, width=width: belief.to_units(v * width + base))
    return _greedy(np.stack(values, 1), np.stack(means, 1), np.stack(deviations, 1), to_units, n)


def _greedy(
    values: np.ndarray, means: np.ndarray, deviations: np.ndarray, to_units: Sequence[UnitsFn], n: int
) -> list[int]:
    """What adds most, in turn; after the first of a batch only the best are left, for what one adds only falls."""
    ceiling = np.maximum(1.0, means.max(axis=0)) + 3.0 * deviations.max(axis=0)
    rows, chosen = np.arange(len(means)), []
    for _ in range(min(n, len(means))):
        cells = make_cells(values[non_dominated(values)], np.zeros(values.shape[1]), ceiling, to_units)
        padding = (0, padded_capacity(len(rows), _LEAST) - len(rows)), (0, 0)
        padded = (np.pad(each.astype(np.float32), padding, mode="edge") for each in (means, deviations))
        score = np.array(_score(*padded, cells))[: len(rows)]
        score[np.isin(rows, chosen)] = -np.inf
        best = int(np.argmax(score))
        chosen.append(int(rows[best]))
        values = np.concatenate([values, means[best : best + 1]])
        if len(rows) > _FINALISTS:
            kept = np.argsort(-score, kind="stable")[:_FINALISTS]
            rows, means, deviations = rows[kept], means[kept], deviations[kept]
    return chosen


_score = jax.jit(log_improvement_of)


@once
def _learn(space: NodeSpace, model: Surrogate) -> Callable[..., tuple[Array, Array]]:
    """(key, data, tokens) -> mean and standard deviation after a fit, compiled."""
    return jax.jit(lambda key, data, tokens: model.predict(model.fit(key, data), space.encode(tokens)))


@once
def _value_of(space: NodeSpace, known: KnownFn) -> Callable[[np.ndarray], np.ndarray]:
    """A known objective of tokens, compiled."""
    compiled = jax.jit(lambda tokens: known(space.encode(tokens)))
    return lambda tokens: np.asarray(compiled(jnp.asarray(tokens)), np.float64)
