import jax
import numpy as np
import pytest

from nag_jax.spaces.distinct import random_distinct
from nag_jax.tasks.pool import rank

KEY = jax.random.key(1)


@pytest.fixture(scope="module")
def pool(nb201):
    """Five cells: rows 0 and 3 are one string, rows 1 and 4 compute the same thing, row 2 is apart."""
    keys = nb201.canonical(nb201.all_tokens())
    other = int(np.nonzero(keys != np.arange(len(keys)))[0][-1])
    return nb201.from_index(np.array([7, other, 15_000, 7, keys[other]]))


def test_rank_takes_what_is_computed_once_at_its_best(nb201, pool):
    assert rank(nb201, pool, np.array([0.1, 0.5, 0.3, 0.2, 0.6])).tolist() == [4, 2, 3]
    assert rank(nb201, pool, np.array([0.1, 0.5, 0.3, 0.05, 0.4])).tolist() == [1, 2, 0]


def test_rank_keeps_the_order_of_the_pool_among_equals(nb201, pool):
    assert rank(nb201, pool, np.zeros(5)).tolist() == [0, 1, 2]
    tokens = random_distinct(nb201, jax.random.key(0), 60)
    predictions = np.repeat([1.0, 3.0, 2.0], 20)
    expected = [*range(20, 40), *range(40, 60), *range(20)]
    assert rank(nb201, tokens, predictions).tolist() == expected


def test_rank_excludes_by_what_is_computed(nb201, pool):
    predictions = np.array([0.1, 0.5, 0.3, 0.2, 0.6])
    assert rank(nb201, pool, predictions, exclude=nb201.canonical(pool[[1]])).tolist() == [2, 3]
    assert rank(nb201, pool, predictions, exclude=nb201.canonical(pool)).tolist() == []
    assert rank(nb201, pool, predictions, exclude=np.array([], np.int64)).tolist() == [4, 2, 3]
