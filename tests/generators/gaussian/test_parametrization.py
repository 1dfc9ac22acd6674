import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.parametrization import (
    denoised_to_score,
    denoiser_logits,
    denoiser_score,
    posterior_score,
    raw_score,
    score_to_denoised,
    uniform_score,
)
from nag_jax.spaces.mobilenet_v3 import SKIP

B = 4


@pytest.fixture(params=sorted(sdes.REGISTRY))
def sde(request):
    return sdes.make(request.param)


@pytest.fixture
def x():
    return jnp.asarray(np.random.default_rng(0).standard_normal((B, 8, 7)), jnp.float32)


@pytest.fixture
def t():
    return jnp.array([0.05, 0.3, 0.7, 1.0])


def test_score_and_denoised_estimate_are_inverses(sde, x, t):
    other = jnp.roll(x, 1, axis=0)
    np.testing.assert_allclose(
        denoised_to_score(score_to_denoised(other, x, t, sde), x, t, sde), other, rtol=1e-4, atol=1e-3
    )
    np.testing.assert_allclose(
        score_to_denoised(denoised_to_score(other, x, t, sde), x, t, sde), other, rtol=1e-4, atol=1e-3
    )


def test_score_of_the_true_noise(sde, x, t):
    """From x_t = alpha x_0 + sigma z the estimate x_0 gives the score -z / sigma."""
    z = jnp.roll(x, 1, axis=1)
    mean, std = sde.marginal(x, t)
    x_t = mean + std[:, None, None] * z
    np.testing.assert_allclose(denoised_to_score(x, x_t, t, sde) * std[:, None, None], -z, atol=2e-4)


def test_forbidden_classes_have_probability_zero_whatever_the_network_says(nb201, sde, x, t):
    network = lambda x, condition: x + jnp.where(jnp.asarray(nb201.allowed), -50.0, 50.0)[None]  # noqa: E731
    logits = denoiser_logits(network, sde, nb201.allowed)
    probabilities = np.asarray(jax.nn.softmax(logits(x, t), axis=-1))
    assert (probabilities[:, ~nb201.allowed] == 0.0).all()
    assert (probabilities[:, nb201.allowed] > 0.0).any()
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1.0, rtol=1e-5)
    denoised = score_to_denoised(denoiser_score(logits, sde)(x, t), x, t, sde)
    # Tweedie's formula divides float32 rounding by alpha.
    off = np.abs(np.asarray(denoised)[:, ~nb201.allowed] + 1.0).max(axis=1)
    assert (off < 1e-5 * (1.0 + 1.0 / np.asarray(sde.alpha(t)))).all()


def test_rules_between_nodes_hold_whatever_the_network_says(sde, t):
    space = spaces.make("mobilenet_v3")
    network = lambda x, condition: jnp.zeros_like(x).at[:, :, SKIP].set(-5.0)  # noqa: E731
    logits = denoiser_logits(network, sde, space.allowed, space.class_posterior)
    third_skipped = jnp.asarray(space.encode(np.tile([0, 0, SKIP, SKIP], 5)[None])).at[:, 3::4].set(0.0)
    probabilities = np.asarray(jax.nn.softmax(logits(third_skipped, jnp.full(1, 1e-3)), axis=-1))
    assert (probabilities[0, 3::4, SKIP] > 0.999).all()
    zero = denoiser_logits(lambda x, _: jnp.zeros_like(x), sde, space.allowed, space.class_posterior)
    noised = jax.random.normal(jax.random.key(0), (len(t), *space.allowed.shape))
    exact = posterior_score(sde, space.class_posterior)(noised, t)
    np.testing.assert_allclose(denoiser_score(zero, sde)(noised, t), exact, rtol=1e-3, atol=1e-3)


def test_network_gets_x_of_unit_scale_and_the_noise_level(nb201, sde, x, t):
    seen = {}

    def network(x, condition):
        seen.update(x=x, condition=condition)
        return jnp.zeros_like(x)

    denoiser_logits(network, sde, nb201.allowed)(x, t)
    alpha, sigma = np.asarray(sde.alpha(t)), np.asarray(sde.sigma(t))
    np.testing.assert_allclose(seen["x"], x / np.sqrt(alpha**2 + sigma**2)[:, None, None], rtol=1e-5)
    np.testing.assert_allclose(seen["condition"], 100.0 * np.log(sigma / alpha), rtol=1e-4, atol=1e-4)


def test_raw_score_is_the_network_at_sigma(sde, x, t):
    score = raw_score(lambda x, condition: condition[:, None, None] * x, sde)
    np.testing.assert_allclose(score(x, t), sde.sigma(t)[:, None, None] * x, rtol=1e-6)


def test_gradients_through_the_masked_denoiser_are_finite(nb201, sde, x, t):
    gradient = jax.jit(jax.grad(lambda x: uniform_score(sde, nb201.allowed)(x, t).sum()))(x)
    assert np.isfinite(np.asarray(gradient)).all()
