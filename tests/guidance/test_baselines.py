import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.guidance.baselines import Baselines
from nag_jax.guidance.refine import Tilt

SIZE = 400
TILT = Tilt(
    lambda x, args: args["scale"] * x[..., 3].sum(axis=-1),
    lambda x, args: jnp.where(x[:, 1, 2] > 0, -1e3, 0.0),
)


@pytest.fixture(scope="module")
def baselines(nb201):
    return Baselines(nb201, TILT, {"scale": np.float32(0.5)}, SIZE)


def thirds(tokens):
    """Nodes of class 3 of an architecture, on average."""
    return (np.asarray(tokens) == 3).sum(axis=1).mean()


@pytest.mark.parametrize(
    ("name", "options", "calls"),
    [
        ("exact", (), 15_625),
        ("resampled", (256,), 256 * SIZE),
        ("gibbs", (4,), 4 * 25 * SIZE),
        ("mutated", (150,), 151 * SIZE),
    ],
)
def test_they_sample_the_tilt(nb201, baselines, name, options, calls):
    """Six nodes of five classes, one of which has e times the weight of the others, and one node has one less."""
    pool = getattr(baselines, name)(jax.random.key(0), *options)
    odds = np.exp(1.0)
    expected = 5 * odds / (odds + 4) + odds / (odds + 3)
    assert thirds(pool.tokens) == pytest.approx(expected, abs=5 * (6 * 0.25 / SIZE) ** 0.5)
    assert (pool.tokens[:, 1] != 2).all()
    assert np.asarray(nb201.contains(pool.tokens)).all()
    assert (pool.tokens.shape, pool.calls) == ((SIZE, 8), calls)
    assert pool.seconds > 0


def test_filtering_keeps_the_best_within_the_limits(nb201, baselines):
    pool = baselines.filtered(jax.random.key(0), 4000)
    assert (pool.tokens.shape, pool.calls) == ((SIZE, 8), 4000)
    assert (pool.tokens[:, 1] != 2).all()
    assert thirds(pool.tokens) > thirds(nb201.random(jax.random.key(1), 4000)) + 1.0
