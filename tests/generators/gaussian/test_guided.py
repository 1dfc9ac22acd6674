import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.guided import by_beliefs, plain, score_to_beliefs
from nag_jax.generators.gaussian.parametrization import score_to_denoised, uniform_score
from nag_jax.guidance.band import cost_band
from nag_jax.system.keys import sample_keys

B = 200
ALLOWED = np.array([[True, True, False, False], [False, True, True, True], [True, True, True, True]])
"""Classes 0 to 3 of three nodes; two nodes may not take all of them."""


@pytest.fixture(params=sorted(sdes.REGISTRY))
def sde(request):
    return sdes.make(request.param)


@pytest.mark.parametrize("time", [0.05, 0.6, 1.0])
def test_beliefs_of_an_exact_score_are_the_posterior_and_rule_out_what_is_not_allowed(sde, time):
    t = jnp.full(B, time)
    x = sde.prior(sample_keys(jax.random.key(0), B), ALLOWED.shape)
    beliefs = jax.jit(lambda x: score_to_beliefs(uniform_score(sde, ALLOWED)(x, t), x, t, sde))(x)
    evidence = np.asarray(2.0 * sde.alpha(t) / sde.sigma(t) ** 2)[:, None, None] * np.asarray(x)
    expected = jax.nn.softmax(jnp.where(ALLOWED, evidence, -jnp.inf), axis=-1)
    np.testing.assert_allclose(beliefs.probabilities(), expected, atol=2e-3)
    assert (np.asarray(beliefs.logits)[:, ~ALLOWED] == -np.inf).all()
    np.testing.assert_allclose(beliefs.progress, 1.0 - t)


@pytest.mark.parametrize("time", [0.6, 0.8, 1.0])
def test_a_budget_gives_no_class_a_chance_that_is_not_allowed(sde, time):
    """However far off the budget is, and however much of the signal the process has scaled away."""
    t = jnp.full(B, time)
    table = jnp.asarray([[[0.0, 0.0, 50.0, 90.0]] * 3])

    def moments(p):
        mean = (p * table).sum(axis=-1)
        others = mean.sum(axis=1, keepdims=True) - mean
        return others[..., None] + table, jnp.ones_like(p)

    args = {"bands": [[200.0, 300.0]]}
    score = by_beliefs(plain(uniform_score(sde, ALLOWED)), cost_band(moments=moments), args, sde)
    x = sde.prior(sample_keys(jax.random.key(1), B), ALLOWED.shape)

    @jax.jit
    def estimate(x):
        return score_to_denoised(score.evaluate(x, t, score.init(x), None)[0], x, t, sde)

    p = (np.asarray(estimate(x)) + 1.0) / 2.0
    assert np.abs(p[:, ~ALLOWED]).max() < 2e-2
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, atol=5e-2)
