"""What every score transform of the registry must keep to; a new entry is tested without touching this file."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import guidance
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.guidance import ScoreTransform
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys

B, SHAPE = 6, (3, 4)
SDE = sdes.make("ve")
WEIGHTS = jnp.asarray(np.random.default_rng(1).standard_normal((1, *SHAPE)), jnp.float32)
T = jnp.linspace(0.2, 1.0, B)


def value_fn(x, t):
    return jnp.tanh(jnp.sum(WEIGHTS * x, axis=(1, 2)) / 10.0) * (1.0 + t)


def moments(p):
    terms = (p * WEIGHTS).sum(axis=-1)
    return (terms.sum(axis=1, keepdims=True) - terms)[..., None] + WEIGHTS, jnp.ones_like(p)


ARGUMENTS = {
    "value_fn": value_fn,
    "scale": 2.0,
    "sde": SDE,
    "max_norm": 0.8,
    "moments": moments,
    "low": 0.5,
    "high": 2.0,
    "spread": 1.0,
}
"""What options without a default are given; an entry with an option of its own needs one here."""


def required(name):
    parameters = inspect.signature(guidance.REGISTRY[name]).parameters.values()
    return {p.name for p in parameters if p.default is p.empty}


def make(name):
    return guidance.make(name, **{option: ARGUMENTS[option] for option in required(name)})


@pytest.fixture(params=sorted(guidance.REGISTRY))
def transform(request):
    return make(request.param)


def inputs():
    """Keys, score and x of a noised batch of a space whose nodes are uniform over all classes."""
    keys = sample_keys(jax.random.key(0), B)
    rng = np.random.default_rng(0)
    sigma = np.asarray(SDE.sigma(T))[:, None, None]
    x0 = 2.0 * np.eye(SHAPE[1])[rng.integers(SHAPE[1], size=(B, SHAPE[0]))] - 1.0
    x = jnp.asarray(x0 + sigma * rng.standard_normal((B, *SHAPE)), jnp.float32)
    denoised = 2.0 * jax.nn.softmax(2.0 * x / sigma**2, axis=-1) - 1.0
    return keys, (denoised - x) / sigma**2, x


def test_takes_keyword_options_only():
    for name, make in guidance.REGISTRY.items():
        for parameter in inspect.signature(make).parameters.values():
            assert parameter.kind is parameter.KEYWORD_ONLY, name


def test_shapes_dtypes_and_a_state_that_keeps_its_structure(transform):
    assert isinstance(transform, ScoreTransform)
    assert isinstance(transform.coupled, bool)
    keys, score, x = inputs()
    state = transform.init(x)
    bent, new_state = jax.eval_shape(
        lambda keys, score, state, x: transform.update(score, state, x=x, t=T, keys=keys), keys, score, state, x
    )
    shapes = [jax.tree.map(lambda leaf: (jnp.shape(leaf), jnp.result_type(leaf)), tree) for tree in (state, new_state)]
    assert shapes[0] == shapes[1]
    assert bent.shape == score.shape
    assert bent.dtype == jnp.float32


def test_jits_in_a_scan_tracing_once(transform):
    traces = []

    @jax.jit
    def run(keys, score, x):
        traces.append(1)

        def step(state, _):
            bent, state = transform.update(score, state, x=x, t=T, keys=keys)
            return state, bent

        return jax.lax.scan(step, transform.init(x), length=2)[1]

    keys, score, x = inputs()
    first = run(keys, score, x)
    run(keys, 2.0 * score, x)
    assert len(traces) == 1
    assert np.isfinite(np.asarray(first)).all()
    eager, _ = transform.update(score, transform.init(x), x=x, t=T, keys=keys)
    np.testing.assert_allclose(first[0], eager, rtol=1e-3, atol=1e-3)


def test_is_a_function_of_its_keys(transform):
    keys, score, x = inputs()
    update = jax.jit(transform.update)
    one, other = (update(score, transform.init(x), x=x, t=T, keys=keys)[0] for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_samples_are_independent_exactly_when_not_coupled(transform):
    keys, score, x = inputs()
    update = jax.jit(transform.update)

    def bend(rows, change=1.0):
        def pick(array):
            picked = np.array(array[rows])
            picked[1:] *= change
            return picked

        state = transform.init(x[rows])
        return np.asarray(update(pick(score), state, x=pick(x), t=T[rows], keys=keys[rows])[0])

    whole, disturbed = bend(slice(None)), bend(slice(None), 1.5)
    gap = np.abs(disturbed - whole)[0].max()
    assert gap > 1e-4 if transform.coupled else gap < 1e-5
    if not transform.coupled:
        np.testing.assert_allclose(bend(slice(2, 4)), whole[2:4], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in sorted(guidance.REGISTRY) if "scale" in required(name)])
def test_scales_may_be_traced_and_zero_changes_nothing(name):
    options = {option: ARGUMENTS[option] for option in required(name)}
    traces = []

    @jax.jit
    def bend(scale, keys, score, x):
        traces.append(1)
        transform = guidance.make(name, **(options | {"scale": scale}))
        return transform.update(score, transform.init(x), x=x, t=T, keys=keys)[0]

    keys, score, x = inputs()
    sigma = np.asarray(SDE.sigma(T))[:, None, None]
    none, some, more = (sigma * bend(jnp.float32(scale), keys, score, x) for scale in (0.0, 1.0, 3.0))
    assert len(traces) == 1
    np.testing.assert_allclose(none, sigma * score, atol=1e-3)
    assert np.abs(some - none).max() > 1e-3
    assert np.abs(more - none).max() > np.abs(some - none).max()


@pytest.mark.parametrize(
    "name", [name for name in sorted(guidance.REGISTRY) if {"scale", "value_fn"} <= required(name)]
)
def test_scores_bend_towards_higher_values(name):
    keys, score, x = inputs()
    transform = make(name)
    bent, _ = transform.update(score, transform.init(x), x=x, t=T, keys=keys)
    step = np.asarray(SDE.sigma(T))[:, None, None] ** 2 * (bent - score)
    estimate = x + np.asarray(SDE.sigma(T))[:, None, None] ** 2 * score
    assert (value_fn(estimate + 0.1 * step, T) >= value_fn(estimate, T) - 1e-6).all()
    assert (value_fn(estimate + 0.1 * step, T) > value_fn(estimate, T)).any()


def test_make_gives_the_shared_options_only_to_those_that_take_them(transform):
    assert isinstance(guidance.make("identity", value_fn=value_fn, scale=1.0, sde=SDE), ScoreTransform)
    with pytest.raises(TypeError, match="nonsense"):
        guidance.make("identity", nonsense=1)


def test_unknown_name():
    with pytest.raises(InputError, match="unknown guidance 'nothing'") as caught:
        guidance.make("nothing")
    assert all(name in str(caught.value) for name in guidance.REGISTRY)
