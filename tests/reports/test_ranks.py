import numpy as np
import pytest

from nag_jax.reports.ranks import rank_strategies
from nag_jax.system.errors import InputError


def test_ranks_share_ties_and_are_best_first():
    ranking = rank_strategies({"a": np.array([3.0, 3.0]), "b": np.array([2.0, 3.0]), "c": np.array([1.0, 1.0])})
    assert ranking.mean_ranks == {"a": 1.25, "b": 1.75, "c": 3.0}


def test_the_critical_difference_is_demsars():
    """Four classifiers on 14 data sets: 1.25 (Demsar 2006, section 3.2.2, with q = 2.569)."""
    rng = np.random.default_rng(0)
    ranking = rank_strategies({name: rng.normal(size=14) for name in "abcd"})
    assert ranking.critical_difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), rel=1e-3)


def test_friedman_tells_what_differs_from_what_does_not():
    rng = np.random.default_rng(0)
    noise = {name: rng.normal(size=20) for name in "abc"}
    assert rank_strategies(noise).p > 0.05
    assert rank_strategies({**noise, "d": rng.normal(size=20) + 5}).p < 1e-4


def test_refuses_what_can_not_be_ranked():
    with pytest.raises(InputError, match="three strategies"):
        rank_strategies({"a": np.ones(4), "b": np.ones(4)})
    with pytest.raises(InputError, match="two tasks"):
        rank_strategies({name: np.ones(1) for name in "abc"})
