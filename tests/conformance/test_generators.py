"""What every family of generators must keep to; a new entry of `FAMILIES` is tested without touching this file."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.generators import FAMILIES
from nag_jax.generators.contract import sample
from nag_jax.guidance.guide import stateless
from nag_jax.settings import Generate
from nag_jax.settings.sampler import Sampler
from nag_jax.settings.score import Generator, Network, Score
from nag_jax.system.keys import sample_keys
from nag_jax.tasks import build

B, STEPS = 6, 4
WHOLE: Any = spaces.make("nasbench201")
PART: Any = spaces.restrict(WHOLE, fixed={"0-1": "none"}, excluded={"2-3": "skip_connect"})
NETWORK = Network(width=8, num_blocks=1, num_heads=2, mlp_width=8)


@functools.cache
def made(name, space):
    config = Generate(generator=Generator(name=name), score=Score(network=NETWORK), sampler=Sampler(num_steps=STEPS))
    return build.make_generator(config, space, build.make_model(config, space))


@pytest.fixture(params=FAMILIES, scope="module")
def family(request):
    return request.param


@pytest.fixture(scope="module")
def params(family):
    return made(family, WHOLE).init(jax.random.key(0))


def third(beliefs, *, keys, args):
    """Leaves the convolution of three by three alone, at all nodes that may be one."""
    only = jnp.arange(WHOLE.num_classes) == WHOLE.class_names.index("nor_conv_3x3")
    may = jnp.isfinite(beliefs.logits) & only[None, None]
    return beliefs._replace(logits=jnp.where(may.any(axis=-1, keepdims=True) & ~may, -jnp.inf, beliefs.logits))


def test_its_loss_is_a_finite_number_with_a_gradient(family, params):
    generator, tokens = made(family, WHOLE), WHOLE.random(jax.random.key(0), B)
    loss, slopes = jax.jit(jax.value_and_grad(generator.loss))(params, jax.random.key(1), tokens)
    assert loss.shape == ()
    assert loss.dtype == jnp.float32
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in [loss, *jax.tree.leaves(slopes)])
    assert generator.learns == bool(jax.tree.leaves(params))


def test_its_beliefs_are_probabilities_of_allowed_classes(family, params):
    tokens, keys = PART.random(jax.random.key(0), B), sample_keys(jax.random.key(1), B)
    believe = jax.jit(made(family, PART).believe)
    beliefs = believe(params, keys, tokens, jnp.linspace(0.0, 1.0, B))
    p = np.asarray(beliefs.probabilities())
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, rtol=1e-5)
    assert not p[:, ~PART.allowed].any()
    assert beliefs.progress.shape == (B,)


def test_samples_depend_on_their_keys_alone_and_keep_to_a_part(family, params):
    generator, keys = made(family, PART), sample_keys(jax.random.key(0), B)
    drawn = jax.jit(lambda params, keys: sample(generator, params, keys, num_steps=STEPS))
    every, few = drawn(params, keys), drawn(params, keys[1:3])
    assert every.tokens.dtype == jnp.int32
    np.testing.assert_array_equal(every.tokens[1:3], few.tokens)
    np.testing.assert_array_equal(every.valid, PART.contains(every.tokens))
    assert (np.asarray(every.tokens)[:, 1] == WHOLE.class_names.index("none")).all()
    assert np.asarray(every.valid).all()


def test_a_guide_bends_its_beliefs(family, params):
    generator, keys = made(family, WHOLE), sample_keys(jax.random.key(0), B)
    guided = jax.jit(lambda params: sample(generator, params, keys, num_steps=STEPS, guide=stateless(third), args={}))
    assert (np.asarray(guided(params).tokens)[:, 1:-1] == WHOLE.class_names.index("nor_conv_3x3")).all()
