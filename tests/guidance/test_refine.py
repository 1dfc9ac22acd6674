from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from nag_jax import spaces
from nag_jax.generators.contract import Generator, Sampler, Samples
from nag_jax.guidance.refine import Tilt, refine, refined
from nag_jax.spaces import DagSpace, repeat
from nag_jax.system.keys import sample_keys

CHAIN = {"in": ["input"], **{f"n{i}": ["a", "b", "c"][: 2 + i % 2] for i in range(5)}, "out": ["output"]}
BLOCK = {"op": ["conv", "pool", "skip"], "size": ["small", "large"]}


def few(tokens):
    return (tokens == 1).sum(axis=1) <= 2


def ruled():
    """Five nodes of two or three classes, of which few may be the second one."""
    return DagSpace("ruled", nodes=CHAIN, edges=list(zip(list(CHAIN), list(CHAIN)[1:], strict=False)), valid=few)


def deep(**options):
    """One to three layers of two choices."""
    return DagSpace("deep", **repeat("layer", BLOCK, depths=(1, 2, 3))._asdict(), **options)


def large():
    """4,096 combinations, of which a rule leaves 3,402."""
    nodes = {f"n{i}": ["a", "b", "c", "d"] for i in range(6)}
    return DagSpace("large", nodes=nodes, edges=list(zip(list(nodes), list(nodes)[1:], strict=False)), valid=few)


SPACES = {
    "large, ruled": large,
    "ruled": ruled,
    "deep": deep,
    "deep, by choices": lambda: deep(uniform="choices"),
    "deep, ruled": lambda: deep(valid=few),
}
MOVES = {"sweeps": {"sweeps": 50, "trades": 0}, "trades": {"sweeps": 0, "trades": 60}}
QUICK = {"sweeps": {"sweeps": 15, "trades": 0}, "trades": {"sweeps": 0, "trades": 20}}


def random_weights(space, seed):
    """Weights of single nodes and of pairs, for `value`."""
    rng = np.random.default_rng(seed)
    single = rng.normal(size=(space.num_nodes * space.num_classes)).astype(np.float32)
    return single, 0.2 * rng.normal(size=(len(single), len(single))).astype(np.float32)


def value(x, weights):
    """A value with terms of single nodes and of pairs."""
    single, double = weights
    flat = (x.reshape(len(x), -1) + 1.0) / 2.0
    return flat @ single + ((flat @ double) * flat).sum(axis=-1)


def exact_tilt(space, weights):
    """Probabilities of all architectures: their prior times the exponential value."""
    every = space.all_tokens()
    logs = np.asarray(value(space.encode(every), weights) + space.choices.log_prior_of(every), np.float64)
    p = np.exp(logs - logs.max())
    return every, p / p.sum()


def p_value(counts, p):
    """Of Pearson's test, with the rare ones put together so that ten or more are expected of each group."""
    order = np.argsort(p)
    expected, found = counts.sum() * p[order], counts[order]
    group = (np.cumsum(expected) // 10).astype(int)
    _, group = np.unique(group, return_inverse=True)
    expected, found = np.bincount(group, expected), np.bincount(group, found)
    return chi2.sf(((found - expected) ** 2 / expected).sum(), len(expected) - 1)


def p_values(name, moves, seeds, n):
    """Of n samples of each seed, which has a value of its own, against the exact tilt."""
    space = SPACES[name]()
    move = jax.jit(lambda keys, tokens, weights: refine(keys, tokens, space, Tilt(value), weights, **moves))
    for seed in seeds:
        weights = random_weights(space, seed)
        every, p = exact_tilt(space, weights)
        tokens = space.random(jax.random.key(seed + 100), n)
        found = np.asarray(move(sample_keys(jax.random.key(seed), n), tokens, weights))
        numbers = {tuple(row): i for i, row in enumerate(every.tolist())}
        counts = np.bincount([numbers[tuple(row)] for row in found.tolist()], minlength=len(every))  # none is invalid
        yield p_value(counts, p)


@pytest.mark.parametrize("moves", MOVES)
def test_moves_sample_the_tilt(moves):
    assert min(p_values("ruled", QUICK[moves], [0], 2000)) > 1e-3


@pytest.mark.slow
@pytest.mark.usefixtures("optimised")
@pytest.mark.parametrize("name", SPACES)
def test_sweeps_sample_the_tilt_of_every_kind_of_space(name):
    assert min(p_values(name, MOVES["sweeps"], range(20), 5000)) > 1e-3


@pytest.mark.slow
@pytest.mark.usefixtures("optimised")
@pytest.mark.parametrize("name", SPACES)
def test_trades_sample_the_tilt_of_every_kind_of_space(name):
    assert min(p_values(name, MOVES["trades"], [1], 4000)) > 1e-3


def test_without_a_tilt_draws_stay_draws():
    """Of MobileNetV3's prior, which isn't uniform: depths are, and settings."""
    space: Any = spaces.make("mobilenet_v3")
    tokens = space.random(jax.random.key(0), 300)
    keys = sample_keys(jax.random.key(1), 300)
    found = np.asarray(
        jax.jit(lambda keys, tokens: refine(keys, tokens, space, Tilt(), sweeps=0, trades=1))(keys, tokens)
    )
    assert np.asarray(space.contains(found)).all()
    assert (found != np.asarray(tokens)).any(axis=1).all()
    depths = np.bincount(space.depths(found).ravel() - 2, minlength=3)
    assert chi2.sf(((depths - depths.sum() / 3) ** 2).sum() / (depths.sum() / 3), 2) > 1e-3


def test_trades_keep_to_a_budget_that_single_changes_break():
    """Just two of six nodes may be of the second class."""
    nodes = {f"n{i}": ["a", "b"] for i in range(6)}
    space: Any = DagSpace("pairs", nodes=nodes, edges=list(zip(list(nodes), list(nodes)[1:], strict=False)))

    def limits(x, args):
        return jnp.where(jnp.abs(((x[..., 1] + 1.0) / 2.0).sum(axis=-1) - 2.0) < 0.5, 0.0, -1e4)

    tilt = Tilt(lambda x, args: 4.0 * x[:, 5, 1], limits=limits)
    tokens: Any = np.tile([1, 1, 0, 0, 0, 0], (500, 1)).astype(np.int32)
    keys = sample_keys(jax.random.key(0), 500)
    blocked = np.asarray(refine(keys, tokens, space, tilt, sweeps=1))
    traded = np.asarray(refine(keys, tokens, space, tilt, sweeps=0, trades=30))
    np.testing.assert_array_equal(blocked, tokens)
    assert (traded.sum(axis=1) == 2).all()
    assert traded[:, 5].mean() > 0.9


def test_what_is_invalid_is_left_as_it_is():
    space: Any = ruled()
    tokens: Any = np.asarray(space.random(jax.random.key(0), 4)).copy()
    tokens[0, 1:] = 1
    valid = np.asarray(space.contains(tokens))
    assert valid.tolist() == [False, True, True, True]

    def sampler(params, **_):
        return Sampler(lambda keys: keys, lambda keys, n: keys, lambda keys: Samples(jnp.asarray(tokens), valid, valid))

    unasked: Any = None
    fixed = Generator(init=lambda key: {}, loss=unasked, believe=unasked, sampler=sampler)
    generator = refined(fixed, space, Tilt(), sweeps=2)
    made = generator.sampler({}, num_steps=1)
    found = np.asarray(made.finish(made.advance(made.init(sample_keys(jax.random.key(1), 4)), 1)).tokens)
    np.testing.assert_array_equal(found[0], tokens[0])
    assert (found[1:] != tokens[1:]).any()
    assert np.asarray(space.contains(found[1:])).all()
