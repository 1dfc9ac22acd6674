import math

import numpy as np
import pytest

from nag_jax.reports import statistics
from nag_jax.system.errors import InputError


def test_mean_interval_by_hand():
    found = statistics.mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.7764451 * math.sqrt(2.5 / 5)  # t(0.975, 4), s^2 = 2.5
    assert found.estimate == 3.0
    assert found.low == pytest.approx(3 - half)
    assert found.high == pytest.approx(3 + half)
    assert found.half_width == pytest.approx(half)


def test_mean_interval_widens_with_confidence():
    widths = [statistics.mean_interval([1.0, 2.0, 4.0], confidence=c).half_width for c in (0.5, 0.9, 0.99)]
    assert widths == sorted(widths)


def test_mean_interval_covers_as_often_as_it_says(rng):
    intervals = [statistics.mean_interval(rng.normal(7, 3, size=5), confidence=0.8) for _ in range(2000)]
    covered = np.mean([i.low <= 7 <= i.high for i in intervals])
    assert covered == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / 2000))


@pytest.mark.parametrize("samples", [[2.0], [1.0, 3.0]])
def test_one_or_two_samples_have_a_mean_and_no_bounds(samples):
    found = statistics.mean_interval(samples)
    assert found.estimate == 2.0
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_confidence_is_a_share(confidence):
    with pytest.raises(InputError, match=f"between 0 and 1, found {confidence}"):
        statistics.mean_interval([1.0, 2.0], confidence=confidence)


@pytest.mark.parametrize("samples", [[], [1.0, math.nan], [[1.0, 2.0]]])
def test_bad_samples_are_refused(samples):
    with pytest.raises(InputError, match="samples: "):
        statistics.mean_interval(samples)


def test_bootstrap_agrees_with_student_on_a_large_sample(rng):
    samples = rng.normal(size=400)
    student, bootstrap = statistics.mean_interval(samples), statistics.bootstrap_interval(samples, seed=1)
    assert bootstrap.estimate == student.estimate
    assert bootstrap.half_width == pytest.approx(student.half_width, rel=0.1)


def test_bootstrap_is_fixed_by_its_seed_and_takes_any_statistic(rng):
    samples = rng.normal(size=50)
    first, again, other = (statistics.bootstrap_interval(samples, seed=s, statistic=np.median) for s in (1, 1, 2))
    assert first == again != other
    assert first.estimate == np.median(samples)
    assert first.low <= first.estimate <= first.high


def test_bootstrap_of_a_constant_has_no_width():
    assert statistics.bootstrap_interval([3.0, 3.0], seed=0, resamples=10) == (3.0, 3.0, 3.0)


def test_spearman_by_hand():
    assert statistics.spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]) == pytest.approx(0.8207826817)
    assert statistics.spearman([1, 2, 3], [3, 5, 4]) == pytest.approx(0.5)


def test_kendall_by_hand():
    assert statistics.kendall([1, 2, 3], [3, 5, 4]) == pytest.approx(1 / 3)
    assert statistics.kendall([1, 2, 2], [1, 2, 3]) == pytest.approx(2 / math.sqrt(2 * 3))


@pytest.mark.parametrize("correlation", [statistics.spearman, statistics.kendall])
def test_rank_correlations_see_order_alone(correlation, rng):
    a, b = rng.normal(size=(2, 40))
    assert correlation(a, np.exp(a)) == pytest.approx(1)
    assert correlation(a, -a) == pytest.approx(-1)
    assert correlation(np.exp(a), b) == pytest.approx(correlation(a, b)) == pytest.approx(correlation(b, a))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("correlation", [statistics.spearman, statistics.kendall])
def test_a_constant_correlates_with_nothing(correlation):
    assert math.isnan(correlation([1, 1, 1], [1, 2, 3]))
    with pytest.raises(InputError, match="found 2 and 3 values"):
        correlation([1, 2], [1, 2, 3])
