"""Guided generation by hand-made values, whose outcome is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from nag_jax import guidance
from nag_jax.generators.gaussian import kernels
from nag_jax.generators.gaussian.generator import gaussian
from nag_jax.guidance import Guide
from nag_jax.guidance.calibrate import estimate_spread
from nag_jax.guidance.exceedance import exceedance, mean_value
from nag_jax.spaces.nasbench201 import OPERATIONS
from nag_jax.system.keys import sample_keys

N = 256
NONE = 2 + OPERATIONS.index("none")
PROGRESS = jnp.linspace(0.0, 1.0, 11)


def minus_nones(x, args):
    """Minus the (expected) number of `none` operations."""
    return -(x[:, 1:-1, NONE].sum(axis=-1) + 6.0) / 2.0


@pytest.fixture(scope="module")
def spread(model, params, nb201):
    """Root mean square error of the estimated number of `none` operations, by progress."""
    tokens, keys = nb201.random(jax.random.key(0), 512), sample_keys(jax.random.key(1), 512)
    generator = gaussian(nb201, model, [kernels.make("ancestral", model.sde)])

    @jax.jit
    def run():
        return estimate_spread(
            lambda keys, tokens, progress: generator.believe(params, keys, tokens, progress),
            keys,
            lambda x: minus_nones(x, {}),
            nb201.encode(tokens),
            tokens,
            PROGRESS,
        )

    return np.asarray(run())


@pytest.fixture(scope="module")
def generate(make_sampler, params, read_cells):
    """Guides by the mean or by the exceedance of that value; returns the numbers of `none` of the cells."""
    tilt, posterior = (
        guidance.make("class_tilt", value_fn=make_value(minus_nones)) for make_value in (mean_value, exceedance)
    )

    def update(beliefs, state, *, keys, args):
        tilted, _ = tilt.update(beliefs, (), keys=keys, args=args)
        aimed, _ = posterior.update(beliefs, (), keys=keys, args={**args, "scale": 1.0})
        return beliefs._replace(logits=jnp.where(args["aim"], aimed.logits, tilted.logits)), state

    sampler = make_sampler(guide=Guide(lambda beliefs: (), update), num_steps=20)

    def run(*, scale=0.0, target=0.0, spread=None, aim=False):
        bend = {
            "scale": np.float32(scale),
            "target": np.float32(target),
            "progress": PROGRESS,
            "spread": jnp.ones_like(PROGRESS) if spread is None else spread,
            "aim": np.bool_(aim),
        }
        return (read_cells(sampler(jax.random.key(5), N, params, bend)) == NONE).sum(axis=1)

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
    for t in np.maximum(1.0 - np.asarray(PROGRESS), 1e-5):
        sigma = 0.1 * 50.0**t
        x = 2.0 * one_hot - 1.0 + sigma * rng.standard_normal(one_hot.shape)
        p = softmax(2.0 * x / sigma**2, axis=1)
        expected.append(np.sqrt(6.0 * ((p - one_hot)[:, 0] ** 2).mean()))
    np.testing.assert_allclose(spread, expected, rtol=0.1, atol=0.02)
    assert spread[-1] < 1e-3
    assert spread[0] == pytest.approx(np.sqrt(6 * 0.2 * 0.8), rel=0.1)  # that of a blind guess


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
