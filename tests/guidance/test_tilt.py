import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.guided import by_beliefs, by_scores, plain
from nag_jax.generators.gaussian.parametrization import score_to_denoised, uniform_score
from nag_jax.generators.gaussian.score_guides import denoised_gradient, predictor_gradient, through_denoiser
from nag_jax.guidance.tilt import class_tilt
from nag_jax.system.keys import normal, sample_keys

SPACE = spaces.make("nasbench201")
B, SHAPE = 4, (8, 7)
KEYS = jax.random.split(jax.random.key(2), 4)
T = jnp.array([0.2, 0.4, 0.6, 0.9])
WEIGHTS = jnp.asarray(np.random.default_rng(0).standard_normal((1, *SHAPE)), jnp.float32)


@pytest.fixture(params=["ve", "vp"])
def case(request):
    """SDE, exact score, noised x."""
    sde = sdes.make(request.param)
    x0 = SPACE.encode(SPACE.random(jax.random.key(0), B))
    mean, std = sde.marginal(x0, T)
    return (
        sde,
        uniform_score(sde, SPACE.allowed),
        mean + std[:, None, None] * normal(sample_keys(jax.random.key(1), B), SHAPE),
    )


def linear(x, t):
    return jnp.sum(WEIGHTS * x, axis=(1, 2))


def curved(x, t):
    return jnp.tanh(linear(x, t) / 5.0) * (1.0 + t)


def value_of(value_fn):
    """The value as guides of beliefs call it."""
    return lambda x, progress, args: value_fn(x, 1.0 - progress)


def evaluate(score, x, t=T, keys=KEYS):
    return jax.jit(score.evaluate)(x, t, score.init(x), keys)[0]


def tilt(sde, score_fn, value_fn, scale):
    return by_beliefs(plain(score_fn), class_tilt(value_fn=value_of(value_fn)), {"scale": scale}, sde)


def assert_scores_equal(sde, one, other, atol=2e-3):
    std = np.asarray(sde.sigma(T))[:, None, None]
    np.testing.assert_allclose(std * one, std * other, atol=atol)


@pytest.mark.parametrize("value_fn", [linear, curved])
def test_denoised_gradient_is_the_gradient_through_the_denoiser_where_nodes_are_independent(case, value_fn):
    sde, score_fn, x = case
    found = evaluate(by_scores(score_fn, denoised_gradient(value_fn=value_fn, sde=sde, scale=0.7)), x)
    through = predictor_gradient(value_fn=through_denoiser(value_fn, score_fn, sde), scale=0.7)
    assert_scores_equal(sde, found, evaluate(by_scores(score_fn, through), x))
    assert np.abs(np.asarray(found - score_fn(x, T))).max() > 0.1


def test_class_tilt_is_the_posterior_of_a_linear_value(case):
    """The score of p_t(x) E[exp(scale v(x_0)) | x_t = x], by the derivative of its logarithm."""
    sde, score_fn, x = case
    scale = 0.7
    vertices = jnp.asarray(2.0 * np.eye(7) - 1.0, jnp.float32)
    mask = jnp.where(jnp.asarray(SPACE.allowed), 0.0, -jnp.inf)[None]

    def log_expectation(x, t):
        posterior = mask + 2.0 * (sde.alpha(t) / sde.sigma(t) ** 2)[:, None, None] * x
        value = WEIGHTS @ vertices
        tilted = jax.nn.logsumexp(posterior + scale * value, axis=-1) - jax.nn.logsumexp(posterior, axis=-1)
        return tilted.sum(axis=-1)

    found = evaluate(tilt(sde, score_fn, linear, scale), x)
    exact = predictor_gradient(value_fn=log_expectation, scale=1.0)
    assert_scores_equal(sde, found, evaluate(by_scores(score_fn, exact), x))
    assert np.abs(np.asarray(found - score_fn(x, T))).max() > 0.1


@pytest.mark.parametrize("scale", [0.7, 1e4])
def test_class_tilt_stays_within_the_simplex(case, scale):
    sde, score_fn, x = case
    found = evaluate(tilt(sde, score_fn, curved, scale), x)
    p = (np.asarray(score_to_denoised(found, x, T, sde)) + 1.0) / 2.0
    assert p.min() > -1e-3
    assert p.max() < 1.0 + 1e-3
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, atol=3e-3)


@pytest.mark.parametrize("name", sorted(sdes.REGISTRY))
def test_class_tilt_gives_no_strength_to_forbidden_classes(name):
    """At t = 1 rounding leaves up to 1e-4 of them, which this scale would multiply by many powers of ten."""
    sde, n = sdes.make(name), 200
    t = jnp.ones(n)
    x = sde.prior(sample_keys(jax.random.key(3), n), SHAPE)
    score = tilt(sde, uniform_score(sde, SPACE.allowed), linear, 20.0)

    @jax.jit
    def estimate(x):
        return score_to_denoised(score.evaluate(x, t, score.init(x), None)[0], x, t, sde)

    p = (np.asarray(estimate(x)) + 1.0) / 2.0
    assert np.abs(p[:, ~SPACE.allowed]).max() < 1e-3
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, atol=3e-3)


def test_class_tilt_bears_rows_without_any_class():
    """As an unfinished network may give them."""
    sde = sdes.make("ve")
    x = jnp.zeros((B, *SHAPE))
    score = jnp.full_like(x, -10.0) / sde.sigma(T)[:, None, None] ** 2
    assert np.isfinite(np.asarray(evaluate(tilt(sde, lambda x, t: score, linear, 1.0), x))).all()


def by_gradient(sde, score_fn, value_fn, scale):
    return by_scores(score_fn, denoised_gradient(value_fn=value_fn, sde=sde, scale=scale))


@pytest.mark.parametrize("make", [by_gradient, tilt])
def test_no_scale_no_change(case, make):
    sde, score_fn, x = case
    assert_scores_equal(sde, evaluate(make(sde, score_fn, curved, 0.0), x), score_fn(x, T))


@pytest.mark.parametrize("make", [by_gradient, tilt])
def test_values_rise_with_the_scale(case, make):
    sde, score_fn, x = case
    values = [
        linear(score_to_denoised(evaluate(make(sde, score_fn, linear, scale), x), x, T, sde), T)
        for scale in (-0.5, 0.0, 0.5)
    ]
    assert (np.diff(np.asarray(values)[:, 1:], axis=0) > 0).all()  # the first sample is decided already
