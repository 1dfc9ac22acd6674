import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nag_jax import spaces
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.parametrization import uniform_score
from nag_jax.guidance.value import estimate_spread, exceedance, mean_value
from nag_jax.system.keys import sample_keys

TIMES = jnp.array([0.0, 0.5, 1.0])
SPREAD = jnp.array([0.1, 1.0, 3.0])
X = jnp.asarray(np.random.default_rng(0).standard_normal((5, 8, 7)), jnp.float32)
T = jnp.array([0.0, 0.25, 0.5, 0.8, 1.0])


def ensemble(x, t):
    """Two members, at a distance of two."""
    value = x[:, 2, 3] + t
    return jnp.stack([value - 1.0, value + 1.0], axis=-1)


def test_mean_value():
    np.testing.assert_allclose(mean_value(ensemble)(X, T), X[:, 2, 3] + T, rtol=1e-5)


def test_exceedance_is_the_log_probability_with_the_spread_at_that_time():
    found = jax.jit(exceedance(ensemble, target=0.4, times=TIMES, spread=SPREAD))(X, T)
    spread = np.interp(T, TIMES, SPREAD)
    expected = stats.norm.logcdf((np.asarray(X[:, 2, 3] + T) - 0.4) / spread)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_exceedance_pulls_hard_below_the_target_and_not_above_it():
    value_fn = exceedance(ensemble, target=0.0, times=TIMES, spread=SPREAD)
    x = jnp.zeros((2, 8, 7)).at[:, 2, 3].set(jnp.array([-3.0, 3.0]))
    below, above = jax.jit(jax.grad(lambda x: value_fn(x, jnp.zeros(2)).sum()))(x)[:, 2, 3].tolist()
    assert below > 100.0
    assert above == pytest.approx(0.0, abs=1e-3)


def test_estimate_spread_is_that_of_the_denoised_estimate():
    """For the sign of one class it goes from none at t = 0 to the standard deviation of a blind guess."""
    sde, space = sdes.make("ve"), spaces.make("nasbench201")

    def ensemble(x, t):
        return x[:, 2, 3:4]

    x0 = space.encode(space.random(jax.random.key(0), 2_000))
    found = estimate_spread(
        sample_keys(jax.random.key(1), 2_000), ensemble, uniform_score(sde, space.allowed), x0, sde, TIMES
    )
    assert found.shape == (3,)
    assert float(found[0]) == pytest.approx(0.0, abs=1e-3)
    assert 0.2 < float(found[1]) < float(found[2])
    assert float(found[2]) == pytest.approx(2.0 * (0.2 * 0.8) ** 0.5, rel=0.05)
