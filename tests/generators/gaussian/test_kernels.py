import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.generators.gaussian import kernels
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.kernels.base import transition
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys

B = 5
SHAPE = (B, 3, 4)


@pytest.fixture(params=sorted(sdes.REGISTRY))
def sde(request):
    return sdes.make(request.param)


def score_fn(x, t):
    return -jnp.sin(x) - t[:, None, None]


def one_step(name, sde, **options):
    """Of the kernel: x and t, then what came out, all as arrays; columns `[B, 1, 1]` for what is one a sample."""
    kernel = kernels.make(name, sde, **options)
    x = jnp.asarray(np.random.default_rng(0).standard_normal(SHAPE), jnp.float32)
    t, t_next = jnp.linspace(0.3, 1.0, B), jnp.linspace(0.2, 0.85, B)
    keys = sample_keys(jax.random.key(0), B)
    x_next, x_mean = jax.jit(lambda x: kernel.step(keys, 0, kernel.init(x), x, t, t_next, score_fn)[1:])(x)
    return np.asarray(x), t, t_next, np.asarray(x_next), np.asarray(x_mean)


def column(values):
    return np.asarray(values)[:, None, None]


def assert_noise(x, x_mean, std):
    """Noise of the given standard deviations: 60 standard normal draws once scaled, alike in no two samples."""
    z = (x - x_mean) / std
    assert z.std() == pytest.approx(1.0, abs=0.3)
    assert abs(z.mean()) < 0.4
    assert len(np.unique(z.round(4))) > 50


def test_euler_maruyama(sde):
    x, t, t_next, x_next, x_mean = one_step("euler_maruyama", sde)
    drift, g = sde.coefficients(x, t)
    h, g = column(t - t_next), column(g)
    np.testing.assert_allclose(x_mean, x - (drift - g**2 * score_fn(x, t)) * h, rtol=1e-4, atol=1e-5)
    assert_noise(x_next, x_mean, g * np.sqrt(h))


def test_reverse_diffusion(sde):
    x, t, t_next, x_next, x_mean = one_step("reverse_diffusion", sde)
    scale = column(sde.alpha(t) / sde.alpha(t_next))
    variance = column(sde.sigma(t)) ** 2 - scale**2 * column(sde.sigma(t_next)) ** 2
    np.testing.assert_allclose(x_mean, (2.0 - scale) * x + variance * score_fn(x, t), rtol=1e-3, atol=1e-4)
    assert_noise(x_next, x_mean, np.sqrt(variance))


def test_ancestral_is_the_posterior_at_the_denoised_estimate(sde):
    """q(x_s | x_t, x_0) is the product of q(x_t | x_s) and q(x_s | x_0), both Gaussian in x_s."""
    x, t, t_next, x_next, x_mean = one_step("ancestral", sde)
    alpha, sigma = column(sde.alpha(t)), column(sde.sigma(t))
    alpha_s, sigma_s = column(sde.alpha(t_next)), column(sde.sigma(t_next))
    denoised = (x + sigma**2 * score_fn(x, t)) / alpha
    scale = alpha / alpha_s
    step_variance = sigma**2 - scale**2 * sigma_s**2
    precision = 1.0 / sigma_s**2 + scale**2 / step_variance
    expected = (alpha_s * denoised / sigma_s**2 + scale * x / step_variance) / precision
    np.testing.assert_allclose(x_mean, expected, rtol=2e-3, atol=2e-4)
    assert_noise(x_next, x_mean, precision**-0.5)


def test_dpm_solver_starts_with_a_deterministic_first_order_step(sde):
    x, t, t_next, x_next, x_mean = one_step("dpm_solver", sde)
    np.testing.assert_array_equal(x_next, x_mean)
    sigma, sigma_s = column(sde.sigma(t)), column(sde.sigma(t_next))
    denoised = (x + sigma**2 * score_fn(x, t)) / column(sde.alpha(t))
    noise = (x - column(sde.alpha(t)) * denoised) / sigma
    np.testing.assert_allclose(x_next, column(sde.alpha(t_next)) * denoised + sigma_s * noise, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("norm", ["sample", "batch"])
def test_langevin_step_size(norm):
    sde, snr = sdes.make("ve"), 0.2
    x, t, _, x_next, x_mean = one_step("langevin", sde, norm=norm, snr=snr)
    score = np.asarray(score_fn(x, t))
    size = (x_mean - x) / score
    np.testing.assert_allclose(size, column(size[:, 0, 0]) * np.ones(SHAPE), rtol=1e-3)
    size = column(size[:, 0, 0])
    noise = (x_next - x_mean) / np.sqrt(2.0 * size)

    def length(v):
        lengths = np.sqrt((v**2).sum(axis=(1, 2), keepdims=True))
        return np.full_like(lengths, lengths.mean()) if norm == "batch" else lengths

    np.testing.assert_allclose(size, 2.0 * (snr * length(noise) / length(score)) ** 2, rtol=1e-3)
    assert (np.ptp(size) < 1e-6) == (norm == "batch")
    assert_noise(x_next, x_mean, np.sqrt(2.0 * size))


def test_langevin_repeats_with_new_noise():
    sde = sdes.make("ve")
    *_, once, _ = one_step("langevin", sde, num_steps=1)
    *_, twice, mean = one_step("langevin", sde, num_steps=2)
    kernel = kernels.make("langevin", sde)
    t = jnp.linspace(0.3, 1.0, B)
    score = np.asarray(score_fn(once, t))
    size = (mean - once) / score
    np.testing.assert_allclose(size, column(size[:, 0, 0]) * np.ones(SHAPE), rtol=2e-2)
    again = kernel.step(sample_keys(jax.random.key(0), B), 0, (), jnp.asarray(once), t, t, score_fn)[1]
    assert np.abs(twice - again).max() > 1e-2  # would be equal if the noise were


def test_langevin_survives_a_score_of_zero():
    kernel = kernels.make("langevin", sdes.make("ve"))
    x = jnp.zeros(SHAPE)
    _, x_next, x_mean = kernel.step(
        sample_keys(jax.random.key(0), B), 0, (), x, jnp.ones(B), jnp.ones(B), lambda x, t: jnp.zeros_like(x)
    )
    assert not np.isnan(np.asarray(x_mean)).any()
    assert not np.isnan(np.asarray(x_next)).any()


def test_langevin_refuses_an_unknown_norm():
    with pytest.raises(InputError, match="unknown Langevin norm 'max': use 'sample' or 'batch'"):
        kernels.make("langevin", sdes.make("ve"), norm="max")


def test_transition_composes_to_the_marginal(sde):
    """From the marginal at s the transition leads to that at t; a step of no length does nothing."""
    s, t = jnp.array([0.1, 0.4, 0.7]), jnp.array([0.3, 0.9, 1.0])
    scale, std = transition(sde, t, s)
    np.testing.assert_allclose(scale * sde.alpha(s), sde.alpha(t), rtol=1e-5)
    np.testing.assert_allclose(scale**2 * sde.sigma(s) ** 2 + std**2, sde.sigma(t) ** 2, rtol=1e-4)
    scale, std = transition(sde, t, t)
    np.testing.assert_allclose(scale, 1.0, rtol=1e-6)
    np.testing.assert_allclose(std, 0.0, atol=1e-6)
