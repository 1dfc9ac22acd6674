import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.parametrization import score_to_denoised, uniform_score
from nag_jax.generators.gaussian.score_guides import predictor_gradient, through_denoiser
from nag_jax.system.keys import sample_keys

B, SHAPE = 3, (8, 7)
T = jnp.array([0.2, 0.5, 0.9])


def draws(*lead):
    return jnp.asarray(np.random.default_rng(1).standard_normal((*lead, B, *SHAPE)), jnp.float32)


X, CENTRE = draws(2)


def quadratic(x, t):
    return -0.5 * t * jnp.sum((x - CENTRE[: x.shape[0]]) ** 2, axis=(1, 2))


def update(transform, score, x=X, t=T):
    return transform.update(score, transform.init(x), x=x, t=t, keys=sample_keys(jax.random.key(0), len(x)))


@pytest.mark.parametrize("scale", [0.0, 1.0, -2.5])
def test_gradient_of_a_quadratic(scale):
    score = jnp.roll(X, 1, axis=0)
    bent, state = update(predictor_gradient(value_fn=quadratic, scale=scale), score)
    expected = score - scale * T[:, None, None] * (X - CENTRE)
    np.testing.assert_allclose(bent, expected, rtol=1e-5, atol=1e-5)
    assert state == ()


def test_scale_may_be_traced_without_tracing_again():
    traces = []

    @jax.jit
    def bend(scale):
        traces.append(scale)
        return update(predictor_gradient(value_fn=quadratic, scale=scale), jnp.zeros_like(X))[0]

    one, three = bend(jnp.float32(1.0)), bend(jnp.float32(3.0))
    assert len(traces) == 1
    np.testing.assert_allclose(three, 3.0 * one, rtol=1e-5)


def test_samples_are_guided_each_on_its_own():
    transform = predictor_gradient(value_fn=quadratic, scale=1.0)
    assert not transform.coupled
    whole, _ = update(transform, jnp.zeros_like(X))
    part, _ = update(transform, jnp.zeros_like(X[:1]), X[:1], T[:1])
    np.testing.assert_allclose(part, whole[:1], rtol=1e-6)


@pytest.mark.parametrize("name", ["ve", "vp"])
def test_through_denoiser_values_the_denoised_estimate(name):
    sde = sdes.make(name)
    score_fn = uniform_score(sde, spaces.make("nasbench201").allowed)
    seen = {}

    def value_fn(x, t):
        seen.update(x=x, t=t)
        return x[:, 2, 3]

    value = through_denoiser(value_fn, score_fn, sde)(X, T)
    np.testing.assert_array_equal(seen["x"], score_to_denoised(score_fn(X, T), X, T, sde))
    np.testing.assert_array_equal(seen["t"], T)
    np.testing.assert_array_equal(value, seen["x"][:, 2, 3])


def test_gradient_through_a_linear_denoiser():
    """Where x_0 is N(0, 1) the estimate is x alpha / (alpha^2 + sigma^2), and the chain rule is by hand."""
    sde = sdes.make("vp")

    def score_fn(x, t):
        return -x / (sde.alpha(t) ** 2 + sde.sigma(t) ** 2)[:, None, None]

    shrink = (sde.alpha(T) / (sde.alpha(T) ** 2 + sde.sigma(T) ** 2))[:, None, None]
    value_fn = through_denoiser(lambda x, t: -0.5 * jnp.sum((x - CENTRE) ** 2, axis=(1, 2)), score_fn, sde)
    bent, _ = update(predictor_gradient(value_fn=value_fn, scale=2.0), jnp.zeros_like(X))
    np.testing.assert_allclose(bent, -2.0 * shrink * (shrink * X - CENTRE), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["ve", "vp"])
def test_gradient_through_the_denoiser_equals_finite_differences(name):
    with jax.enable_x64(True):
        sde = sdes.make(name)
        score_fn = uniform_score(sde, spaces.make("nasbench201").allowed)
        weights = jnp.asarray(np.random.default_rng(2).standard_normal((1, *SHAPE)))
        value_fn = through_denoiser(lambda x, t: jnp.tanh(jnp.sum(weights * x**2, axis=(1, 2)) / 10.0), score_fn, sde)
        x, t = jnp.asarray(X, jnp.float64), jnp.asarray(T, jnp.float64)
        bend = jax.jit(lambda x, t: update(predictor_gradient(value_fn=value_fn, scale=1.0), 0.0 * x, x, t)[0])
        bent, value_fn = bend(x, t), jax.jit(value_fn)
        assert bent.dtype == jnp.float64
        step = 1e-5
        for direction in np.random.default_rng(3).standard_normal((6, 1, *SHAPE)):
            difference = (value_fn(x + step * direction, t) - value_fn(x - step * direction, t)) / (2 * step)
            np.testing.assert_allclose((bent * direction).sum(axis=(1, 2)), difference, rtol=1e-4, atol=1e-8)
        assert np.abs(bent).max() > 1e-3
