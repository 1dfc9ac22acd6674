import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nag_jax import spaces
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.guided import score_to_beliefs
from nag_jax.generators.gaussian.parametrization import uniform_score
from nag_jax.guidance.calibrate import estimate_spread
from nag_jax.guidance.exceedance import exceedance, mean_value
from nag_jax.system.keys import sample_keys

GRID = jnp.array([0.0, 0.5, 1.0])
SPREAD = jnp.array([3.0, 1.0, 0.1])
X = jnp.asarray(np.random.default_rng(0).standard_normal((5, 8, 7)), jnp.float32)
PROGRESS = jnp.array([0.0, 0.2, 0.5, 0.75, 1.0])


def estimate(x, args):
    return x[:, 2, 3] + args["shift"]


def given(target):
    return {"shift": 0.5, "target": target, "progress": GRID, "spread": SPREAD}


def test_mean_value():
    np.testing.assert_allclose(mean_value(estimate)(X, PROGRESS, given(0.0)), X[:, 2, 3] + 0.5, rtol=1e-5)


def test_exceedance_is_the_log_probability_with_the_spread_at_that_progress():
    found = jax.jit(exceedance(estimate))(X, PROGRESS, given(0.4))
    spread = np.interp(PROGRESS, GRID, SPREAD)
    expected = stats.norm.logcdf((np.asarray(X[:, 2, 3]) + 0.5 - 0.4) / spread)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_exceedance_pulls_hard_below_the_target_and_not_above_it():
    value_fn = exceedance(estimate)
    x = jnp.zeros((2, 8, 7)).at[:, 2, 3].set(jnp.array([-3.5, 2.5]))
    below, above = jax.jit(jax.grad(lambda x: value_fn(x, jnp.ones(2), given(0.0)).sum()))(x)[:, 2, 3].tolist()
    assert below > 100.0
    assert above == pytest.approx(0.0, abs=1e-3)


def test_estimate_spread_goes_from_a_blind_guess_to_none():
    """For the sign of one class: the standard deviation of that guess, and nothing once all is decided."""
    sde, space = sdes.make("ve"), spaces.make("nasbench201")
    score_fn = uniform_score(sde, space.allowed)

    def believe(keys, tokens, progress):
        t = jnp.maximum(1.0 - progress, sde.t_min)
        x = sde.diffuse(keys, space.encode(tokens), t)
        return score_to_beliefs(score_fn(x, t), x, t, sde)

    tokens = space.random(jax.random.key(0), 2_000)
    keys = sample_keys(jax.random.key(1), 2_000)
    found = estimate_spread(believe, keys, lambda x: x[:, 2, 3], space.encode(tokens), tokens, GRID)
    assert found.shape == (3,)
    assert float(found[2]) == pytest.approx(0.0, abs=1e-3)
    assert 0.2 < float(found[1]) < float(found[0])
    assert float(found[0]) == pytest.approx(2.0 * (0.2 * 0.8) ** 0.5, rel=0.05)
