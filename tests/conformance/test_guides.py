"""What every guide of the registry must keep to; a new entry is tested without touching this file."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import guidance
from nag_jax.generators.contract import Beliefs
from nag_jax.guidance import Guide
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys

B, SHAPE = 6, (3, 4)
WEIGHTS = jnp.asarray(np.random.default_rng(1).standard_normal((1, *SHAPE)), jnp.float32)
ALLOWED = np.array([[True] * 4, [True, True, False, False], [False, True, True, True]])


def value_fn(x, progress, args):
    return jnp.tanh(jnp.sum(WEIGHTS * x, axis=(1, 2)) / 10.0) * (2.0 - progress)


def moments(p):
    terms = (p * WEIGHTS).sum(axis=-1)
    return (terms.sum(axis=1, keepdims=True) - terms)[..., None] + WEIGHTS, jnp.ones_like(p)


OPTIONS = {"value_fn": value_fn, "moments": moments}
"""What options without a default are given; an entry with an option of its own needs one here."""
ARGS = {"scale": 2.0, "bands": jnp.array([[0.5, 2.0]])}
"""What guides are given while they bend."""


def required(name):
    options = inspect.signature(guidance.REGISTRY[name]).parameters.values()
    return {option.name for option in options if option.default is option.empty}


def make(name):
    return guidance.make(name, **{option: OPTIONS[option] for option in required(name)})


@pytest.fixture(params=sorted(guidance.REGISTRY))
def guide(request):
    return make(request.param)


@pytest.fixture
def beliefs():
    rng = np.random.default_rng(0)
    logits = jnp.where(ALLOWED, rng.standard_normal((B, *SHAPE)), -jnp.inf).astype(jnp.float32)
    return Beliefs(jax.nn.log_softmax(logits, axis=-1), jnp.linspace(0.0, 0.8, B))


KEYS = sample_keys(jax.random.key(0), B)


def test_takes_keyword_options_only():
    for name, make in guidance.REGISTRY.items():
        for parameter in inspect.signature(make).parameters.values():
            assert parameter.kind is parameter.KEYWORD_ONLY, name


def test_shapes_dtypes_and_a_state_that_keeps_its_structure(guide, beliefs):
    assert isinstance(guide, Guide)
    assert isinstance(guide.coupled, bool)
    state = guide.init(beliefs)
    bent, new_state = jax.eval_shape(
        lambda beliefs, state: guide.update(beliefs, state, keys=KEYS, args=ARGS), beliefs, state
    )
    shapes = [jax.tree.map(lambda leaf: (jnp.shape(leaf), jnp.result_type(leaf)), tree) for tree in (state, new_state)]
    assert shapes[0] == shapes[1]
    assert isinstance(bent, Beliefs)
    assert (bent.logits.shape, bent.logits.dtype) == (beliefs.logits.shape, jnp.float32)
    assert bent.progress.shape == (B,)


def test_jits_in_a_scan_tracing_once(guide, beliefs):
    traces = []

    @jax.jit
    def run(beliefs, args):
        traces.append(1)

        def step(state, _):
            bent, state = guide.update(beliefs, state, keys=KEYS, args=args)
            return state, bent.probabilities()

        return jax.lax.scan(step, guide.init(beliefs), length=2)[1]

    first = run(beliefs, ARGS)
    run(beliefs, {**ARGS, "scale": 1.0})
    assert len(traces) == 1
    assert np.isfinite(np.asarray(first)).all()
    eager, _ = guide.update(beliefs, guide.init(beliefs), keys=KEYS, args=ARGS)
    np.testing.assert_allclose(first[0], eager.probabilities(), rtol=1e-3, atol=1e-4)


def test_is_a_function_of_its_keys(guide, beliefs):
    update = jax.jit(lambda beliefs: guide.update(beliefs, guide.init(beliefs), keys=KEYS, args=ARGS)[0].logits)
    np.testing.assert_array_equal(update(beliefs), update(beliefs))


def test_samples_are_independent_exactly_when_not_coupled(guide, beliefs):
    def bend(rows, change=1.0):
        logits = np.array(beliefs.logits[rows])
        logits[1:] *= change
        chosen = Beliefs(jax.nn.log_softmax(logits, axis=-1), beliefs.progress[rows])
        return np.asarray(guide.update(chosen, guide.init(chosen), keys=KEYS[rows], args=ARGS)[0].probabilities())

    whole, disturbed = bend(slice(None)), bend(slice(None), 1.5)
    gap = np.abs(disturbed - whole)[0].max()
    assert gap > 1e-4 if guide.coupled else gap < 1e-5
    if not guide.coupled:
        np.testing.assert_allclose(bend(slice(2, 4)), whole[2:4], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("strength", [1.0, 1e4])
def test_what_is_ruled_out_stays_ruled_out(guide, beliefs, strength):
    """However strong the guide is, and whatever the family of generators believes."""
    args = {"scale": strength, "bands": jnp.array([[-1e3 - 1.0, -1e3]]) * strength}
    bent, _ = guide.update(beliefs, guide.init(beliefs), keys=KEYS, args=args)
    p = np.asarray(bent.probabilities())
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, atol=1e-5)
    assert (p[:, ~ALLOWED] == 0.0).all()


@pytest.mark.parametrize("name", [name for name in sorted(guidance.REGISTRY) if "value_fn" in required(name)])
def test_scales_may_be_traced_and_zero_changes_nothing(name, beliefs):
    traces = []
    guide = make(name)

    @jax.jit
    def bend(scale):
        traces.append(1)
        return guide.update(beliefs, guide.init(beliefs), keys=KEYS, args={"scale": scale})[0].probabilities()

    none, some, more = (np.asarray(bend(jnp.float32(scale))) for scale in (0.0, 1.0, 3.0))
    assert len(traces) == 1
    np.testing.assert_allclose(none, beliefs.probabilities(), atol=1e-5)
    assert np.abs(some - none).max() > 1e-3
    assert np.abs(more - none).max() > np.abs(some - none).max()


@pytest.mark.parametrize("name", [name for name in sorted(guidance.REGISTRY) if "value_fn" in required(name)])
def test_beliefs_bend_towards_higher_values(name, beliefs):
    guide = make(name)
    bent, _ = guide.update(beliefs, guide.init(beliefs), keys=KEYS, args={"scale": 0.2})
    before, after = (value_fn(found.estimate(), found.progress, {}) for found in (beliefs, bent))
    assert (after >= before - 1e-6).all()
    assert (after > before).any()


def test_make_gives_the_value_only_to_those_that_take_it():
    assert isinstance(guidance.make("identity", value_fn=value_fn), Guide)
    with pytest.raises(InputError, match="nonsense"):
        guidance.make("identity", nonsense=1)


def test_unknown_name():
    with pytest.raises(InputError, match="unknown guidance 'nothing'") as caught:
        guidance.make("nothing")
    assert all(name in str(caught.value) for name in guidance.REGISTRY)
