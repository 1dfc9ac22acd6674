"""What every strategy of the registry must keep to; a new entry is tested without touching this file."""

import shlex
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from nag_jax import strategies as search
from nag_jax.objectives import utility as utilities
from nag_jax.spaces import restrict
from nag_jax.system.errors import InputError

QUICK = {"pool_size": 64, "capacity": 16}
OPTIONS = {
    "bananas": [QUICK],
    "bo": [
        {"maximizer": "exhaustive", "capacity": 16},
        {"maximizer": "random", "maximizer_options": {"pool_size": 64}, "acquisition": "its", "capacity": 16},
        {"maximizer": "mutation", "maximizer_options": {"pool_size": 64}, "acquisition": "ucb", "capacity": 16},
    ],
    "bo_nag": [QUICK | {"rounds": 1}],
    "front_bo": [QUICK],
    "llm": [{"command": f"{sys.executable} -S {shlex.quote(str(Path(__file__).with_name('propose.py')))}"}],
    "regularized_evolution": [{"population": 6, "tournament": 3}],
}
"""Instead of the defaults, for speed."""
CASES = [(name, options) for name in sorted(search.REGISTRY) for options in OPTIONS.get(name, [{}])]


@pytest.fixture(params=CASES, ids=lambda case: "-".join([case[0], case[1].get("maximizer", "")]), scope="module")
def strategy(request, space, generator):
    name, options = request.param
    if name == "tpe":
        pytest.importorskip("optuna")
    needed = {"generator": generator} if search.needs_generator(name) else {}
    return search.make(name, space, **needed, **options)


def play(strategy, value, batches=(6, 2, 2), key=None):
    """Tokens of each batch, and the final state."""
    key = jax.random.key(0) if key is None else key
    state, asked = strategy.init(key), []
    for i, n in enumerate(batches):
        tokens, state = strategy.ask(jax.random.fold_in(key, i), state, n)
        values = value(tokens)
        state = strategy.tell(state, tokens, values if values.ndim == 2 else values[:, None])
        asked.append(tokens)
    return asked, state


def test_asks_for_what_was_wanted_and_for_nothing_twice(strategy, space, objective):
    asked, _ = play(strategy, objective)
    assert [len(tokens) for tokens in asked] == [6, 2, 2]
    tokens = np.concatenate(asked)
    assert tokens.dtype == np.int32
    assert np.asarray(space.contains(tokens)).all()
    assert len(np.unique(space.canonical(tokens))) == len(tokens)


def test_is_a_function_of_the_key(strategy, objective):
    once, again = play(strategy, objective)[0], play(strategy, objective)[0]
    other = play(strategy, objective, key=jax.random.key(1))[0]
    assert np.array_equal(np.concatenate(once), np.concatenate(again))
    assert not np.array_equal(np.concatenate(once), np.concatenate(other))


def test_what_it_asks_follows_from_what_it_was_told(strategy, objective):
    """As resuming needs: a fresh state that is told the same batches asks for the same."""
    key = jax.random.key(0)
    asked, state = play(strategy, objective)
    fresh = strategy.init(key)
    for tokens in asked:
        fresh = strategy.tell(fresh, tokens, objective(tokens)[:, None])
    ask_key = jax.random.fold_in(key, 9)
    assert np.array_equal(strategy.ask(ask_key, state, 2)[0], strategy.ask(ask_key, fresh, 2)[0])


def test_failed_trials_count_and_are_not_proposed_again(strategy, space, objective):
    def failing(tokens):
        values = objective(tokens)
        values[::2] = np.nan
        return values

    tokens = np.concatenate(play(strategy, failing)[0])
    assert len(np.unique(space.canonical(tokens))) == 10


def test_goes_on_when_everything_fails(strategy, space):
    tokens = np.concatenate(play(strategy, lambda tokens: np.full(len(tokens), np.nan))[0])
    assert len(np.unique(space.canonical(tokens))) == 10


def test_what_is_pending_is_not_proposed(strategy, space, objective):
    asked, state = play(strategy, objective, batches=(6,))
    key = jax.random.key(11)
    first = strategy.ask(key, state, 2)[0]
    second, after = strategy.ask(key, state, 2, first)
    tokens = np.concatenate([*asked, first, second])
    assert len(np.unique(space.canonical(tokens))) == 10
    assert np.array_equal(strategy.ask(key, after, 2)[0], first)  # once it is told or given back
    assert np.array_equal(strategy.ask(key, state, 2, first[:0])[0], first)


def test_tell_leaves_the_old_state_alone(strategy, objective):
    asked, state = play(strategy, objective, batches=(6,))
    before, _ = strategy.ask(jax.random.key(3), state, 1)
    strategy.tell(state, asked[0][:1], np.array([[1000.0]]))
    assert np.array_equal(strategy.ask(jax.random.key(3), state, 1)[0], before)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join([case[0], case[1].get("maximizer", "")]))
def test_several_objectives_are_searched_by_their_utility(case, space, generator, objective):
    """The sequence is that of the utility as the only objective, failed trials included."""
    name, options = case
    if name == "tpe":
        pytest.importorskip("optuna")
    if search.takes_known(name):
        pytest.skip("it searches the front of all objectives, whatever their utility")
    options = options | ({"generator": generator} if search.needs_generator(name) else {})
    utility = utilities.make("chebyshev", 2, weights=(1.0, 4.0), ideal=(95.0, -1.0))

    def values(tokens):
        found = np.stack([objective(tokens), -(tokens == 3).sum(axis=1).astype(float)], axis=1)
        found[::3, 1] = np.nan
        return found

    several = search.make(name, space, utility=utility, **options)
    asked, _ = play(several, values)
    expected, _ = play(search.make(name, space, **options), lambda tokens: utilities.of_trials(utility, values(tokens)))
    np.testing.assert_array_equal(np.concatenate(asked), np.concatenate(expected))


@pytest.mark.parametrize("name", ["local_search", "random_search", "regularized_evolution"])
def test_stays_within_what_is_covered_and_ends_with_it(name, space):
    space = restrict(
        space, fixed={"0-1": "nor_conv_3x3", "0-2": "none", "0-3": "skip_connect"}
    )  # 125 are searched fast
    few = {row.tobytes() for row in np.asarray(space.random(jax.random.key(5), 30))}

    def covers(tokens):
        return np.array([row.tobytes() in few for row in np.asarray(tokens, np.int32)], bool)

    strategy = search.make(name, space, covers=covers)
    asked, state = play(strategy, lambda tokens: tokens.sum(axis=1) * 1.0, batches=(20, 20))
    tokens = np.concatenate(asked)
    assert covers(tokens).all()
    distinct = len(np.unique(space.canonical(np.array([np.frombuffer(row, np.int32) for row in few]))))
    assert len(tokens) == distinct
    assert len(strategy.ask(jax.random.key(7), state, 3)[0]) == 0


def test_values_come_in_a_row_for_each_architecture(space):
    strategy = search.make("random_search", space)
    tokens, state = strategy.ask(jax.random.key(0), strategy.init(jax.random.key(1)), 3)
    for values in (np.zeros(3), np.zeros((2, 1))):
        with pytest.raises(InputError, match=r"expected values \[3, M\]"):
            strategy.tell(state, tokens, values)
    with pytest.raises(InputError, match="of one objective, found 2"):
        strategy.tell(state, tokens, np.zeros((3, 2)))


def test_wrong_names_and_options_are_named(space):
    with pytest.raises(InputError, match="unknown strategy 'bo_nags'"):
        search.make("bo_nags", space)
    with pytest.raises(InputError, match="no option"):
        search.make("random_search", space, population=3)
    with pytest.raises(InputError, match="needs the option 'generator'"):
        search.make("bo_nag", space)
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"acquisition": "eii"}, "unknown acquisition"),
        ({"surrogate": "forest"}, "unknown surrogate"),
        ({"maximizer": "gradient"}, "unknown maximizer"),
        ({"maximizer_options": {"size": 3}}, "no option"),
        ({"min_distance": 0}, "min_distance"),
    )
    for options, message in cases:
        with pytest.raises(InputError, match=message):
            search.make("bo", space, **options)
