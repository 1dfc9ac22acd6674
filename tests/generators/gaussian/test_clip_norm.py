import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.generators.gaussian import sde as sdes
from nag_jax.generators.gaussian.score_guides import chain, clip_norm, stateless
from nag_jax.system.keys import normal, sample_keys

B, SHAPE = 4, (8, 7)
T = np.array([0.1, 0.3, 0.6, 1.0], np.float32)


@pytest.fixture(params=["ve", "vp"])
def sde(request):
    return sdes.make(request.param)


def update(transform, score):
    x, t = jnp.zeros_like(score), jnp.asarray(T)
    return transform.update(score, transform.init(x), x=x, t=t, keys=sample_keys(jax.random.key(1), B))[0]


def scaled_norms(sde, score):
    """|sigma s| / sqrt(N V) of each sample."""
    return np.asarray(sde.sigma(jnp.asarray(T))) * np.sqrt((np.asarray(score) ** 2).mean(axis=(1, 2)))


def scores(sde, lengths):
    """Scores whose scaled norms are the lengths."""
    noise = np.asarray(normal(sample_keys(jax.random.key(0), B), SHAPE))
    return jnp.asarray(noise * (np.asarray(lengths) / scaled_norms(sde, noise))[:, None, None], jnp.float32)


def test_bound_holds_for_each_sample_and_keeps_directions(sde):
    score = scores(sde, [0.5, 2.0, 30.0, 1e4])
    clipped = np.asarray(update(clip_norm(sde=sde, max_norm=1.5), score))
    np.testing.assert_allclose(scaled_norms(sde, clipped), [0.5, 1.5, 1.5, 1.5], rtol=1e-5)
    ratio = clipped / np.asarray(score)
    np.testing.assert_allclose(ratio, ratio[:, :1, :1] * np.ones(SHAPE), rtol=1e-5)
    assert (ratio > 0).all()


def test_no_op_under_the_bound(sde):
    score = scores(sde, [0.1, 0.9, 0.5, 0.99])
    np.testing.assert_array_equal(update(clip_norm(sde=sde, max_norm=1.0), score), score)


def test_score_of_zero_stays_zero(sde):
    clipped = update(clip_norm(sde=sde, max_norm=1.0), jnp.zeros((B, *SHAPE)))
    np.testing.assert_array_equal(clipped, np.zeros((B, *SHAPE)))


def test_true_scores_are_within_a_bound_of_one(sde):
    """A noised x has the score -z / sigma given its x_0, of norm about one at every t."""
    noise = np.asarray(normal(sample_keys(jax.random.key(0), B), SHAPE))
    score = jnp.asarray(-noise / np.asarray(sde.sigma(jnp.asarray(T)))[:, None, None])
    np.testing.assert_allclose(scaled_norms(sde, score), 1.0, atol=0.3)


def test_clips_what_comes_before_it_in_a_chain(sde):
    push = stateless(lambda score, **_: score + 100.0)
    transform = chain(push, clip_norm(sde=sde, max_norm=2.0))
    assert not transform.coupled
    assert (scaled_norms(sde, update(transform, scores(sde, [1.0] * B))) <= 2.0 * (1 + 1e-5)).all()
    other_way = update(chain(clip_norm(sde=sde, max_norm=2.0), push), scores(sde, [1.0] * B))
    assert (scaled_norms(sde, other_way) > 2.0).all()
