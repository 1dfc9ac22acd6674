import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from nag_jax.generators.gaussian import kernels, sampler
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.guided import by_beliefs, plain
from nag_jax.generators.gaussian.parametrization import uniform_score
from nag_jax.guidance.band import cost_band, log_band
from nag_jax.system.keys import sample_keys

NODES, CLASSES, SAMPLES = 12, 4, 1_000


def test_log_band_is_exact_in_both_tails():
    low, high = np.array([-1.0, 3.0, -40.0, 12.0, -np.inf, 2.0]), np.array([1.0, 4.0, -39.0, 13.0, 0.5, np.inf])
    found = np.asarray(log_band(0.0, 1.0, low, high))
    expected = [
        np.log(norm.cdf(1) - norm.cdf(-1)),
        np.log(norm.sf(3) - norm.sf(4)),
        norm.logcdf(-39),
        norm.logsf(12),
        norm.logcdf(0.5),
        norm.logsf(2),
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.fixture(scope="module")
def draw():
    """(low, high) -> costs of samples of independent uniform nodes, class c of which costs c."""
    sde, allowed = sdes.make("ve"), np.ones((NODES, CLASSES), bool)
    table = jnp.arange(CLASSES, dtype=jnp.float32)[None, None]

    def moments(p):
        mean = (p * table).sum(axis=-1)
        variance = (p * table**2).sum(axis=-1) - mean**2
        left = variance.sum(axis=1, keepdims=True) - variance
        others = mean.sum(axis=1, keepdims=True) - mean
        return others[..., None] + table, jnp.broadcast_to(jnp.maximum(left, 0.0)[..., None], p.shape)

    @jax.jit
    def run(low, high):
        guide = cost_band(moments=moments, spread=(NODES * 1.25) ** 0.5)
        args = {"bands": jnp.array([[low, high]])}
        x = sampler.sample(
            sample_keys(jax.random.key(0), SAMPLES),
            by_beliefs(plain(uniform_score(sde, allowed)), guide, args, sde),
            sde=sde,
            kernels=[kernels.make("ancestral", sde)],
            shape=(NODES, CLASSES),
            num_steps=40,
        )
        return jnp.argmax(x, axis=-1)

    return run


@pytest.mark.parametrize(("low", "high"), [(17.5, 19.5), (11.5, 13.5), (-np.inf, 12.5), (23.5, np.inf)])
def test_samples_keep_to_a_band_and_are_spread_within_it(draw, low, high):
    tokens = np.asarray(draw(low, high))
    costs = tokens.sum(axis=1)
    assert ((costs > low) & (costs < high)).mean() > 0.95
    uniform = np.random.default_rng(0).integers(CLASSES, size=(200_000, NODES))
    inside = uniform[(uniform.sum(axis=1) > low) & (uniform.sum(axis=1) < high)]
    found, expected = (np.bincount(t.ravel(), minlength=CLASSES) / t.size for t in (tokens, inside))
    np.testing.assert_allclose(found, expected, atol=0.045)
    assert len(np.unique(tokens, axis=0)) > 0.98 * SAMPLES


def test_no_band_leaves_the_beliefs_alone(draw):
    costs = np.asarray(draw(-np.inf, 1e3)).sum(axis=1)
    assert costs.mean() == pytest.approx(18.0, abs=0.5)
    assert costs.std() == pytest.approx((NODES * 1.25) ** 0.5, rel=0.1)
