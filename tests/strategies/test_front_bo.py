"""Expected hypervolume improvement, against sampling, and searches by it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.objectives.fronts import Box, hypervolume, non_dominated
from nag_jax.strategies import Domain
from nag_jax.strategies.front_bo import front_bo, log_improvement_of, make_cells


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


@pytest.mark.slow
def test_a_search_with_a_known_objective_covers_more_than_random_ones(space):
    """Convolutions help and cost: the front has cells of all sizes without pooling."""
    params = space.costs()["params"]

    def values(tokens):
        good = (tokens == 5).sum(axis=1) + 0.6 * (tokens == 4).sum(axis=1) - 0.3 * (tokens == 6).sum(axis=1)
        return np.stack([good, -params.of(tokens) / 1e6], axis=1)

    domain = Domain(space, utility=lambda values: values[..., 0])
    strategy = front_bo(domain, known={1: lambda x: -params.relaxed(x) / 1e6}, pool_size=128, capacity=32)
    first = domain.random(jax.random.key(0), 12, taken=space.canonical(space.all_tokens()[:0]))
    state = strategy.tell(strategy.init(jax.random.key(0)), first, values(first))
    for i in range(2):
        tokens, state = strategy.ask(jax.random.key(i), state, 6)
        state = strategy.tell(state, tokens, values(tokens))
    every = values(space.all_tokens())
    box = Box(every.min(axis=0), every.max(axis=0))
    random = values(np.asarray(space.random(jax.random.key(5), 24)))
    assert hypervolume(state.values, box) > hypervolume(random, box) + 0.03
