import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.generators.gaussian import kernels
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.generator import gaussian
from nag_jax.generators.gaussian.losses import perturb
from nag_jax.predictors import Predictor
from nag_jax.predictors.fit import LEAST_ROWS, predict, regression_loss
from nag_jax.predictors.views import clean_view, denoised_view, noised_view
from nag_jax.system.keys import sample_keys

VE = sdes.make("ve")
BATCH = 400
KEYS = sample_keys(jax.random.key(1), BATCH)


@pytest.fixture(scope="module")
def tokens(nb201):
    return nb201.random(jax.random.key(0), BATCH)


@pytest.fixture(scope="module")
def x0(nb201, tokens):
    return nb201.encode(tokens)


def test_the_clean_view(nb201, tokens, x0):
    x, t = clean_view(nb201)(KEYS, tokens)
    np.testing.assert_array_equal(x, x0)
    np.testing.assert_array_equal(t, np.zeros(BATCH))


def test_the_noised_view_is_what_the_score_is_trained_on(nb201, tokens, x0):
    x, t = jax.jit(noised_view(nb201, VE))(KEYS, tokens)
    expected = jax.jit(lambda: perturb(KEYS, x0, VE))()
    np.testing.assert_allclose(x, expected[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(t, expected[1], rtol=1e-5)
    assert (float(t.min()), float(t.max())) == pytest.approx((0.0, 1.0), abs=0.02)
    z = (x - x0) / VE.sigma(t)[:, None, None]
    assert (float(z.mean()), float(z.std())) == pytest.approx((0.0, 1.0), abs=0.03)


def test_the_denoised_view_shows_posterior_means_at_time_zero(nb201, tiny_model, tokens, x0):
    model = tiny_model()  # new, and so the exact posterior of uniform cells
    generator, params = gaussian(nb201, model, [kernels.make("ancestral", VE)]), model.init(jax.random.key(0))
    views = {share: denoised_view(nb201, generator, params, share=share) for share in (0.0, 0.5, 1.0)}
    shown = jax.jit(lambda: {share: view(KEYS, tokens) for share, view in views.items()})()
    assert all((t == 0).all() for _, t in shown.values())
    np.testing.assert_array_equal(shown[0.0][0], x0)
    p = (np.asarray(shown[1.0][0]) + 1.0) / 2.0
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, atol=1e-2)
    assert p.min() > -1e-2
    assert np.abs(p[~np.broadcast_to(nb201.allowed, p.shape)]).max() < 1e-2
    soft = np.abs(np.asarray(shown[1.0][0]) - np.asarray(x0)).max(axis=(1, 2)) > 1e-3
    assert 0.3 < soft.mean() < 1.0  # at late times all is decided
    # On average over architectures and noise, a posterior mean is the prior mean.
    np.testing.assert_allclose(p[:, 1:-1, 2:].mean(axis=(0, 1)), np.full(5, 0.2), atol=0.04)
    half = np.asarray(shown[0.5][0])
    clean = (half == np.asarray(x0)).all(axis=(1, 2))
    np.testing.assert_array_equal(half[~clean], np.asarray(shown[1.0][0])[~clean])
    assert 0.4 < clean[soft].mean() < 0.6


def first_token(keys, tokens):
    """A view of the first token alone."""
    return jnp.broadcast_to(tokens[:, :1, None].astype(jnp.float32), (len(tokens), 8, 7)), jnp.zeros(len(tokens))


def stub(offsets=(0.0,)):
    """A predictor whose members read the label that a test has written into the first token, plus an offset each."""
    return Predictor(
        init=lambda key: (),
        apply=lambda params, x, t, context=None, *, dropout_key=None: x[:, :1, :1] + jnp.array(offsets)[None, None],
    )


def test_the_loss_pairs_architectures_with_their_labels():
    labels = np.random.default_rng(0).permutation(30).astype(np.float32)
    tokens = np.zeros((30, 8), np.int32)
    tokens[:, 0] = labels
    for offsets, expected in (((0.0,), 0.0), ((0.0, 2.0), 2.0), ((1.0, -3.0, 2.0), 14 / 3)):
        loss = jax.jit(regression_loss(stub(offsets), first_token, batch_size=16))
        assert loss((), jax.random.key(0), (tokens, labels[:, None])) == pytest.approx(expected, rel=1e-4)


def test_batches_are_drawn_from_all_labels_anew_with_every_key():
    labels = jnp.arange(10.0)
    loss = regression_loss(stub(), first_token, batch_size=10)
    tokens = jnp.zeros((10, 8), jnp.int32)
    values = jax.jit(jax.vmap(lambda key: loss((), key, (tokens, labels[:, None]))))(
        sample_keys(jax.random.key(0), 300)
    )
    assert float(values.mean()) == pytest.approx(float((labels**2).mean()), rel=0.05)
    assert len(np.unique(values)) > 100


def test_the_loss_turns_dropout_on_with_new_keys():
    seen = []

    def apply(params, x, t, context=None, *, dropout_key=None):
        assert dropout_key is not None
        seen.append(dropout_key)
        return jnp.zeros((len(x), 1, 1)) + jax.random.normal(dropout_key)

    loss = regression_loss(Predictor(lambda key: (), apply), first_token, batch_size=4)
    data = (jnp.zeros((5, 8), jnp.int32), np.zeros((5, 1), np.float32))
    first, second = (float(loss((), jax.random.key(seed), data)) for seed in (0, 1))
    assert first != second
    assert len(seen) == 2


@pytest.mark.parametrize("batch_size", [7, 16, 4096])
def test_predict_is_the_mean_and_deviation_over_members_of_clean_architectures(batch_size):
    shapes = []

    def apply(params, x, t, context=None, *, dropout_key=None):
        assert dropout_key is None
        shapes.append(x.shape)
        return params * x[:, 0, :2, None] + jnp.array([[[-1.0, 0.0, 4.0]]]) + t[:, None, None]

    x = np.random.default_rng(0).standard_normal((16, 8, 7)).astype(np.float32)
    mean, deviation = predict(Predictor(lambda key: (), apply), jnp.float32(2.0), x, batch_size=batch_size)
    np.testing.assert_allclose(mean, 2.0 * x[:, 0, :2] + 1.0, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(deviation, np.full((16, 2), np.std([-1.0, 0.0, 4.0])), rtol=1e-4)
    assert shapes == [(min(batch_size, LEAST_ROWS), 8, 7)]  # one trace, whatever the rest
