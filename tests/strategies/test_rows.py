"""A table of few architectures of a large space is searched by its rows."""

import jax
import numpy as np
import pandas as pd
import pytest

import nag_jax as nag
from nag_jax import strategies
from nag_jax.evaluators import table_file
from nag_jax.evaluators.base import few_rows
from nag_jax.generators.contract import all_valid
from nag_jax.spaces.distinct import random_distinct
from nag_jax.spaces.rows import Rows
from nag_jax.system.errors import InputError
from nag_jax.tasks.pool import rank_new

COUNT = 60
CASES = {
    "random_search": {},
    "regularized_evolution": {"population": 6, "tournament": 3},
    "local_search": {},
    "bo": {"maximizer": "exhaustive", "capacity": 16},
    "bo, mutation": {"maximizer": "mutation", "maximizer_options": {"pool_size": 32}, "capacity": 16},
}


@pytest.fixture(scope="module")
def networks():
    return nag.space("mobilenet_v3")


@pytest.fixture(scope="module")
def frame(networks):
    tokens = np.asarray(networks.random(jax.random.key(5), COUNT))
    return pd.DataFrame({"arch": networks.to_native(tokens), "size": tokens.sum(axis=1)})


@pytest.fixture(scope="module")
def table(networks, frame):
    return table_file.from_frame(frame, metric="size", space=networks)


@pytest.fixture(scope="module")
def rows(table):
    found = few_rows(table)
    assert found is not None
    return found


def test_rows_stand_for_themselves_and_others_for_the_nearest_that_is_left(networks, rows):
    np.testing.assert_array_equal(rows.nearest(rows.tokens), rows.tokens)
    changed = np.asarray(networks.mutate(jax.random.key(0), rows.tokens))
    assert (changed != rows.tokens).any(axis=1).all()
    np.testing.assert_array_equal(rows.nearest(changed), rows.tokens)
    others = rows.nearest(changed, networks.canonical(rows.tokens[:1]))
    assert (others[0] != rows.tokens[0]).any()
    np.testing.assert_array_equal(others[1:], rows.tokens[1:])
    assert rows.nearest(changed, networks.canonical(rows.tokens)).shape == (0, 20)


def test_only_few_of_a_large_space_are_rows(nb201, cells):
    small = pd.DataFrame({"arch": cells, "size": [4.0, 3.0, 2.0, 1.0]})
    assert few_rows(table_file.from_frame(small, metric="size", space=nb201)) is None
    assert few_rows(nag.evaluator("mobilenet_v3", nag.space("mobilenet_v3"))) is None


def test_random_labels_are_of_rows(networks, table, rows):
    tokens = random_distinct(networks, jax.random.key(0), COUNT, covers=table.covers, rows=rows)
    assert table.covers(tokens).all()
    with pytest.raises(InputError, match="found only 60 of 61 architectures that differ: ask for fewer"):
        random_distinct(networks, jax.random.key(0), COUNT + 1, rows=rows)


@pytest.mark.parametrize("case", CASES)
def test_strategies_ask_for_rows_until_none_is_left(case, networks, table, rows):
    strategy = strategies.make(case.partition(",")[0], networks, covers=table.covers, rows=rows, **CASES[case])
    key = jax.random.key(0)
    state, asked = strategy.init(key), []
    for i, n in enumerate((20, 20, 30)):
        tokens, state = strategy.ask(jax.random.fold_in(key, i), state, n)
        asked.append(tokens)
        state = strategy.tell(state, tokens, tokens.sum(axis=1, keepdims=True).astype(float))
    tokens = np.concatenate(asked)
    assert table.covers(tokens).all()
    assert len(np.unique(networks.canonical(tokens))) == len(tokens) == len(np.unique(networks.canonical(rows.tokens)))


def test_what_is_generated_stands_for_rows(networks, table, rows):
    generated = all_valid(np.asarray(networks.random(jax.random.key(9), 30)))
    arguments = {"may_be_labelled": table.covers, "labelled": rows.tokens[:3]}
    with pytest.raises(InputError, match="no generated architecture"):
        rank_new(networks, generated, lambda tokens: tokens.sum(axis=1), **arguments)
    ranked = rank_new(networks, generated, lambda tokens: tokens.sum(axis=1), rows=rows, **arguments)
    assert len(ranked) > 1
    assert table.covers(ranked).all()
    assert (np.diff(ranked.sum(axis=1)) <= 0).all()


def test_a_search_finds_the_best_row(networks, frame, table):
    found = nag.search(networks, table, strategy="local_search", budget=COUNT, initial=10, progress=False)
    assert found.best_value == frame["size"].max()


def test_constraints_leave_rows_that_keep_to_them(networks, table):
    half = int(np.median(table.architectures().sum(axis=1)))
    covers = lambda tokens: table.covers(tokens) & (np.asarray(tokens).sum(axis=1) <= half)  # noqa: E731
    rows = Rows(networks, table.architectures()[covers(table.architectures())])
    strategy = strategies.make("random_search", networks, covers=covers, rows=rows)
    tokens, _ = strategy.ask(jax.random.key(0), strategy.init(jax.random.key(0)), COUNT)
    assert 20 < len(tokens) < 45
    assert (tokens.sum(axis=1) <= half).all()
