import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.datasets import base, triples
from nag_jax.system.errors import InputError


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench201")


@pytest.fixture(scope="module")
def tokens(space):
    """Three cells, of which the last two compute the same thing."""
    every = space.all_tokens()
    keys = space.canonical(every)
    second = int(np.argmax(keys != np.arange(len(keys))))  # the first cell that another one stands for
    return every[[len(every) - 1, keys[second], second]]


@pytest.fixture
def some(tokens):
    """Three cells on each of "a" and "b", none on "c"."""
    tasks = {name: base.single(name, np.array([i])) for i, name in enumerate("abc")}
    values = {"b": (tokens, np.array([1.0, 2.0, 3.0])), "a": (tokens[::-1], np.array([4.0, 5.0, 6.0]))}
    return triples.join(values, tasks)


def test_joining(some, tokens, space):
    triples.check(some, space)
    assert some.ids == ("a", "b", "c")
    assert some.task.tolist() == [1, 1, 1, 0, 0, 0]
    assert some.values.tolist() == [1, 2, 3, 4, 5, 6]
    assert (some.tokens == np.concatenate([tokens, tokens[::-1]])).all()
    assert [task.name for task in some.tasks] == ["a", "b", "c"]


def test_values_of_an_unknown_data_set(tokens):
    with pytest.raises(InputError, match="values of the data set 'd', which none of a, b describes"):
        triples.join({"d": (tokens, np.zeros(3))}, {"a": ("x",), "b": ("y",)})
    with pytest.raises(InputError, match="at least one data set"):
        triples.join({}, {"a": ("x",)})


def test_splits_by_data_set(some):
    training, held_out = triples.split_by_task(some, ["a"])
    assert (set(training.task), set(held_out.task)) == ({1}, {0})
    assert training.ids == held_out.ids == some.ids
    for names in (["c"], ["a", "b"], []):
        with pytest.raises(InputError, match="leave triples on both sides"):
            triples.split_by_task(some, names)
    with pytest.raises(InputError, match="no data set 'd' to hold out"):
        triples.split_by_task(some, ["d"])


def test_drawing_data_sets(some):
    drawn = {triples.draw_tasks(some, 0.5, seed=seed) for seed in range(20)}
    assert drawn == {("a",), ("b",)}
    assert triples.draw_tasks(some, 0.5, seed=3) == triples.draw_tasks(some, 0.5, seed=3)
    for share in (0.0, 1.0, 0.9):
        with pytest.raises(InputError, match="leave some on both sides"):
            triples.draw_tasks(some, share, seed=0)


def test_twins_of_the_evaluation_are_dropped(some, space):
    assert len(set(space.canonical(some.tokens[:3]))) == 2
    evaluation = triples.select(some, np.array([1]))  # of "b"; its twin there is row 2
    kept = triples.without_twins(triples.select(some, np.array([0, 2, 3, 4, 5])), evaluation, space)
    assert kept.values.tolist() == [1, 4, 5, 6]
    assert triples.without_twins(some, evaluation, space).values.tolist() == [1, 4, 5, 6]
    with pytest.raises(InputError, match="split them from the same ones"):
        triples.without_twins(some, evaluation._replace(ids=("x", "y", "z")), space)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": [0, 1, 3, 0, 0, 0]}, "triple 2 is of the unknown data set 3: there are 0 to 2"),
        ({"task": [0, -1, 1, 0, 0, 0]}, "triple 1 is of the unknown data set -1"),
        ({"values": [1, 2, np.nan, 4, 5, 6]}, "triple 2 has not a finite value"),
        ({"values": [1, 2]}, "must have as many"),
        ({"tokens": np.zeros((6, 5), int)}, r"have 8 tokens, found triples of the shape \[6, 5\]"),
        ({"tokens": np.full((6, 8), 9)}, "triple 0 has not an architecture of nasbench201"),
        ({"tokens": np.full((6, 8), -1)}, "triple 0 has not an architecture"),
        ({"ids": ("a", "b", "a")}, "two data sets of the triples have the same name"),
        ({"ids": ("a", "b")}, "data sets as many names as descriptions"),
    ],
)
def test_impossible_triples(some, space, changes, message):
    arrays = {name: value if name == "ids" else np.asarray(value) for name, value in changes.items()}
    with pytest.raises(InputError, match=message):
        triples.check(some._replace(**arrays), space)
