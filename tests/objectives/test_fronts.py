"""Fronts: measures against closed forms, and the choice of a few."""

import itertools

import numpy as np
import pytest

from nag_jax.objectives.fronts import Box, choose, front_ranks, hypervolume, measure, non_dominated, redundant

UNIT = Box(np.zeros(2), np.ones(2))


def test_hypervolume_is_the_area_below_the_stairs():
    assert hypervolume(np.array([[0.5, 1.0], [1.0, 0.5]]), UNIT) == pytest.approx(0.75)


def test_what_lies_outside_the_box_or_is_nan_counts_nothing():
    values = np.array([[0.5, 1.0], [1.0, -0.1], [np.nan, 1.0]])
    assert hypervolume(values, UNIT) == pytest.approx(0.5)
    assert non_dominated(values).tolist() == [0, 1]


def test_ranks_peel_fronts_and_put_nan_last():
    values = np.array([[1.0, 1.0], [0.5, 0.5], [2.0, 0.0], [np.nan, 3.0]])
    assert front_ranks(values).tolist() == [0, 1, 0, 4]


def test_a_set_that_has_the_front_is_perfect():
    front = np.array([[0.2, 1.0], [1.0, 0.2]])
    found = measure(np.concatenate([front, [[0.1, 0.1]]]), np.array([7, 8, 9]), front, np.array([7, 8]), UNIT)
    assert found.hypervolume_share == pytest.approx(1.0)
    assert (found.coverage, found.igd_plus) == (1.0, 0.0)


def test_igd_plus_and_epsilon_of_a_shifted_front():
    front = np.array([[0.4, 1.0], [1.0, 0.4]])
    found = measure(front - 0.1, np.array([1, 2]), front, np.array([3, 4]), UNIT)
    assert found.coverage == 0.0
    assert found.igd_plus == pytest.approx(0.1 * np.sqrt(2))
    assert found.epsilon == pytest.approx(0.1)


def test_the_choice_is_greedy_and_ends_where_nothing_adds():
    values = np.random.default_rng(0).random((12, 2))
    best = max(range(12), key=lambda row: hypervolume(values[[row]], UNIT))
    chosen = choose(values, UNIT, 12)
    assert chosen[0] == best
    assert set(chosen) == set(non_dominated(values))
    pairs = [hypervolume(values[[best, row]], UNIT) for row in range(12)]
    assert hypervolume(values[chosen[:2]], UNIT) == pytest.approx(max(pairs))


def test_objectives_that_rank_alike_are_noticed():
    values = np.random.default_rng(0).random((50, 3))
    values = np.concatenate([values, values[:, :1] ** 3], axis=1)
    assert redundant(values, ("a", "b", "c", "d")) == [("a", "d")]
    assert list(itertools.chain(*redundant(values[:, :3], ("a", "b", "c")))) == []
