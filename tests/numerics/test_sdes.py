import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nag_jax.generators.gaussian import sde as sdes
from nag_jax.system.keys import sample_keys

STARTS = (-1.0, 0.5)
SAMPLES = 4_000
STEPS = 400


def true_marginal(sde, x0, t):
    """Mean and std of the process started at t = 0, which `marginal` gives except for `VESDE` (see there)."""
    mean, std = sde.marginal(jnp.full((1, 1, 1), x0), jnp.full(1, t))
    variance = float(std[0]) ** 2
    return float(mean.squeeze()), np.sqrt(variance - sde.sigma_min**2 if isinstance(sde, sdes.VESDE) else variance)


@pytest.fixture(params=sorted(sdes.REGISTRY))
def sde(request):
    return sdes.make(request.param)


def test_marginals_match_a_simulation_of_the_forward_process(sde):
    x0 = jnp.repeat(jnp.array(STARTS), SAMPLES)[:, None, None]

    @jax.jit
    def simulate(key):
        def step(x, i):
            drift, diffusion = sde.coefficients(x, jnp.full(len(x), (i + 0.5) / STEPS))
            noise = jax.random.normal(jax.random.fold_in(key, i), x.shape)
            x = x + drift / STEPS + diffusion[:, None, None] * noise * STEPS**-0.5
            return x, x.reshape(len(STARTS), -1)

        return jax.lax.scan(step, x0, jnp.arange(STEPS))[1]

    paths = simulate(jax.random.key(0))
    for t in (0.25, 0.5, 0.75, 1.0):
        for x0, x in zip(STARTS, np.asarray(paths[round(t * STEPS) - 1], np.float64), strict=True):
            mean, std = true_marginal(sde, x0, t)
            assert x.mean() == pytest.approx(mean, abs=4 * std / SAMPLES**0.5 + 2e-3)
            assert x.std() == pytest.approx(std, rel=0.04)


def test_marginals_solve_the_moment_equations(sde):
    """d alpha/dt = f alpha and d sigma^2/dt = 2 f sigma^2 + g^2, where the drift is f x: no sampling error."""

    def slope(function):
        return jax.vmap(jax.grad(function))(t)

    t = jnp.linspace(0.01, 1.0, 25)
    drift, diffusion = sde.coefficients(jnp.ones((25, 1, 1)), t)
    rate = drift[:, 0, 0]
    np.testing.assert_allclose(slope(sde.alpha), rate * sde.alpha(t), rtol=1e-4, atol=1e-6)
    expected = 2.0 * rate * sde.sigma(t) ** 2 + diffusion**2
    np.testing.assert_allclose(slope(lambda t: sde.sigma(t) ** 2), expected, rtol=1e-3, atol=1e-6)


def test_variance_exploding_keeps_sigma_min_at_the_start():
    sde = sdes.VESDE(0.1, 5.0)
    assert float(sde.sigma(jnp.zeros(()))) == pytest.approx(0.1)
    assert float(sde.sigma(jnp.ones(()))) == pytest.approx(5.0)
    assert float(sde.sigma(jnp.array(0.5))) == pytest.approx(np.sqrt(0.1 * 5.0))


def test_variances_are_preserved_and_less_than_preserved():
    t = jnp.linspace(0.0, 1.0, 11)
    vp, sub_vp = sdes.VPSDE(), sdes.SubVPSDE()
    np.testing.assert_allclose(vp.alpha(t) ** 2 + vp.sigma(t) ** 2, 1.0, rtol=1e-6)
    np.testing.assert_allclose(sub_vp.sigma(t), vp.sigma(t) ** 2, rtol=1e-5)
    assert float(vp.alpha(t)[-1]) == pytest.approx(np.exp(-0.25 * 19.9 - 0.05), rel=1e-5)


def test_prior_is_the_noise_of_the_last_marginal(sde):
    draws = np.asarray(sde.prior(sample_keys(jax.random.key(1), 500), (4, 5)), np.float64)
    std = float(sde.sigma(jnp.ones(())))
    assert draws.shape == (500, 4, 5)
    assert stats.kstest(draws.ravel() / std, "norm").pvalue > 1e-3
    assert draws.std() == pytest.approx(std, rel=0.02)
    assert np.abs(np.corrcoef(draws.reshape(500, -1).T) - np.eye(20)).max() < 0.25
