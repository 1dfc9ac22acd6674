"""Guided generation by hand-made values, whose outcome is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from nag_jax import guidance
from nag_jax.guidance.value import estimate_spread, exceedance, mean_value
from nag_jax.spaces.nasbench201 import OPERATIONS
from nag_jax.system.keys import sample_keys

N = 256
NONE = 2 + OPERATIONS.index("none")
TIMES = jnp.linspace(1e-5, 1.0, 11)


def minus_nones(x, t):
    """Two members that agree: minus the (expected) number of `none` operations."""
    return jnp.repeat(-(x[:, 1:-1, NONE].sum(axis=-1, keepdims=True) + 6.0) / 2.0, 2, axis=1)


@pytest.fixture(scope="module")
def spread(model, params, nb201):
    """Root mean square error of the estimated number of `none` operations, by time."""
    x0 = nb201.encode(nb201.random(jax.random.key(0), 512))
    keys = sample_keys(jax.random.key(1), 512)
    run = jax.jit(lambda: estimate_spread(keys, minus_nones, model.score_fn(params), x0, model.sde, TIMES))
    return np.asarray(run())


@pytest.fixture(scope="module")
def generate(make_generator, model, params, cells):
    """Guides by the mean or by the exceedance of that value; returns the numbers of `none` of the cells."""

    def guide(score_fn, bend):
        tilt = guidance.make("class_tilt", value_fn=mean_value(minus_nones), scale=bend["scale"], sde=model.sde)
        aim = {name: bend[name] for name in ("target", "times", "spread")}
        posterior = guidance.make("class_tilt", value_fn=exceedance(minus_nones, **aim), scale=1.0, sde=model.sde)

        def update(score, state, *, x, t, keys):
            options = {"x": x, "t": t, "keys": keys}
            tilted, aimed = (one.update(score, (), **options)[0] for one in (tilt, posterior))
            return jnp.where(bend["aim"], aimed, tilted), state

        return guidance.ScoreTransform(lambda x: (), update)

    generator = make_generator(guide=guide, num_steps=20)

    def run(*, scale=0.0, target=0.0, spread=None, aim=False):
        bend = {
            "scale": np.float32(scale),
            "target": np.float32(target),
            "times": TIMES,
            "spread": jnp.ones_like(TIMES) if spread is None else spread,
            "aim": np.bool_(aim),
        }
        return (cells(generator(jax.random.key(5), N, params, bend)) == NONE).sum(axis=1)

    return run


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0, -2.0])
def test_the_tilt_of_a_linear_value_samples_the_posterior(generate, scale):
    """Nodes are independent here, so a node is `none` with the probability e^-s / (4 + e^-s)."""
    expected = np.exp(-scale) / (4.0 + np.exp(-scale))
    error = np.sqrt(expected * (1.0 - expected) / (6 * N))
    assert generate(scale=scale).mean() / 6 == pytest.approx(expected, abs=4 * error)


def test_the_spread_of_estimates_shrinks_to_nothing(spread):
    """As that of one node in NumPy, times the root of the six that there are."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 5, 20_000)
    one_hot = np.eye(5)[classes]
    expected = []
    for t in np.asarray(TIMES):
        sigma = 0.1 * 50.0**t
        x = 2.0 * one_hot - 1.0 + sigma * rng.standard_normal(one_hot.shape)
        p = softmax(2.0 * x / sigma**2, axis=1)
        expected.append(np.sqrt(6.0 * ((p - one_hot)[:, 0] ** 2).mean()))
    np.testing.assert_allclose(spread, expected, rtol=0.1, atol=0.02)
    assert spread[0] < 1e-3
    assert spread[-1] == pytest.approx(np.sqrt(6 * 0.2 * 0.8), rel=0.1)  # that of a blind guess


def test_exceedance_reaches_its_target_and_stops_there(generate, spread):
    """At most one `none` is asked for, which 66 % of uniform cells have; among those the number is left as it is."""
    spread = np.hypot(spread, 0.05).astype(np.float32)
    before = generate()
    after = generate(target=-1.5, spread=spread, aim=True)
    assert (before <= 1).mean() == pytest.approx(0.655, abs=0.1)
    assert (after <= 1).mean() > 0.97
    among = 6 * 0.2 * 0.8**5 / (0.8**6 + 6 * 0.2 * 0.8**5)  # uniform cells with one, among those with at most one
    assert (after == 1).mean() > 0.5 * among
    harder = generate(scale=8.0)
    assert (harder == 0).mean() > 0.97


def test_a_target_below_every_value_changes_nothing(generate, spread):
    spread = np.hypot(spread, 0.05).astype(np.float32)
    np.testing.assert_array_equal(generate(target=-20.0, spread=spread, aim=True), generate())
