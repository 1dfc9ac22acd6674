import jax
import numpy as np
import pandas as pd
import pytest

from experiments.bench import suite_peers, suite_search, suite_tables, suite_tasks
from experiments.bench.suite import CHOICES, CHOSEN
from experiments.bench.suite_search import Choice
from experiments.bench.suite_tasks import GROWING, GROWTH, NOISE, Listed, Task
from nag_jax import strategies
from nag_jax.settings.search import default_options
from nag_jax.spaces import DagSpace, NASBench201


@pytest.fixture(scope="module")
def where():
    classes = ["a", "b", "c", "d"]
    space = DagSpace(
        "line", nodes={f"n{i}": classes for i in range(4)}, edges=[(f"n{i}", f"n{i + 1}") for i in range(3)]
    )
    return Listed(space, space.all_tokens())


@pytest.fixture(scope="module")
def task(where):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((4, 4))[np.arange(4), where.tokens].sum(axis=1) + 0.1 * rng.standard_normal(256)
    values[:3] = np.nan
    return Task("family", "line", values, values)


@pytest.mark.slow
def test_many_searches_at_once_are_those_of_the_strategy(where, task):
    choice, budget = CHOICES[CHOSEN], 14
    found = suite_search.search(where, [task, task], [3, 4], choice, budget)
    options = {**default_options("bo"), "maximizer": "exhaustive", "maximizer_options": {}}
    strategy = strategies.make(
        "bo", where.space, covers=lambda t: np.isfinite(task.observed[rows_of(where, t)]), **options
    )
    for rows in found.rows:
        assert len(set(rows.tolist())) == budget
        state = strategy.init(jax.random.key(0))
        state = strategy.tell(state, where.tokens[rows[:10]], task.observed[rows[:10], None])
        for row in rows[10:]:
            tokens, state = strategy.ask(jax.random.key(0), state, 1)
            np.testing.assert_array_equal(tokens[0], where.tokens[row])
            state = strategy.tell(state, tokens, task.observed[[row], None])


def rows_of(where, tokens):
    return np.asarray(tokens) @ (4 ** np.arange(3, -1, -1))


def test_peers_pay_for_what_is_known_and_for_nothing_twice(where, task):
    found = suite_peers.search(where, [task], [0], "random_search", 40)
    assert len(set(found.rows[0].tolist())) == 40
    assert np.isfinite(task.observed[found.rows]).all()
    assert task.observed[found.recommended[0, -1]] == task.observed[found.rows[0]].max()


def test_what_has_the_best_label_so_far_is_kept():
    rows, values = np.array([[7, 5, 9, 2]]), np.array([[0.1, 0.4, 0.2, 0.5]])
    np.testing.assert_array_equal(suite_search.running_best(rows, values), [[7, 5, 5, 2]])


@pytest.mark.parametrize("kind", [*NOISE, GROWING])
def test_noise_is_as_large_as_it_says_and_leaves_the_truth(task, kind):
    truth = np.linspace(0.0, 2.0, 20_001)
    exact = Task("family", "line", truth, truth)
    noisy = suite_tasks.noisy(exact, kind, np.random.default_rng(0))
    assert noisy.reach == pytest.approx(1.0)
    np.testing.assert_array_equal(noisy.truth, truth)
    error = noisy.observed - truth
    assert error[:10_000].std() == pytest.approx(GROWTH if kind == GROWING else NOISE[kind], rel=0.03)
    assert error[-10:].std() < (1e-3 if kind == GROWING else 1.0)


def test_cells_that_compute_the_same_thing_have_the_mean_for_truth():
    space = NASBench201()
    tokens = space.all_tokens()
    keys = space.canonical(tokens)
    twins = tokens[keys == np.unique(keys)[np.unique(keys, return_counts=True)[1] == 2][0]]
    other = tokens[keys != keys[0]][:1]
    where = Listed(space, np.concatenate([twins[:1], other]))
    for values, observed, truth in (
        ([1.0, 2.0, np.nan], [1.0, np.nan], [1.5, np.nan]),
        ([1.0, np.nan, 3.0], [1.0, 3.0], [1.0, 3.0]),
        ([np.nan, 2.0, 3.0], [np.nan, 3.0], [np.nan, 3.0]),
    ):
        found = suite_tasks._of_classes("family", where, np.concatenate([twins, other]), np.array(values))
        np.testing.assert_array_equal(found.observed, observed)
        np.testing.assert_array_equal(found.truth, truth)


def test_arrivals_are_counted_and_searches_that_never_arrive_too():
    regrets = np.array([[0.5, 0.005, 0.0], [0.5, 0.4, 0.3]])
    np.testing.assert_array_equal(suite_tables.arrival(regrets, 0.01), [2.0, 4.5])


def test_a_choice_is_made_by_the_other_families():
    of_family = {"a": (0, 1, 2), "b": (0, 1, 2), "c": (2, 1, 0), "d": (1, 0, 2)}
    rows = [
        {"family": family, "task": family, "choice": name, "regret 50": r, "regret 100": r, "labels": r}
        for family, figures in of_family.items()
        for name, r in zip(("x", "y", "z"), figures, strict=True)
    ]
    ranks = suite_tables.ranks_by_family(pd.DataFrame(rows))
    assert ranks.loc["x"].tolist() == [1.0, 1.0, 3.0, 2.0]
    assert suite_tables.left_out(ranks) == {"a": "y", "b": "y", "c": "x", "d": "x"}


def test_the_chosen_choice_is_what_strategies_have():
    choice = CHOICES[CHOSEN]
    assert isinstance(choice, Choice)
    assert default_options("bo")["acquisition"] == choice.acquisition
    assert default_options("bo_nag")["labels"] == choice.labels
