"""What `experiments.bench.sampling` says of pools: figures against the truth, and against what they should be."""

from typing import NamedTuple

import jax
import numpy as np

from nag_jax.generators.contract import all_valid
from nag_jax.guidance.refine import Tilt
from nag_jax.reports.generated import Truth, describe_values, known_truth
from nag_jax.tasks.learn import Learned, Run

POOLS, BINS = 8, 40
"""Pools of cells, for the bins need more than one, and the bins of values."""


class Pool(NamedTuple):
    """What a sampler made, in so many predictions and seconds."""

    tokens: np.ndarray
    calls: int
    seconds: float


class Fitted(NamedTuple):
    """A run that has learned, and what its guidance aims at."""

    run: Run
    learned: Learned
    tilt: Tilt


class Figures:
    """The figures of pools of a listable space whose true values are known."""

    def __init__(self, fitted: Fitted):
        self._run, self._learned, tilt = fitted
        truth = known_truth(self._run)
        assert isinstance(truth, Truth), "the evaluator has a table"
        self._truth = truth
        self._predictions = self._learned.predict(truth.tokens)
        weigh = jax.jit(lambda args, tokens: tilt.value(self._run.space.encode(tokens), args))  # pyright: ignore
        logs = np.asarray(weigh(self._learned.guidance, self._run.space.all_tokens()), np.float64)
        p = np.exp(logs - logs.max())
        values = self._learned.predict(self._run.space.all_tokens())
        self._edges = np.linspace(values[p > 1e-6].min(), values.max(), BINS + 1)
        self._expected = self._shares(values, p / p.sum())

    def _shares(self, values, weights=None) -> np.ndarray:
        inside = np.clip(values, self._edges[0], self._edges[-1])
        counts = np.histogram(inside, self._edges, weights=weights)[0]
        return counts / counts.sum()

    def of(self, pools: list[Pool]) -> dict[str, float]:
        """Means over pools; the total variation is that of all of them together."""
        values = [self._learned.predict(pool.tokens) for pool in pools]
        described = [describe_values(self._truth, all_valid(pool.tokens), self._predictions) for pool in pools]
        found = {
            "above": float(np.mean([(v > self._learned.guidance["target"]).mean() for v in values])),
            "distinct": float(np.mean([len(np.unique(pool.tokens, axis=0)) for pool in pools])),
            "mean": float(np.mean([d["value_mean"] for d in described])),
            "gap": float(np.mean([d["guidance_gap"] for d in described])),
            "seconds": min(pool.seconds for pool in pools),
            "calls": pools[0].calls,
        }
        if len(pools) == POOLS:
            found["variation"] = variation(self._shares(np.concatenate(values)), self._expected)
        return found


def figures_of(fitted: Fitted, pool: Pool) -> dict[str, float]:
    """Of a pool of networks: the share within the constraints, and of those the share above and the mean accuracy."""
    run, learned, _ = fitted
    good = run.constraints.hold(pool.tokens)
    tokens = pool.tokens[good]
    accuracy, predictions = run.evaluator(tokens)["accuracy"], learned.predict(tokens)
    return {
        "feasible": float(good.mean()),
        "above": float((predictions > learned.guidance["target"]).mean()),
        "mean": float(np.mean(accuracy)),
        "correlation": float(np.corrcoef(predictions, accuracy)[0, 1]),
        "distinct": len(np.unique(tokens, axis=0)) / len(pool.tokens),
        "seconds": pool.seconds,
        "calls": pool.calls,
    }


def conditional(fitted: Fitted, every: np.ndarray, tilted: bool) -> np.ndarray:
    """Probabilities of all architectures that are left: their prior, times the tilt of the guidance."""
    run, learned, tilt = fitted
    logs = np.asarray(run.space.choices.log_prior_of(every), np.float64)
    if tilted:
        assert tilt.value is not None, "a predictor guides"
        logs = logs + np.asarray(tilt.value(run.space.encode(every), learned.guidance), np.float64)
    p = np.exp(logs - logs.max())
    return p / p.sum()


def shares_of(tokens: np.ndarray, every: np.ndarray) -> np.ndarray:
    """How often each of all architectures `[S, N]` is among tokens `[B, N]`, `[S]`."""
    numbers = {tuple(row): i for i, row in enumerate(every.tolist())}
    found = [numbers[tuple(row)] for row in tokens.tolist()]
    return np.bincount(found, minlength=len(every)) / len(found)


def variation(first: np.ndarray, second: np.ndarray) -> float:
    """The total variation between two distributions `[S]`."""
    return 0.5 * float(np.abs(first - second).sum())
