import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.parametrization import denoiser_logits, score_to_denoised, uniform_score

TIMES = np.array([0.02, 0.2, 0.5, 1.0], np.float32)


@pytest.fixture(params=sorted(sdes.REGISTRY))
def sde(request):
    return sdes.make(request.param)


def noised(nb201, sde):
    """One noised cell at each of `TIMES`."""
    x0 = np.asarray(nb201.encode(nb201.random(jax.random.key(0), len(TIMES))))
    noise = np.random.default_rng(0).standard_normal(x0.shape).astype(np.float32)
    mean, std = sde.marginal(x0, TIMES)
    return jnp.asarray(mean + std[:, None, None] * noise), jnp.asarray(TIMES)


def test_score_is_the_gradient_of_the_log_of_the_explicit_mixture(nb201, sde):
    cells = nb201.encode(nb201.all_tokens())

    def log_density(x, t):
        """Log of the mean of 15,625 Gaussians, up to a constant: no use is made of the rows' independence."""
        distances = jnp.sum((x[None] - sde.alpha(t) * cells) ** 2, axis=(1, 2))
        return jax.nn.logsumexp(-distances / (2.0 * sde.sigma(t) ** 2))

    x, t = noised(nb201, sde)
    expected = jax.jit(lambda x, t: jax.lax.map(lambda pair: jax.grad(log_density)(*pair), (x, t)))(x, t)
    found = jax.jit(uniform_score(sde, nb201.allowed))(x, t)
    # In units of the noise, of which a score is made.
    std = np.asarray(sde.sigma(t))[:, None, None]
    np.testing.assert_allclose(std * found, std * expected, atol=2e-4)
    assert np.abs(std * expected).max() > 1.0


def test_denoised_estimate_is_the_posterior_mean_over_all_cells(nb201, sde):
    cells = np.asarray(nb201.encode(nb201.all_tokens()), np.float64)
    x, t = noised(nb201, sde)
    score_fn = uniform_score(sde, nb201.allowed)
    found = jax.jit(lambda x, t: score_to_denoised(score_fn(x, t), x, t, sde))(x, t)
    alphas, stds = np.asarray(sde.alpha(t), np.float64), np.asarray(sde.sigma(t), np.float64)
    for i, (alpha, std) in enumerate(zip(alphas, stds, strict=True)):
        distances = ((np.asarray(x[i], np.float64) - alpha * cells) ** 2).sum(axis=(1, 2)) / (2 * std**2)
        weights = np.exp(distances.min() - distances)
        expected = np.tensordot(weights / weights.sum(), cells, axes=1)
        # Tweedie's formula divides float32 rounding in x by alpha.
        np.testing.assert_allclose(found[i], expected, atol=3e-6 * (1 + np.abs(x[i]).max()) / alpha)


def test_class_probabilities_are_the_posterior_of_each_row(nb201, sde):
    x, t = noised(nb201, sde)
    logits = denoiser_logits(lambda x, _: jnp.zeros_like(x), sde, nb201.allowed)(x, t)
    found = jax.nn.softmax(logits, axis=-1)
    vertices = 2.0 * np.eye(7) - 1.0
    alpha, std = (np.asarray(values, np.float64)[:, None, None] for values in (sde.alpha(t), sde.sigma(t)))
    distances = ((np.asarray(x, np.float64)[:, :, None] - alpha[..., None] * vertices) ** 2).sum(axis=-1)
    likelihood = np.exp(-(distances - distances.min(axis=-1, keepdims=True)) / (2 * std**2)) * nb201.allowed
    np.testing.assert_allclose(found, likelihood / likelihood.sum(axis=-1, keepdims=True), atol=1e-4)
    assert (np.asarray(found)[:, ~nb201.allowed] == 0).all()
