r"""Bayesian optimisation of several objectives by expected hypervolume improvement.

With independent normal beliefs the expectation is a sum over the boxes between the front and the ideal (Emmerich et
al., 2006; Yang et al., 2019). Boxes here are cells of the grid of the front's values in all objectives but the first;
above a cell the first objective must exceed what the front has there, t, so that

.. math:: EHVI(x) = \sum_q EI_0(t_q) \prod_{m>0} (EI_m(low_{qm}) - EI_m(high_{qm}))

with one-objective expected improvements EI. A known objective, as a cost by formula, is a normal one of no width, and
leaves a sum over strips.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nag_jax.objectives.fronts import front_ranks, non_dominated
from nag_jax.predictors.labels import normalize
from nag_jax.spaces import NodeSpace
from nag_jax.strategies import surrogates
from nag_jax.strategies.acquisitions import log_improvement
from nag_jax.strategies.base import Domain, History, Strategy, complete, remember
from nag_jax.strategies.surrogates import Surrogate, data_of, padded_tokens
from nag_jax.system.errors import InputError
from nag_jax.system.once import once

KnownFn = Callable[[Any], Array]
"""Relaxed x `[B, N, V]` -> an objective that needs no label, `[B]`, higher is better, in its unit."""

_MOST_CELLS = 576
"""Cells of the grid at most; a finer front is thinned to its quantiles."""
_WIDTH = 1e-3
"""Standard deviation of a known objective, so that its logarithm has a slope; objectives run from 0 to 1."""
_MARGIN = 0.05
"""By how much the reference point lies below the worst label, so that the ends of the front count."""
_POOL = 1024
"""Candidates of a domain that isn't listed."""
_LEAST = 64
"""Architectures that one call is compiled for, or that many times a power of two."""
_LIST = 20_000
"""Architectures of a domain at most, all of which are candidates."""


class Cells(NamedTuple):
    """The boxes that hypervolume can still be won in.

    Attributes:
        thresholds: what the first objective must exceed there, `[Q]`; infinity for padding.
        low: lower corners in the other objectives, `[Q, M - 1]`.
        high: upper corners, likewise.
    """

    thresholds: Any
    low: Any
    high: Any


def make_cells(front: np.ndarray, reference: np.ndarray, ceiling: np.ndarray) -> Cells:
    """The cells above a front.

    Args:
        front: values of what nothing beats, `[F, M]`.
        reference: the reference point `[M]`.
        ceiling: what no value exceeds, `[M]`.

    Example:
        >>> cells = make_cells(np.array([[0.5, 0.5]]), np.zeros(2), np.ones(2))
        >>> cells.thresholds[:2].tolist(), cells.low[:2, 0].tolist(), cells.high[:2, 0].tolist()
        ([0.5, 0.0], [0.0, 0.5], [0.5, 1.0])
    """
    others = front.shape[1] - 1
    if not others:
        best = np.array([max(reference[0], front[:, 0].max(initial=reference[0]))])
        return Cells(best.astype(np.float32), np.zeros((1, 0), np.float32), np.zeros((1, 0), np.float32))
    most = int(_MOST_CELLS ** (1 / others))
    sides = [_levels(front[:, 1 + m], reference[1 + m], ceiling[1 + m], most) for m in range(others)]
    lows = np.stack(np.meshgrid(*(side[:-1] for side in sides), indexing="ij"), axis=-1).reshape(-1, others)
    highs = np.stack(np.meshgrid(*(side[1:] for side in sides), indexing="ij"), axis=-1).reshape(-1, others)
    middles = (lows + highs) / 2
    covered = (front[None, :, 1:] >= middles[:, None]).all(axis=2)
    thresholds = np.where(covered, front[None, :, 0], reference[0]).max(axis=1, initial=reference[0])
    missing = max(0, most**others - len(lows))
    pad = [np.full(missing, np.inf), *(np.zeros((missing, others)) for _ in range(2))]
    return Cells(
        *(np.concatenate([a, b]).astype(np.float32) for a, b in zip((thresholds, lows, highs), pad, strict=True))
    )


def _levels(values: np.ndarray, least: float, greatest: float, most: int) -> np.ndarray:
    """Increasing bounds of at most so many intervals, which include the ends."""
    inner = np.unique(values[(values > least) & (values < greatest)])
    if len(inner) > most - 1:
        inner = inner[np.linspace(0, len(inner) - 1, most - 1).round().astype(int)]
    return np.concatenate([[least], inner, [greatest]])


def log_improvement_of(means: Array, deviations: Array, cells: Cells) -> Array:
    """The logarithm `[B]` of expected hypervolume improvement for independent normal objectives, `[B, M]` each."""

    def log_gain(m, level):
        std = deviations[:, m, None]
        return log_improvement((means[:, m, None] - level[None]) / std) + jnp.log(std)

    total = jnp.where(jnp.isfinite(cells.thresholds)[None], log_gain(0, jnp.minimum(cells.thresholds, 1e3)), -jnp.inf)
    for m in range(1, means.shape[1]):
        low, high = log_gain(m, cells.low[:, m - 1]), log_gain(m, cells.high[:, m - 1])
        total += low + jnp.log(-jnp.expm1(jnp.minimum(high - low, -1e-7)))
    return jax.nn.logsumexp(total, axis=1)


def front_bo(
    domain: Domain,
    *,
    known: Mapping[int, KnownFn] = MappingProxyType({}),
    surrogate: str = "gaussian_process",
    surrogate_options: dict[str, Any] | None = None,
    labels: str = "normal",
    pool_size: int = 0,
    capacity: int = 64,
) -> Strategy:
    """Labels the candidates with the highest expected hypervolume improvement.

    Candidates are all architectures of a small domain; otherwise random ones, and mutations of those that nothing
    beats. The members of a batch are chosen in turn, as if those before them had been as good as expected.

    Args:
        domain: what may be proposed.
        known: the place of each objective that needs no label -> its value; the others are learned.
        surrogate: a name of `surrogates.REGISTRY`.
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
    model = surrogates.make(surrogate, domain.space, **(surrogate_options or {}))

    def ask(key, state, n, pending=None):
        fit_key, pool_key, rest_key = jax.random.split(key, 3)
        taken = state.awaiting(domain.space, pending).keys
        if len(state.succeeded()) < 2:
            return domain.random(rest_key, n, taken), state
        drawn = _candidates(domain, pool_key, state.succeeded(), pool_size, taken)
        candidates = domain.new(_cheapest_first(domain.space, known, drawn), taken)
        chosen = choose_batch(domain.space, model, fit_key, state.succeeded(), candidates, n, known, labels, capacity)
        return complete(domain, rest_key, candidates[chosen], n, taken), state

    return Strategy(ask=ask, **remember(domain))


def _candidates(domain: Domain, key: Array, history: History, size: int, taken: np.ndarray) -> np.ndarray:
    if not size and domain.listable and domain.space.size <= _LIST:
        return domain.space.all_tokens()
    size = size or _POOL
    keys = jax.random.split(key, 3)
    best = history.tokens[np.argsort(front_ranks(history.values), kind="stable")[:20]]
    children = domain.mutate(keys[1], np.resize(best, (size // 2, best.shape[1])))
    return np.concatenate([domain.random(keys[0], size - size // 2, taken), children, domain.mutate(keys[2], children)])


def _cheapest_first(space: NodeSpace, known: Mapping[int, KnownFn], tokens: np.ndarray) -> np.ndarray:
    """Tokens `[B, N]` in the order of what is known of them, so that of a class its cheapest member is proposed."""
    total = np.zeros(len(tokens))
    for function in known.values():
        values = _value_of(space, function)(padded_tokens(tokens, _LEAST))[: len(tokens)]
        total += values / (values.std() or 1.0)
    return tokens[np.argsort(-total, kind="stable")]


def choose_batch(
    space: NodeSpace,
    model: Surrogate,
    key: Array,
    history: History,
    candidates: np.ndarray,
    n: int,
    known: Mapping[int, KnownFn],
    labels: str,
    capacity: int,
) -> list[int]:
    """Rows of candidates, tokens `[C, N]`, in the order of their improvement, each given those before it.

    Values run from 0, a little below the worst label, to 1, the best: of a learned objective those of its normalised
    labels, so that a front is resolved where many labels are.
    """
    n = min(n, len(candidates))
    if not n:
        return []
    padded = padded_tokens(candidates, _LEAST)
    trained, means, deviations = [], [], []
    for m in range(history.values.shape[1]):
        if m in known:
            of_known = _value_of(space, known[m])
            paid, mean = of_known(padded_tokens(history.tokens, _LEAST))[: len(history)], of_known(padded)
            std = np.zeros(len(padded))
        else:
            paid = normalize(history.values[:, m], labels)
            mean, std = _belief(space, model)(
                jax.random.fold_in(key, m), data_of(space, history.tokens, paid, least=capacity), padded
            )
        low, high = float(paid.min()), float(max(paid.max(), paid.min() + 1e-6))
        base, width = low - _MARGIN * (high - low), (1 + _MARGIN) * (high - low)
        trained.append((paid - base) / width)
        means.append((np.asarray(mean) - base) / width)
        deviations.append(np.hypot(np.asarray(std) / width, _WIDTH))
    values, means, deviations = np.stack(trained, 1), np.stack(means, 1), np.stack(deviations, 1)
    ceiling = np.maximum(1.0, means.max(axis=0)) + 3.0 * deviations.max(axis=0)
    chosen: list[int] = []
    for _ in range(n):
        front = values[non_dominated(values)]
        cells = make_cells(front, np.zeros(values.shape[1]), ceiling)
        score = np.array(_score(means.astype(np.float32), deviations.astype(np.float32), cells))[: len(candidates)]
        score[chosen] = -np.inf
        chosen.append(int(np.argmax(score)))
        values = np.concatenate([values, means[chosen[-1:]]])
    return chosen


_score = jax.jit(log_improvement_of)


@once
def _belief(space: NodeSpace, model: Surrogate) -> Callable[..., tuple[Array, Array]]:
    """(key, data, tokens) -> mean and standard deviation after a fit, compiled."""
    return jax.jit(lambda key, data, tokens: model.predict(model.fit(key, data), space.encode(tokens)))


@once
def _value_of(space: NodeSpace, known: KnownFn) -> Callable[[np.ndarray], np.ndarray]:
    """A known objective of tokens, compiled."""
    compiled = jax.jit(lambda tokens: known(space.encode(tokens)))
    return lambda tokens: np.asarray(compiled(jnp.asarray(tokens)), np.float64)
