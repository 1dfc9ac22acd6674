import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.generators.contract import Beliefs
from nag_jax.guidance.guide import Guide, chain, identity, stateless

SHAPE = (3, 2, 4)


@pytest.fixture
def beliefs():
    logits = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    return Beliefs(jnp.asarray(logits), jnp.array([0.1, 0.5, 1.0]))


@pytest.fixture
def context():
    return {"keys": jax.random.split(jax.random.key(0), 3), "args": {"amount": 2.0}}


def add(amount):
    return stateless(lambda beliefs, *, keys, args: beliefs._replace(logits=beliefs.logits + amount))


def times(factor):
    return stateless(lambda beliefs, *, keys, args: beliefs._replace(logits=factor * beliefs.logits))


def counting(start):
    """Adds its state, which counts the calls, to the logits."""
    return Guide(
        init=lambda beliefs: jnp.full((), start),
        update=lambda beliefs, state, *, keys, args: (
            beliefs._replace(logits=beliefs.logits + state),
            state + 1.0,
        ),
    )


def test_identity_returns_the_beliefs_themselves(beliefs, context):
    bent, state = identity().update(beliefs, identity().init(beliefs), **context)
    assert bent is beliefs
    assert state == ()


def test_chain_applies_in_order(beliefs, context):
    for guides, expected in (
        ((add(1.0), times(3.0)), 3.0 * (beliefs.logits + 1.0)),
        ((times(3.0), add(1.0)), 3.0 * beliefs.logits + 1.0),
    ):
        guide = chain(*guides)
        bent, _ = guide.update(beliefs, guide.init(beliefs), **context)
        np.testing.assert_allclose(bent.logits, expected, rtol=1e-6)


def test_chain_keeps_a_state_for_each(beliefs, context):
    guide = chain(counting(10.0), identity(), counting(200.0))
    state = guide.init(beliefs)
    assert state == (10.0, (), 200.0)
    bent, state = guide.update(beliefs, state, **context)
    np.testing.assert_allclose(bent.logits, beliefs.logits + 210.0, rtol=1e-6)
    bent, state = guide.update(beliefs, state, **context)
    np.testing.assert_allclose(bent.logits, beliefs.logits + 212.0, rtol=1e-6)
    assert state == (12.0, (), 202.0)


def test_states_pass_through_scan_and_jit(beliefs, context):
    guide = chain(counting(0.0), chain(counting(1.0)))

    @jax.jit
    def run(beliefs):
        def step(state, _):
            bent, state = guide.update(beliefs, state, **context)
            return state, bent.logits

        return jax.lax.scan(step, guide.init(beliefs), length=4)

    state, bent = run(beliefs)
    np.testing.assert_allclose(
        bent - beliefs.logits[None], np.full((4, *SHAPE), [[[[1.0]]], [[[3.0]]], [[[5.0]]], [[[7.0]]]]), rtol=1e-5
    )
    assert jax.tree.leaves(state) == [4.0, 5.0]


def test_every_guide_of_a_chain_is_given_the_same(beliefs, context):
    seen = []

    def update(beliefs, state, *, keys, args):
        seen.append((keys, args))
        return beliefs, state

    spy = Guide(lambda beliefs: seen.append(beliefs) or (), update)
    guide = chain(spy, spy)
    guide.update(beliefs, guide.init(beliefs), **context)
    assert [found is beliefs for found in seen[:2]] == [True, True]
    assert all(keys is context["keys"] and args is context["args"] for keys, args in seen[2:])
    assert len(seen) == 4


def test_empty_chain_is_the_identity(beliefs, context):
    bent, state = chain().update(beliefs, chain().init(beliefs), **context)
    assert bent is beliefs
    assert state == ()
    assert not chain().coupled


def test_chain_refuses_a_state_of_another_chain(beliefs, context):
    state = chain(counting(0.0)).init(beliefs)
    with pytest.raises(ValueError, match=r"shorter|longer"):
        chain(counting(0.0), counting(0.0)).update(beliefs, state, **context)


def test_one_coupled_guide_couples_a_chain():
    coupled = identity()._replace(coupled=True)
    assert not chain(identity(), identity()).coupled
    assert chain(identity(), coupled).coupled
    assert chain(coupled, identity()).coupled
    assert chain(identity(), chain(identity(), coupled)).coupled


def test_stateless_guides_leave_the_state_alone_and_see_the_args(beliefs, context):
    guide = stateless(lambda beliefs, *, keys, args: beliefs._replace(logits=args["amount"] * beliefs.logits))
    assert not guide.coupled
    assert jax.tree.leaves(guide.init(beliefs)) == []
    token = object()
    bent, state = guide.update(beliefs, token, **context)
    assert state is token
    np.testing.assert_allclose(bent.logits, 2.0 * beliefs.logits, rtol=1e-6)
