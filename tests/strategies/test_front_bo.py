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


def test_a_known_objective_needs_no_model_and_the_front_is_found(space):
    """Nodes of class 5 make it good and dear: the front has one architecture per count of them."""

    def count(x):
        return (x[:, 1:-1, 5] > 0).sum(axis=1).astype(jnp.float32)

    class Front:
        def __call__(self, values):
            return values[..., 0]

    domain = Domain(space, utility=Front())
    strategy = front_bo(domain, known={1: lambda x: -count(x)}, capacity=32)
    state = strategy.init(jax.random.key(0))
    for i, n in enumerate((10, 5, 5)):
        tokens, state = strategy.ask(jax.random.key(i), state, n)
        good = (tokens == 5).sum(axis=1) + 0.1 * (tokens == 4).sum(axis=1)
        state = strategy.tell(state, tokens, np.stack([good, -(tokens == 5).sum(axis=1)], axis=1))
    last = state.tokens[10:]
    on_front = ((last[:, 1:-1] == 4) | (last[:, 1:-1] == 5)).sum(axis=1)
    assert on_front.mean() > 4.0  # random ones have 2.4
    assert len({int(row) for row in (last == 5).sum(axis=1)}) >= 4
