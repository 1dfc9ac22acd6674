"""Populations against the closed form, and what their weights do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.generators.contract import sample
from nag_jax.generators.exact import ClosedForm
from nag_jax.generators.gaussian import kernels, sde
from nag_jax.generators.population import Population, population, temper, weigh
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys

SPACE = spaces.make("nasbench201")
EVERY = SPACE.all_tokens()


@pytest.mark.parametrize("process", ["ve", "vp"])
def test_all_architectures_with_equal_weights_have_the_space_s_own_score(process):
    model = Population(SPACE, sde.make(process))
    closed = ClosedForm(SPACE, model.sde)
    params = weigh(EVERY, np.zeros(len(EVERY)))
    keys = sample_keys(jax.random.key(0), 16)
    x0 = SPACE.encode(SPACE.random(jax.random.key(1), 16))

    @jax.jit
    def difference(params, t):
        level = jnp.full(16, t, jnp.float32)
        x = model.sde.diffuse(keys, x0, level)
        scale = model.sde.sigma(level)[:, None, None] ** 2 / model.sde.alpha(level)[:, None, None]
        return jnp.abs((model.score_fn(params)(x, level) - closed.score_fn({})(x, level)) * scale).max()

    assert max(float(difference(params, t)) for t in (0.05, 0.2, 0.5, 1.0)) < 1e-4


def test_weights_decide_what_is_sampled():
    model = Population(SPACE, sde.make("ve"))
    generator = population(model, [kernels.make("ancestral", model.sde)])
    few = EVERY[::1500]
    log_weights = np.where(np.arange(len(few)) < 2, 0.0, -np.inf)
    draw = jax.jit(lambda params, keys: sample(generator, params, keys, num_steps=20))
    samples = draw(weigh(few, log_weights), sample_keys(jax.random.key(0), 64))
    assert bool(samples.valid.all())
    assert {row.tobytes() for row in np.asarray(samples.tokens)} == {row.tobytes() for row in few[:2]}


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5])
def test_the_temperature_keeps_a_share_effective(share):
    values = np.random.default_rng(0).normal(size=2000) * 7 + 90
    weights = np.exp(temper(values, share))
    assert weights.sum() ** 2 / (weights**2).sum() == pytest.approx(share * 2000, rel=1e-3)


def test_a_population_without_weights_is_refused():
    with pytest.raises(InputError, match="one each"):
        weigh(EVERY[:2], np.full(2, -np.inf))
    with pytest.raises(InputError, match=r"0\.05"):
        temper(np.arange(3.0), 0.0)
