"""What every SDE of the registry must keep to; a new entry is tested without touching this file."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.generators.gaussian import sde as sdes
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys

B, SHAPE = 4, (3, 5)
T = jnp.array([0.1, 0.4, 0.8, 1.0])


@pytest.fixture(params=sorted(sdes.REGISTRY))
def sde(request):
    return sdes.make(request.param)


@pytest.fixture
def x():
    return jnp.asarray(np.random.default_rng(0).standard_normal((B, *SHAPE)), jnp.float32)


def test_is_a_frozen_hashable_value(sde):
    same = type(sde)(**dataclasses.asdict(sde))
    assert same == sde
    assert hash(same) == hash(sde)
    for field in dataclasses.fields(sde):
        assert isinstance(getattr(sde, field.name), (int, float)), "no arrays"
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(sde, field.name, 0.0)
        assert dataclasses.replace(sde, **{field.name: 2.0 * getattr(sde, field.name)}) != sde


def test_may_be_a_static_argument_and_traces_once(sde, x):
    traces = []

    def marginal(sde, x, t):
        traces.append(sde)
        return sde.marginal(x, t)

    jitted = jax.jit(marginal, static_argnums=0)
    first = jitted(sde, x, T)
    jitted(type(sde)(**dataclasses.asdict(sde)), x + 1.0, T)
    assert len(traces) == 1
    for eager, compiled in zip(sde.marginal(x, T), first, strict=True):
        np.testing.assert_allclose(compiled, eager, rtol=1e-5)


def test_shapes_and_dtypes(sde, x):
    for value in (sde.alpha(T), sde.sigma(T)):
        assert value.shape == (B,)
        assert value.dtype == jnp.float32
        assert np.isfinite(np.asarray(value)).all()
    mean, std = sde.marginal(x, T)
    drift, diffusion = sde.coefficients(x, T)
    prior = sde.prior(sample_keys(jax.random.key(0), B), SHAPE)
    assert mean.shape == drift.shape == prior.shape == (B, *SHAPE)
    assert std.shape == diffusion.shape == (B,)
    assert {array.dtype for array in (mean, std, drift, diffusion, prior)} == {jnp.dtype(jnp.float32)}
    assert sde.alpha(jnp.ones(())).shape == sde.sigma(jnp.ones(())).shape == ()


def test_marginal_is_alpha_and_sigma(sde, x):
    mean, std = sde.marginal(x, T)
    np.testing.assert_allclose(mean, np.asarray(sde.alpha(T))[:, None, None] * x, rtol=1e-6)
    np.testing.assert_array_equal(std, sde.sigma(T))


def test_noise_grows_and_is_there_at_the_least_time(sde):
    assert 0.0 < sde.t_min < 0.1
    t = jnp.linspace(sde.t_min, 1.0, 101)
    ratio, alpha, slope = jax.jit(
        lambda t: (sde.sigma(t) / sde.alpha(t), sde.alpha(t), jax.vmap(jax.grad(sde.sigma))(t))
    )(t)
    ratio = np.asarray(ratio)
    assert ratio[0] > 0.0
    assert (np.diff(ratio) > 0.0).all()
    assert (alpha[1:] <= alpha[:-1]).all()
    assert ratio[-1] > 2.0, "little of the data is left at t = 1"
    assert np.isfinite(np.asarray(slope)).all()


def test_drift_is_linear_in_x(sde, x):
    drift, diffusion = sde.coefficients(x, T)
    twice, same = sde.coefficients(2.0 * x, T)
    np.testing.assert_allclose(twice, 2.0 * drift, rtol=1e-6)
    np.testing.assert_array_equal(same, diffusion)
    assert (np.asarray(diffusion) > 0.0).all()


def test_prior_is_one_key_a_sample(sde):
    keys = sample_keys(jax.random.key(0), B)
    draws = sde.prior(keys, SHAPE)
    np.testing.assert_array_equal(sde.prior(keys, SHAPE), draws)
    np.testing.assert_array_equal(sde.prior(keys[1:3], SHAPE), draws[1:3])
    assert len(np.unique(draws)) == draws.size


def test_unknown_name():
    with pytest.raises(InputError, match="unknown SDE 'nothing'") as caught:
        sdes.make("nothing")
    assert all(name in str(caught.value) for name in sdes.REGISTRY)
