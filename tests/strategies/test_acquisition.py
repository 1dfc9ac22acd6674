import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erfcx

from nag_jax.strategies import acquisitions as acquisition
from nag_jax.system.errors import InputError

MEAN = np.array([-1.0, 0.0, 0.3, 2.0], np.float32)
STD = np.array([0.5, 1.0, 0.2, 0.7], np.float32)
BEST = 0.4


def draws(n=400_000):
    return MEAN + STD * np.random.default_rng(0).standard_normal((n, len(MEAN)))


def at(name, **options):
    return np.asarray(acquisition.make(name, **options)(jnp.array(MEAN), jnp.array(STD), jnp.array(BEST), jnp.ones(4)))


def test_expected_improvement_agrees_with_monte_carlo():
    improvement = np.maximum(draws() - BEST, 0.0)
    error = improvement.std(axis=0) / np.sqrt(len(improvement))
    assert (np.abs(at("ei") - improvement.mean(axis=0)) < 5 * error + 1e-6).all()


def test_log_expected_improvement_is_its_logarithm():
    np.testing.assert_allclose(at("log_ei"), np.log(at("ei")), atol=2e-4)


def test_probability_of_improvement_agrees_with_monte_carlo():
    np.testing.assert_allclose(np.exp(at("pi")), (draws() > BEST).mean(axis=0), atol=4e-3)


def test_bound_and_thompson_sample():
    np.testing.assert_allclose(at("ucb", beta=1.5), MEAN + 1.5 * STD, rtol=1e-6)
    np.testing.assert_allclose(at("its"), MEAN + STD, rtol=1e-6)


def test_log_improvement_far_in_the_tail():
    z = np.array([-1.5, -3.0, -7.9, -8.1, -20.0, -60.0])
    exact = -(z**2) / 2 - 0.5 * np.log(2 * np.pi) + np.log1p(np.sqrt(np.pi / 2) * z * erfcx(-z / np.sqrt(2)))
    found = acquisition.log_improvement(jnp.asarray(z, jnp.float32))
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-3)


def test_log_improvement_has_a_slope_everywhere():
    z = jnp.array([-1000.0, -100.0, -8.0, -7.99, -1.0, -0.99, 0.0, 5.0, 100.0])
    slopes = np.asarray(jax.vmap(jax.grad(acquisition.log_improvement))(z))
    assert np.isfinite(slopes).all()
    assert (slopes > 0).all()
    assert (np.diff(slopes) < 0).all()


@pytest.mark.parametrize("name", sorted(acquisition.REGISTRY))
def test_more_is_better_and_differentiable(name):
    value = acquisition.make(name)
    slopes = jax.vmap(jax.grad(lambda mean, std: value(mean, std, jnp.float32(BEST), jnp.float32(0.3))))(MEAN, STD)
    assert (np.asarray(slopes) > 0).all()


def test_unknown_names():
    with pytest.raises(InputError, match="unknown acquisition"):
        acquisition.make("kg")
    with pytest.raises(InputError, match="no option"):
        acquisition.make("ei", beta=1.0)
