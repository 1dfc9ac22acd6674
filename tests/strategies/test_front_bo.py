"""Expected hypervolume improvement, against sampling, and searches by it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.objectives.fronts import Box, hypervolume, non_dominated
from nag_jax.strategies import Domain
from nag_jax.strategies.front_bo import front_bo
from nag_jax.strategies.hypervolume import log_improvement_of, make_cells


@pytest.mark.parametrize("m", [1, 2, 3])
def test_the_improvement_is_what_sampling_finds(m):
    rng = np.random.default_rng(m)
    front = rng.random((6, m))
    front = front[non_dominated(front)]
    box = Box(np.zeros(m), np.ones(m))
    means, deviations = rng.random((3, m)).astype(np.float32) * 0.6 + 0.2, np.full((3, m), 0.1, np.float32)
    if m > 1:
        deviations[:, 1] = 1e-3  # a known one
    cells = make_cells(front, np.zeros(m), np.full(m, 2.0))
    found = np.exp(log_improvement_of(jnp.asarray(means), jnp.asarray(deviations), cells))
    before = hypervolume(front, box)
    for mean, std, improvement in zip(means, deviations, found, strict=True):
        draws = rng.normal(mean, std, size=(3000, m))
        gains = [hypervolume(np.concatenate([front, draw[None]]), box) - before for draw in draws]
        assert float(improvement) == pytest.approx(np.mean(gains), abs=4 * np.std(gains) / np.sqrt(3000) + 1e-3)


def test_the_improvement_is_of_the_metric_s_units():
    """The first objective is modelled on a scale that isn't linear in its unit: a step is worth more above 0.5."""
    rng = np.random.default_rng(0)

    def units(values):
        return np.interp(values, [0.0, 0.5, 9.0], [0.0, 0.1, 17.1])

    front, to_units = np.array([[0.5, 0.4], [0.3, 0.6]]), [units, np.asarray]
    cells = make_cells(front, np.zeros(2), np.full(2, 2.0), to_units)
    means, deviations = (
        np.array([[0.45, 0.5], [0.7, 0.3]], np.float32),
        np.array([[0.1, 0.05], [0.2, 1e-3]], np.float32),
    )
    found = np.exp(log_improvement_of(jnp.asarray(means), jnp.asarray(deviations), cells))

    def volume(points):
        return hypervolume(np.stack([units(points[:, 0]), points[:, 1]], axis=1), Box(np.zeros(2), np.ones(2)))

    for mean, std, improvement in zip(means, deviations, found, strict=True):
        draws = rng.normal(mean, std, size=(3000, 2))
        gains = [volume(np.concatenate([front, draw[None]])) - volume(front) for draw in draws]
        assert float(improvement) == pytest.approx(np.mean(gains), abs=4 * np.std(gains) / np.sqrt(3000) + 1e-3)


@pytest.mark.slow
def test_a_search_with_a_known_objective_covers_more_than_random_ones(space):
    """Convolutions help and cost: the front has cells of all sizes without pooling."""
    params = space.costs()["params"]

    def values(tokens):
        good = (tokens == 5).sum(axis=1) + 0.6 * (tokens == 4).sum(axis=1) - 0.3 * (tokens == 6).sum(axis=1)
        return np.stack([good, -params.of(tokens) / 1e6], axis=1)

    domain = Domain(space, utility=lambda values: values[..., 0])
    known = {1: lambda x: -params.relaxed(x) / 1e6}
    strategy = front_bo(domain, known=known, worst={0: 1.0}, pool_size=128, capacity=32)
    first = domain.random(jax.random.key(0), 12, taken=space.canonical(space.all_tokens()[:0]))
    state = strategy.tell(strategy.init(jax.random.key(0)), first, values(first))
    for i in range(2):
        tokens, state = strategy.ask(jax.random.key(i), state, 6)
        state = strategy.tell(state, tokens, values(tokens))
    every = values(space.all_tokens())
    box = Box(every.min(axis=0), every.max(axis=0))
    random = values(np.asarray(space.random(jax.random.key(5), 24)))
    assert hypervolume(state.values, box) > hypervolume(random, box) + 0.03


@pytest.mark.slow
def test_a_class_is_proposed_by_the_member_that_measurements_say_is_cheapest(space):
    """Accuracy follows from what a cell computes, latency from all of its edges, dead ones too."""

    def latency(tokens):
        return 1.0 + (tokens == 5).sum(axis=1) + 0.2 * (tokens != 2).sum(axis=1)

    def values(tokens):
        return np.stack([(tokens == 5).sum(axis=1) + 0.0, -latency(tokens)], axis=1)

    measured = np.asarray(space.random(jax.random.key(3), 60))
    strategy = front_bo(
        Domain(space, utility=lambda values: values[..., 0]), measured={1: (measured, values(measured)[:, 1])}
    )
    first = np.asarray(space.random(jax.random.key(1), 12))
    state = strategy.tell(strategy.init(jax.random.key(0)), first, values(first))
    proposed, _ = strategy.ask(jax.random.key(2), state, 4)
    every = space.all_tokens()
    keys = space.canonical(every)
    for tokens, key in zip(proposed, space.canonical(proposed), strict=True):
        twins = latency(every[keys == key])
        assert latency(tokens[None])[0] <= twins.min() + 0.1
