import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from nag_jax.predictors.labels import NORMALIZATIONS, normalize, normalize_each
from nag_jax.system.errors import InputError

LABELS = np.random.default_rng(0).gumbel(size=101) * 3.0 + 90.0


def standard(values):
    return (values - values.mean()) / values.std()


@pytest.mark.parametrize("method", NORMALIZATIONS)
@pytest.mark.parametrize("maximize", [True, False])
def test_labels_have_unit_scale_and_higher_is_better(method, maximize):
    found = normalize(LABELS, method, maximize=maximize)
    assert found.dtype == np.float32
    assert found.mean() == pytest.approx(0.0, abs=1e-5)
    assert found.std() == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(np.argsort(found), np.argsort(LABELS if maximize else -LABELS))


@pytest.mark.parametrize("method", NORMALIZATIONS)
def test_less_is_better_mirrors_the_labels_first(method):
    np.testing.assert_array_equal(normalize(LABELS, method, maximize=False), normalize(-LABELS, method))


def test_methods():
    u = (np.argsort(np.argsort(LABELS)) + 0.5) / 101
    low, high = np.quantile(LABELS, [0.25, 0.75])
    regret = -np.log((LABELS.max() - LABELS) / (high - low) + 0.03)
    expected = {"z": LABELS, "rank": u, "normal": norm.ppf(u), "tail": -np.log(1.02 - u), "regret": regret}
    for method in NORMALIZATIONS:
        np.testing.assert_allclose(normalize(LABELS, method), standard(expected[method]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", ["rank", "normal", "tail"])
def test_ranks_forget_the_unit(method):
    np.testing.assert_array_equal(normalize(np.exp(LABELS / 10.0), method), normalize(LABELS, method))


def test_tail_spends_its_range_on_the_best():
    found = np.sort(normalize(LABELS, "tail"))
    assert found[-1] - found[-11] > 3 * (found[50] - found[40])
    assert found[-1] - found[-11] > 10 * (found[10] - found[0])


@pytest.mark.parametrize("method", NORMALIZATIONS)
def test_ties_stay_ties_and_take_the_mean_rank(method):
    found = normalize(np.array([3.0, 1.0, 3.0, 2.0, 3.0]), method)
    assert found[0] == found[2] == found[4]
    if method == "rank":
        np.testing.assert_allclose(found, standard(np.array([4.0, 1.0, 4.0, 2.0, 4.0])), rtol=1e-5)


@pytest.mark.parametrize("method", NORMALIZATIONS)
@pytest.mark.parametrize(("value", "count"), [(0.1, 3), (0.1, 7), (93.3, 10), (1.0, 1), (-2e30, 4)])
def test_equal_labels_are_zero(method, value, count):
    """Also where the mean of equal floats differs from them in its last bit."""
    np.testing.assert_array_equal(normalize(np.full(count, value), method), np.zeros(count))


def test_integers_will_do():
    np.testing.assert_array_equal(normalize(np.array([1, 2, 3]), "z"), normalize(np.array([1.0, 2.0, 3.0]), "z"))


def test_an_unknown_method_gets_the_methods():
    with pytest.raises(InputError, match=r"unknown label normalisation 'minmax': use one of \('rank', 'normal', 't"):
        normalize(LABELS, "minmax")


@pytest.mark.parametrize("method", NORMALIZATIONS)
def test_each_objective_is_normalised_by_itself_and_brought_back(method):
    values = np.random.default_rng(0).standard_normal((300, 2)) * np.array([1.0, 200.0]) + np.array([0.0, 5000.0])
    normalized, scales = normalize_each(values, method)
    for i in range(2):
        np.testing.assert_array_equal(normalized[:, i], normalize(values[:, i], method))
    error = np.asarray(scales.to_units(normalized)) - values
    assert (np.abs(error) / values.std(axis=0)).mean() < 0.1
    assert scales.to_units(normalized[None]).shape == (1, 300, 2)


def test_scales_keep_the_order_and_a_slope_beyond_the_labels():
    _, scales = normalize_each(np.random.default_rng(0).exponential(size=(50, 1)), "tail")
    grid = jnp.linspace(-10.0, 10.0, 101)[:, None]
    slope = jax.grad(lambda x: scales.to_units(x).sum())(grid)
    assert (np.asarray(slope) > 0).all()
    assert (np.diff(np.asarray(scales.to_units(grid)).ravel()) > 0).all()


def test_equal_labels_are_brought_back_to_what_they_were():
    values = np.stack([np.full(9, 3.5), np.repeat([0.0, 1.0], [8, 1])], axis=1)
    normalized, scales = normalize_each(values, "z")
    np.testing.assert_allclose(scales.to_units(normalized)[:, 0], 3.5)
    np.testing.assert_allclose(scales.to_units(normalized)[:, 1], values[:, 1], atol=0.02)
