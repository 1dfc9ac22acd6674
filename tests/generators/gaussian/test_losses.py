import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nag_jax.generators.gaussian import losses
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.parametrization import denoiser_logits, uniform_score
from nag_jax.system.keys import sample_keys

B = 256
perturb = jax.jit(losses.perturb, static_argnums=2)


@pytest.fixture(params=sorted(sdes.REGISTRY))
def sde(request):
    return sdes.make(request.param)


@pytest.fixture
def x0(nb201):
    return nb201.encode(nb201.random(jax.random.key(0), B))


@pytest.fixture
def keys():
    return sample_keys(jax.random.key(1), B)


def test_perturb_draws_from_the_marginal_at_uniform_times(sde, x0, keys):
    x, t, noise = perturb(keys, x0, sde)
    mean, std = sde.marginal(x0, t)
    np.testing.assert_allclose(x, mean + std[:, None, None] * noise, rtol=1e-6, atol=1e-6)
    assert float(t.min()) >= sde.t_min
    assert float(t.max()) <= 1.0
    assert stats.kstest(np.asarray(t, np.float64), "uniform").pvalue > 1e-3
    assert stats.kstest(np.asarray(noise, np.float64).ravel(), "norm").pvalue > 1e-3


def test_perturb_uses_one_key_a_sample(ve, x0, keys):
    whole = perturb(keys, x0, ve)
    part = perturb(keys[100:110], x0[100:110], ve)
    for a, b in zip(whole, part, strict=True):
        np.testing.assert_allclose(a[100:110], b, rtol=1e-6)


@pytest.mark.parametrize("likelihood_weighting", [False, True])
def test_score_matching_by_hand(nb201, sde, x0, keys, likelihood_weighting):
    score_fn = uniform_score(sde, nb201.allowed)
    found = jax.jit(
        lambda keys: losses.score_matching(keys, score_fn, x0, sde, likelihood_weighting=likelihood_weighting)
    )(keys)
    x, t, noise = perturb(keys, x0, sde)
    sigma = np.asarray(sde.sigma(t))[:, None, None]
    weight = np.asarray(sde.coefficients(x, t)[1] if likelihood_weighting else sde.sigma(t))[:, None, None] ** 2
    expected = np.mean(weight * (np.asarray(score_fn(x, t)) + np.asarray(noise) / sigma) ** 2)
    assert found.shape == ()
    assert float(found) == pytest.approx(expected, rel=1e-3)


def test_the_score_of_the_noise_has_no_loss(ve, x0, keys):
    *_, noise = losses.perturb(keys, x0, ve)
    loss = losses.score_matching(keys, lambda x, t: -noise / ve.sigma(t)[:, None, None], x0, ve)
    assert float(loss) == pytest.approx(0.0, abs=1e-10)


def test_cross_entropy_by_hand(nb201, sde, x0, keys):
    logits_fn = denoiser_logits(lambda x, _: 0.3 * jnp.sin(x), sde, nb201.allowed)
    found = jax.jit(lambda keys: losses.class_cross_entropy(keys, logits_fn, x0, sde))(keys)
    x, t, _ = perturb(keys, x0, sde)
    logits = np.asarray(logits_fn(x, t), np.float64)
    tokens = np.asarray(nb201.decode(x0)[0])
    chosen = np.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0]
    peak = logits.max(axis=-1)
    expected = np.mean(np.log(np.exp(logits - peak[..., None]).sum(axis=-1)) + peak - chosen)
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_cross_entropy_ignores_nodes_without_a_choice(nb201, ve, x0, keys):
    def loss(bias):
        logits_fn = denoiser_logits(lambda x, _: jnp.broadcast_to(bias, x.shape), ve, nb201.allowed)
        return losses.class_cross_entropy(keys, logits_fn, x0, ve)

    gradient = np.asarray(jax.jit(jax.grad(loss))(jnp.zeros((8, 7))))
    assert np.isfinite(gradient).all()
    assert (gradient[[0, 7]] == 0.0).all()
    assert (gradient[:, :2] == 0.0).all()
    assert (np.abs(gradient[1:7, 2:]) > 0.0).all()


def test_blind_guessing_costs_the_entropy_of_the_prior(nb201, ve, x0, keys):
    mask = jnp.where(jnp.asarray(nb201.allowed), 0.0, -jnp.inf)
    loss = losses.class_cross_entropy(keys, lambda x, t: jnp.broadcast_to(mask, x.shape), x0, ve)
    assert float(loss) == pytest.approx(np.log(5) * 6 / 8, rel=1e-5)


@pytest.mark.parametrize("name", ["score_matching", "class_cross_entropy"])
def test_losses_trace_once(ve, x0, keys, name):
    traces = []

    def function(x, t):
        traces.append(x.shape)
        return 0.1 * x

    loss = jax.jit(lambda keys: getattr(losses, name)(keys, function, x0, ve))
    first, second = loss(keys), loss(keys[::-1])
    assert len(traces) == 1
    assert first != second
