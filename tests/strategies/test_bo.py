from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import strategies as search
from nag_jax.strategies import surrogates
from nag_jax.strategies.base import History
from nag_jax.strategies.bo import make_acquire, make_score, pick
from nag_jax.strategies.bo_nag import best_distinct, generator_pool, normal_score
from nag_jax.strategies.maximizers import Belief
from nag_jax.system.errors import InputError


@pytest.fixture(scope="module")
def belief(domain, objective):
    """What a Gaussian process makes of 40 random labels: (history, acquisition, belief)."""
    tokens = domain.random(jax.random.key(0), 40, np.zeros(0, np.int64))
    history = History.empty(domain.space).add(domain.space, tokens, objective(tokens)[:, None])
    model = surrogates.make("gaussian_process", domain.space)
    data = surrogates.make_data(domain.space, history, labels="normal", least=64)
    posterior = jax.jit(model.fit)(jax.random.key(0), data)
    return history, make_acquire(model, "log_ei", {}), Belief(posterior, data.values.max())


def test_the_generator_finds_what_listing_the_space_finds(domain, generator, belief):
    history, acquire, believed = belief
    score = make_score(domain.space, acquire)
    listed = np.sort(score(jax.random.key(1), believed, domain.new(domain.all, history.keys), 64))[::-1]
    reached = {}
    for near in (0.0, 0.5):
        pool = generator_pool(
            domain,
            acquire,
            generator,
            pool_size=256,
            rounds=2,
            top_share=0.02,
            scale=1.0,
            near=near,
            near_times=(0.3, 0.7),
        )
        found = domain.new(pool(jax.random.key(2), history, believed), history.keys)
        assert len(found) > 30
        reached[near] = score(jax.random.key(1), believed, found, 64)
    assert reached[0.0].max() >= listed[2]
    assert reached[0.5].max() >= listed[1]
    assert np.mean(reached[0.0] >= listed[len(listed) // 20]) > 0.2  # 0.05 without guidance
    assert np.mean(reached[0.5] >= listed[len(listed) // 20]) > np.mean(reached[0.0] >= listed[len(listed) // 20])


def test_the_best_that_differ_are_kept():
    tokens = jnp.asarray(np.repeat(np.arange(12), 2)[:, None] * np.ones((1, 3), int))
    values = jnp.asarray(np.repeat(np.arange(12), 2), jnp.float32)
    np.testing.assert_array_equal(best_distinct(tokens, values)[:, 0], np.arange(11, 1, -1))
    np.testing.assert_array_equal(best_distinct(tokens[:4], values[:4])[:4, 0], [1, 0, 1, 0])


def test_normal_score_is_increasing_and_makes_values_normal():
    values = jnp.asarray(np.random.default_rng(0).exponential(size=4000) ** 3, jnp.float32)
    score = normal_score(-values)
    assert abs(float(jnp.median(score(-values)))) < 0.05
    assert abs(float((score(-values) < -1).mean()) - 0.16) < 0.02
    line = jnp.linspace(-500.0, 50.0, 1000)
    slopes = jax.vmap(jax.grad(score))(line)
    assert (np.diff(score(line)) > 0).all()
    assert (np.asarray(slopes) > 0).all()


def test_a_batch_is_spread_as_far_as_the_pool_allows():
    tokens = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 1], [2, 2, 2]])
    np.testing.assert_array_equal(pick(tokens, 3, 2), tokens[[0, 2, 3]])
    np.testing.assert_array_equal(pick(tokens, 2, 1), tokens[[0, 1]])
    np.testing.assert_array_equal(pick(tokens, 4, 3), tokens[[0, 3, 1, 2]])


@pytest.mark.parametrize("name", ["bo", "regularized_evolution"])
def test_beats_random_search_with_few_labels(name, space, objective):
    options = {"bo": {"maximizer": "exhaustive"}, "regularized_evolution": {"population": 12, "tournament": 5}}

    def best_of(strategy, seed):
        key = jax.random.key(seed)
        state = strategy.init(key)
        best = -np.inf
        for i, n in enumerate([10] + [2] * 15):
            tokens, state = strategy.ask(jax.random.fold_in(key, i), state, n)
            state = strategy.tell(state, tokens, objective(tokens)[:, None])
            best = max(best, objective(tokens).max())
        return best

    strategy, random = search.make(name, space, **options[name]), search.make("random_search", space)
    seeds = range(4)
    assert np.mean([best_of(strategy, s) for s in seeds]) > np.mean([best_of(random, s) for s in seeds])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bo_nag", {"pool_size": 32, "rounds": 1}),
        ("bo", {"maximizer": "mutation"}),
        ("bo", {"maximizer": "exhaustive"}),
    ],
)
def test_a_round_is_compiled_once_as_labels_grow(name, options, space, generator, objective):
    needed = {"generator": generator} if search.needs_generator(name) else {}
    strategy, key = search.make(name, space, **needed, **options), jax.random.key(0)
    jax.clear_caches()  # another test may have compiled the same
    compiled = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(duration_secs)

    state = strategy.init(key)
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        for i, n in enumerate([30, 1, 1, 1, 1]):
            tokens, state = strategy.ask(jax.random.fold_in(key, i), state, n)
            state = strategy.tell(state, tokens, objective(tokens)[:, None])
            if i == 1:
                assert compiled
                compiled.clear()
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert not compiled


def test_numbers_that_make_no_sense_are_refused(space, generator):
    cases: tuple[dict[str, Any], ...] = (
        {"rounds": 0},
        {"top_share": 1.0},
        {"pool_size": 0},
        {"near": 1.5},
        {"near_times": (0.7, 0.3)},
        {"transform": "identity"},
        {"labels": "log"},
    )
    for options in cases:
        with pytest.raises(InputError):
            search.make("bo_nag", space, generator=generator, **options)
