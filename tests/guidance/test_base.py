import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.guidance.base import ScoreTransform, chain, identity, stateless

SHAPE = (3, 2, 4)


@pytest.fixture
def batch():
    """score, x, t and keys of three samples."""
    values = np.random.default_rng(0).standard_normal((2, *SHAPE)).astype(np.float32)
    keys = jax.random.split(jax.random.key(0), 3)
    return jnp.asarray(values[0]), {"x": jnp.asarray(values[1]), "t": jnp.array([0.1, 0.5, 1.0]), "keys": keys}


def add(amount):
    return stateless(lambda score, **_: score + amount)


def times(factor):
    return stateless(lambda score, **_: factor * score)


def counting(start):
    """Adds its state, which counts the calls, to the score."""
    return ScoreTransform(
        init=lambda x: jnp.full((), start),
        update=lambda score, state, *, x, t, keys: (score + state, state + 1.0),
    )


def test_identity_returns_the_score_itself(batch):
    score, context = batch
    bent, state = identity().update(score, identity().init(context["x"]), **context)
    assert bent is score
    assert state == ()


def test_chain_applies_in_order(batch):
    score, context = batch
    for transforms, expected in (
        ((add(1.0), times(3.0)), 3.0 * (score + 1.0)),
        ((times(3.0), add(1.0)), 3.0 * score + 1.0),
    ):
        transform = chain(*transforms)
        bent, _ = transform.update(score, transform.init(context["x"]), **context)
        np.testing.assert_allclose(bent, expected, rtol=1e-6)


def test_chain_keeps_a_state_for_each(batch):
    score, context = batch
    transform = chain(counting(10.0), identity(), counting(200.0))
    state = transform.init(context["x"])
    assert state == (10.0, (), 200.0)
    bent, state = transform.update(score, state, **context)
    np.testing.assert_allclose(bent, score + 210.0, rtol=1e-6)
    bent, state = transform.update(score, state, **context)
    np.testing.assert_allclose(bent, score + 212.0, rtol=1e-6)
    assert state == (12.0, (), 202.0)


def test_states_pass_through_scan_and_jit(batch):
    score, context = batch
    transform = chain(counting(0.0), chain(counting(1.0)))

    @jax.jit
    def run(score):
        def step(state, _):
            bent, state = transform.update(score, state, **context)
            return state, bent

        return jax.lax.scan(step, transform.init(context["x"]), length=4)

    state, bent = run(score)
    np.testing.assert_allclose(
        bent - score[None], np.full((4, *SHAPE), [[[[1.0]]], [[[3.0]]], [[[5.0]]], [[[7.0]]]]), rtol=1e-5
    )
    assert jax.tree.leaves(state) == [4.0, 5.0]


def test_every_transform_of_a_chain_sees_what_the_sampler_passed(batch):
    score, context = batch
    seen = []

    def update(score, state, *, x, t, keys):
        seen.append((x, t, keys))
        return score, state

    spy = ScoreTransform(lambda x: seen.append(x) or (), update)
    transform = chain(spy, spy)
    transform.update(score, transform.init(context["x"]), **context)
    assert [x is context["x"] for x in seen[:2]] == [True, True]
    assert all(x is context["x"] and t is context["t"] and keys is context["keys"] for x, t, keys in seen[2:])
    assert len(seen) == 4


def test_empty_chain_is_the_identity(batch):
    score, context = batch
    bent, state = chain().update(score, chain().init(context["x"]), **context)
    assert bent is score
    assert state == ()
    assert not chain().coupled


def test_chain_refuses_a_state_of_another_chain(batch):
    score, context = batch
    state = chain(counting(0.0)).init(context["x"])
    with pytest.raises(ValueError, match=r"shorter|longer"):
        chain(counting(0.0), counting(0.0)).update(score, state, **context)


def test_one_coupled_transform_couples_a_chain():
    coupled = identity()._replace(coupled=True)
    assert not chain(identity(), identity()).coupled
    assert chain(identity(), coupled).coupled
    assert chain(coupled, identity()).coupled
    assert chain(identity(), chain(identity(), coupled)).coupled


def test_stateless_transforms_leave_the_state_alone(batch):
    score, context = batch
    transform = stateless(lambda score, *, x, t, keys: score + x * t[:, None, None])
    assert not transform.coupled
    assert jax.tree.leaves(transform.init(context["x"])) == []
    token = object()
    bent, state = transform.update(score, token, **context)
    assert state is token
    np.testing.assert_allclose(bent, score + context["x"] * context["t"][:, None, None], rtol=1e-6)
