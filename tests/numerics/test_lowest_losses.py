import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.generators.gaussian import losses
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.parametrization import denoiser_logits, denoiser_score, uniform_score
from nag_jax.system.keys import normal, sample_keys


def no_network(x, condition):
    return jnp.zeros_like(x)


def mean_and_error(nb201, loss, *, batches=12, batch_size=4_096):
    """Mean of the scalar `loss(keys, x0)` over batches of random cells, and its standard error."""

    @jax.jit
    def run(key):
        def one(key):
            cells = nb201.random(jax.random.fold_in(key, 0), batch_size)
            return loss(sample_keys(jax.random.fold_in(key, 1), batch_size), nb201.encode(cells))

        return jax.lax.map(one, sample_keys(key, batches))

    values = np.asarray(run(jax.random.key(0)), np.float64)
    return values.mean(), values.std(ddof=1) / batches**0.5


def lowest_score_matching(sde, *, samples=20_000, nodes=24):
    """The lowest loss from its definition: E |E[x_0|x_t] - x_0|^2 / sigma^2 of one free row, integrated over t."""
    z = np.random.default_rng(0).standard_normal((samples, 5))
    points, weights = np.polynomial.legendre.leggauss(nodes)
    total = 0.0
    for t, weight in zip((points + 1) / 2, weights / 2, strict=True):
        sigma = sde.sigma_min * (sde.sigma_max / sde.sigma_min) ** t
        x0 = np.array([1.0, -1.0, -1.0, -1.0, -1.0])
        exponents = 2.0 * (x0 + sigma * z) / sigma**2
        p = np.exp(exponents - exponents.max(axis=1, keepdims=True))
        denoised = 2.0 * p / p.sum(axis=1, keepdims=True) - 1.0
        total += weight * ((denoised - x0) ** 2).sum(axis=1).mean() / sigma**2
    return total * 6 / 56  # six free rows, 56 entries


@pytest.mark.parametrize(("sigma_max", "published"), [(1.0, 0.0270), (5.0, 0.0424), (20.0, 0.0323)])
def test_closed_form_score_reaches_the_lowest_published_loss(nb201, sigma_max, published):
    sde = sdes.VESDE(0.1, sigma_max)
    score_fn = uniform_score(sde, nb201.allowed)
    mean, error = mean_and_error(nb201, lambda keys, x0: losses.score_matching(keys, score_fn, x0, sde))
    assert error < 0.02 * mean
    assert mean == pytest.approx(lowest_score_matching(sde), abs=4 * error)
    assert mean == pytest.approx(published, abs=4 * error)
    # The published figures are averages themselves.
    assert lowest_score_matching(sde) == pytest.approx(published, rel=0.015)


@pytest.mark.parametrize("name", sorted(sdes.REGISTRY))
def test_zero_score_gives_one(nb201, name):
    sde = sdes.make(name)
    mean, error = mean_and_error(
        nb201, lambda keys, x0: losses.score_matching(keys, no_network, x0, sde), batches=4, batch_size=1_024
    )
    assert error < 0.01
    assert mean == pytest.approx(1.0, abs=4 * error)


PERTURBATIONS = {
    "sharper": lambda x, t, sde: 0.2 * x / sde.sigma(t)[:, None, None] ** 2,
    "blunter": lambda x, t, sde: -0.2 * x / sde.sigma(t)[:, None, None] ** 2,
    "one class favoured": lambda x, t, sde: jnp.zeros_like(x).at[:, :, 3].set(0.3),
    "one class shunned": lambda x, t, sde: jnp.zeros_like(x).at[:, :, 3].set(-0.3),
    "nodes mixed up": lambda x, t, sde: 0.2 * jnp.roll(x, 1, axis=1),
    "noise": lambda x, t, sde: 0.3 * normal(sample_keys(jax.random.key(9), len(x)), x.shape[1:]),
}


@pytest.mark.parametrize("name", ["ve", "vp"])
def test_exact_denoiser_is_the_minimum_of_the_cross_entropy(nb201, name):
    sde = sdes.make(name)
    exact = denoiser_logits(no_network, sde, nb201.allowed)
    batch = 8_192
    x0 = nb201.encode(nb201.random(jax.random.key(1), batch))
    keys = sample_keys(jax.random.key(2), batch)

    perturbations = [functools.partial(perturb, sde=sde) for perturb in PERTURBATIONS.values()]

    def loss(kind_and_scale):
        kind, scale = kind_and_scale

        def logits_fn(x, t):
            return exact(x, t) + scale * jax.lax.switch(kind, perturbations, x, t)

        return losses.class_cross_entropy(keys, logits_fn, x0, sde)

    kinds, scales = np.meshgrid(np.arange(len(PERTURBATIONS)), np.array([0.0, 0.5, 1.0], np.float32), indexing="ij")
    found = jax.jit(lambda *pairs: jax.lax.map(loss, pairs))(kinds.ravel(), scales.ravel())
    for perturbation, (lowest, half, whole) in zip(PERTURBATIONS, found.reshape(-1, 3).tolist(), strict=True):
        assert whole - lowest > 5e-4, perturbation
        # Quadratic, so flat at the exact denoiser: a slope there would make it grow by two.
        assert (whole - lowest) / (half - lowest) == pytest.approx(4.0, abs=1.2), perturbation


def test_exact_denoiser_is_the_minimum_of_score_matching_too(nb201):
    sde = sdes.make("ve")
    exact = denoiser_logits(no_network, sde, nb201.allowed)

    def loss(scale, keys, x0):
        score_fn = denoiser_score(lambda x, t: exact(x, t) + scale * PERTURBATIONS["sharper"](x, t, sde), sde)
        return losses.score_matching(keys, score_fn, x0, sde)

    scales = jnp.array([-2.0, 0.0, 2.0])
    blunter, lowest, sharper = jax.jit(jax.vmap(loss, (0, None, None)))(
        scales, sample_keys(jax.random.key(2), 4_096), nb201.encode(nb201.random(jax.random.key(1), 4_096))
    )
    assert blunter > lowest + 1e-4
    assert sharper > lowest + 1e-4
