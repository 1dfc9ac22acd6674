import numpy as np
import pytest

from nag_jax.reports.trajectories import (
    at_incumbents,
    bootstrap_band,
    holm,
    hypervolumes,
    incumbents,
    labels_to_reach,
    paired_p_value,
    quantile,
)
from nag_jax.system.errors import InputError

VALUES = np.array([[np.nan, 1.0, 0.5, 3.0, 3.0, np.nan], [2.0, 1.0, 5.0, 4.0, 6.0, 0.0]])


def test_incumbents_are_the_first_best_so_far():
    np.testing.assert_array_equal(incumbents(VALUES), [[-1, 1, 1, 3, 3, 3], [0, 0, 2, 2, 4, 4]])


def test_reports_are_of_the_incumbent_and_missing_before_there_is_one():
    other = np.arange(12.0).reshape(2, 6)
    np.testing.assert_array_equal(
        at_incumbents(other, incumbents(VALUES)), [[np.nan, 1, 1, 3, 3, 3], [6, 6, 8, 8, 10, 10]]
    )


def test_labels_to_reach():
    np.testing.assert_array_equal(labels_to_reach(VALUES, 3.0), [4, 3])
    np.testing.assert_array_equal(labels_to_reach(VALUES, 5.5), [np.inf, 5])


def test_quantiles_of_labels_some_of_which_are_infinite():
    assert quantile([3.0, 1.0, np.inf], 0.5) == 3.0
    assert quantile([3.0, 1.0], 0.5) == 2.0
    assert quantile([1.0, np.inf], 0.5) == np.inf


def test_bands_hold_the_mean_and_narrow_with_seeds():
    rng = np.random.default_rng(0)
    few, many = (bootstrap_band(rng.normal(size=(n, 4)), seed=0) for n in (10, 1000))
    assert (few[1] < few[0]).all()
    assert (few[0] < few[2]).all()
    np.testing.assert_allclose(many[2] - many[1], 2 * 1.96 / np.sqrt(1000), rtol=0.2)


def test_bands_leave_out_what_is_missing():
    curves = np.array([[np.nan, 1.0], [2.0, 3.0], [2.0, 5.0]])
    band = bootstrap_band(curves, seed=0)
    np.testing.assert_allclose(band[0], [2.0, 3.0])
    np.testing.assert_allclose(band[:, 0], 2.0)
    with pytest.raises(InputError, match="at least one seed"):
        bootstrap_band(np.zeros((0, 3)), seed=0)


def test_paired_p_values():
    rng = np.random.default_rng(0)
    a = rng.normal(size=30)
    assert paired_p_value(a, a) == 1.0
    assert paired_p_value(a + 1.0, a + 0.1 * rng.normal(size=30)) < 1e-4
    assert paired_p_value(a, a + 1e-3 * rng.normal(size=30)) > 0.01
    assert np.isnan(paired_p_value(a[:5], a[:5] + 1))


def test_holm_corrects_step_down():
    """0.01, 0.03, 0.04 of three tests: 0.03, 0.06 and 0.06, which may not fall below the one before."""
    corrected = holm({"a": 0.04, "b": 0.01, "c": 0.03, "d": float("nan")})
    assert {name: corrected[name] for name in "abc"} == pytest.approx({"b": 0.03, "c": 0.06, "a": 0.06})
    assert np.isnan(corrected["d"])
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def test_hypervolumes_grow_by_what_was_not_dominated():
    values = np.array([[[0.5, 0.5], [0.2, 0.2], [np.nan, 1.0], [1.0, 0.1], [0.1, 1.0]]])
    np.testing.assert_allclose(hypervolumes(values)[0], [0.25, 0.25, 0.25, 0.30, 0.35])
