import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.generators.gaussian import kernels
from nag_jax.generators.gaussian.guided import by_scores, plain
from nag_jax.generators.gaussian.kernels import Kernel
from nag_jax.generators.gaussian.sampler import Origin, make_sampler, sample
from nag_jax.generators.gaussian.score_guides import ScoreGuide, stateless
from nag_jax.system.errors import InputError
from nag_jax.system.keys import sample_keys

SHAPE = (8, 7)
STEPS = 6
KEYS = 24


def make_keys(n=KEYS):
    return sample_keys(jax.random.key(0), n)


def draw(ve, score_fn, names=("ancestral",), *, norm="sample", num_steps=STEPS, guide=None, **options):
    """A jitted function of keys."""
    chosen = [kernels.make(name, ve, **({"norm": norm} if name == "langevin" else {})) for name in names]
    score = plain(score_fn) if guide is None else by_scores(score_fn, guide)
    return jax.jit(
        lambda keys: sample(keys, score, sde=ve, kernels=chosen, shape=SHAPE, num_steps=num_steps, **options)
    )


def counting(record=None):
    """A guide whose state counts its calls; `record` is called with each state that it is handed."""

    def append(count):
        if record is not None:
            record.append(int(count))

    def update(score, state, *, x, t, keys):
        jax.debug.callback(append, state, ordered=True)
        return score, state + 1

    return ScoreGuide(lambda x: jnp.zeros((), jnp.int32), update)


def population_mean():
    """A coupled guide: draws the samples together."""
    return ScoreGuide(
        lambda x: (),
        lambda score, state, *, x, t, keys: (score - 0.1 * (x - x.mean(axis=0, keepdims=True)), state),
        coupled=True,
    )


# Independence


def test_samples_depend_on_their_own_keys_alone(ve, oracle):
    run = draw(ve, oracle, ("langevin", "ancestral"))
    keys = make_keys()
    whole = np.asarray(run(keys))
    np.testing.assert_allclose(run(keys[:5]), whole[:5], atol=1e-4)
    chunks = [run(keys[i : i + 8]) for i in range(0, KEYS, 8)]
    np.testing.assert_allclose(np.concatenate(chunks), whole, atol=1e-4)
    np.testing.assert_allclose(run(keys[::-1]), whole[::-1], atol=1e-4)
    assert len(np.unique(whole.round(2).reshape(KEYS, -1), axis=0)) > KEYS // 2


def test_equal_keys_give_equal_samples_and_others_others(ve, oracle):
    run = draw(ve, oracle)
    np.testing.assert_array_equal(run(make_keys()), run(make_keys()))
    assert np.abs(run(make_keys()) - run(sample_keys(jax.random.key(1), KEYS))).max() > 0.5
    twice = run(jnp.repeat(make_keys(3), 8))
    np.testing.assert_allclose(twice[0], twice[7], atol=1e-5)


def test_batch_norms_couple_samples(ve, oracle):
    run = draw(ve, oracle, ("langevin", "euler_maruyama"), norm="batch", final="mean")
    keys = make_keys()
    assert np.abs(np.asarray(run(keys[:5])) - np.asarray(run(keys))[:5]).max() > 1e-2


def test_a_coupled_guide_couples(ve, oracle):
    run = draw(ve, oracle, guide=population_mean(), final="mean")
    keys = make_keys()
    assert np.abs(np.asarray(run(keys[:5])) - np.asarray(run(keys))[:5]).max() > 1e-2


# Origins


def test_samples_begin_near_their_origin(ve, oracle):
    keys, x = make_keys(), jax.random.normal(jax.random.key(1), (KEYS, *SHAPE))
    as_prior = draw(ve, oracle, origin=Origin(jnp.zeros_like(x), jnp.ones(KEYS)))(keys)
    np.testing.assert_allclose(as_prior, draw(ve, oracle)(keys), atol=1e-5)
    t = jnp.asarray([ve.t_min, 0.5, 1.0]).repeat(KEYS // 3)
    found = draw(ve, lambda x, t: jnp.zeros_like(x), final="mean", origin=Origin(x, t))(keys)
    away = np.asarray(jnp.std((found - x).reshape(3, -1), axis=1))
    assert away[0] < 0.2
    np.testing.assert_allclose(away[1:], ve.sigma(jnp.asarray([0.5, 1.0])), rtol=0.5)


# Pieces


@pytest.mark.parametrize("final", ["denoise", "mean"])
def test_pieces_equal_the_whole(ve, oracle, final):
    chosen = [kernels.make("langevin", ve), kernels.make("dpm_solver", ve)]
    options = {"sde": ve, "kernels": chosen, "shape": SHAPE, "num_steps": 5, "final": final}
    score = by_scores(oracle, counting())
    sampler = make_sampler(score, **options)
    advance = jax.jit(sampler.advance, static_argnums=1)
    carry = jax.jit(sampler.init)(make_keys(4))
    for n in (2, 1, 2):
        carry = advance(carry, n)
    whole = jax.jit(lambda keys: sample(keys, score, **options))(make_keys(4))
    np.testing.assert_allclose(jax.jit(sampler.finish)(carry), whole, atol=1e-5)


def test_no_steps_change_nothing(ve, oracle):
    sampler = make_sampler(plain(oracle), sde=ve, kernels=[kernels.make("ancestral", ve)], shape=SHAPE, num_steps=3)
    carry = sampler.init(make_keys(2))
    after = sampler.advance(carry, 0)
    assert jax.tree.structure(after) == jax.tree.structure(carry)
    np.testing.assert_array_equal(after.x, carry.x)


def test_the_kernels_see_every_time_of_the_grid_in_order(ve):
    seen = []

    def step(keys, i, state, x, t, t_next, score_fn):
        jax.debug.callback(
            lambda *values: seen.append([float(value) for value in values]), i, t[0], t_next[0], ordered=True
        )
        return state, x, x

    spy = Kernel(lambda x: (), step)
    run = jax.jit(
        lambda keys: sample(
            keys, plain(lambda x, t: jnp.zeros_like(x)), sde=ve, kernels=[spy], shape=SHAPE, num_steps=4
        )
    )
    jax.block_until_ready(run(make_keys(2)))
    jax.effects_barrier()
    times = np.linspace(1.0, ve.t_min, 5)
    np.testing.assert_allclose(seen, [[i, times[i], times[i + 1]] for i in range(4)], rtol=1e-5)


def test_the_ends_of_a_run(ve):
    """Starts at the prior; ends with the last kernel's mean, or with Tweedie's estimate at its sample."""

    def step(keys, i, state, x, t, t_next, score_fn):
        return state, x, x + 1.0

    options = {"sde": ve, "kernels": [Kernel(lambda x: (), step)], "shape": SHAPE, "num_steps": 2}
    zero, pulled = plain(lambda x, t: jnp.zeros_like(x)), plain(lambda x, t: (0.25 - x) / 0.1**2)
    keys = make_keys(200)
    start = np.asarray(sample(keys, zero, **options))
    assert start.std() == pytest.approx(5.0, rel=0.05)
    np.testing.assert_allclose(sample(keys, zero, final="mean", **options), start + 1.0, rtol=1e-6)
    np.testing.assert_allclose(sample(keys, pulled, **options), 0.25, atol=1e-2)


# The guide


@pytest.mark.parametrize(("final", "more"), [("denoise", 1), ("mean", 0)])
def test_the_state_is_threaded_once_through_every_evaluation(ve, oracle, final, more):
    record = []
    evaluations = (3 + 1) * 4  # Langevin evaluates three times a step
    chosen = [kernels.make("langevin", ve, num_steps=3), kernels.make("ancestral", ve)]
    run = jax.jit(
        lambda keys: sample(
            keys, by_scores(oracle, counting(record)), sde=ve, kernels=chosen, shape=SHAPE, num_steps=4, final=final
        )
    )
    jax.block_until_ready(run(make_keys(2)))
    jax.effects_barrier()
    assert record == list(range(evaluations + more))


def test_the_guide_bends_every_score(ve, oracle):
    """Halving all scores is the same as a score function that returns halves."""

    def halve(score, state, *, x, t, keys):
        return 0.5 * score, state

    names = ("langevin", "euler_maruyama")
    bent = draw(ve, oracle, names, guide=ScoreGuide(lambda x: (), halve))(make_keys(3))
    expected = draw(ve, lambda x, t: 0.5 * oracle(x, t), names)(make_keys(3))
    np.testing.assert_allclose(bent, expected, rtol=1e-4, atol=1e-4)


def test_guides_get_new_keys_at_every_evaluation(ve, oracle):
    seen = []

    def update(score, state, *, x, t, keys):
        jax.debug.callback(lambda data: seen.append(np.asarray(data)), jax.random.key_data(keys), ordered=True)
        return score, state

    score = by_scores(oracle, ScoreGuide(lambda x: (), update))
    chosen = [kernels.make("langevin", ve, num_steps=2), kernels.make("ancestral", ve)]
    options = {"sde": ve, "kernels": chosen, "shape": SHAPE, "num_steps": 3}
    jax.block_until_ready(jax.jit(lambda keys: sample(keys, score, **options))(make_keys(4)))
    jax.effects_barrier()
    assert len(seen) == (2 + 1) * 3 + 1
    every = np.concatenate(seen)
    assert len(np.unique(every, axis=0)) == 4 * len(seen)


def test_a_guide_that_does_nothing_changes_nothing(ve, oracle):
    nothing = stateless(lambda score, **_: score)
    np.testing.assert_array_equal(draw(ve, oracle)(make_keys(3)), draw(ve, oracle, guide=nothing)(make_keys(3)))


# Compiling, devices, errors


def test_jitting_traces_the_score_once_an_evaluation_whatever_the_steps(ve, oracle):
    traces = []

    def score_fn(x, t):
        traces.append(x.shape)
        return oracle(x, t)

    run = draw(ve, score_fn, ("langevin", "ancestral"), num_steps=9)
    first = run(make_keys())
    count = len(traces)
    assert count == 3  # one each kernel, one at the end
    second = run(sample_keys(jax.random.key(1), KEYS))
    assert len(traces) == count
    assert np.abs(first - second).max() > 0.5


def test_no_steps_are_refused(ve, oracle):
    with pytest.raises(InputError, match=r"num_steps must be at least 1, found 0"):
        make_sampler(plain(oracle), sde=ve, kernels=[kernels.make("ancestral", ve)], shape=SHAPE, num_steps=0)
