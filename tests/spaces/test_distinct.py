import jax
import numpy as np
import pytest

from nag_jax.spaces.distinct import distinct_rows, random_distinct
from nag_jax.system.errors import InputError

KEY = jax.random.key(1)


def test_random_distinct_is_the_stream_without_repetitions(nb201):
    found = random_distinct(nb201, jax.random.key(3), 300)
    stream = np.asarray(nb201.random(jax.random.key(3), 1200))
    expected, seen = [], set()
    for tokens, key in zip(stream, nb201.canonical(stream).tolist(), strict=True):
        if key not in seen:
            seen.add(key)
            expected.append(tokens)
    np.testing.assert_array_equal(found, expected[:300])


def test_fewer_random_architectures_are_the_first_of_more(nb201):
    more = random_distinct(nb201, jax.random.key(3), 300)
    np.testing.assert_array_equal(random_distinct(nb201, jax.random.key(3), 20), more[:20])
    assert (random_distinct(nb201, jax.random.key(4), 20) != more[:20]).any()


def test_random_distinct_goes_on_until_it_has_enough_that_are_covered(nb201):
    """One cell in 25 is, so that the first 4 n draws are too few."""

    def covers(tokens):
        return (tokens[:, 1:3] == 5).all(axis=1)

    found = random_distinct(nb201, jax.random.key(3), 30, covers=covers)
    stream = np.asarray(nb201.random(jax.random.key(3), 1920))
    stream = stream[covers(stream)]
    np.testing.assert_array_equal(found, stream[distinct_rows(nb201.canonical(stream))][:30])
    assert covers(np.asarray(nb201.random(jax.random.key(3), 120))).sum() < 30


class TwoCells:
    """A space of which a stream shows two architectures and no more, in as many draws as one likes."""

    def __init__(self):
        self.asked = []

    def random(self, key, n):
        self.asked.append(n)
        return np.array([[0], [1], [0]])

    def canonical(self, tokens):
        return tokens[:, 0]


def test_random_distinct_gives_up_after_a_million_draws():
    space = TwoCells()
    assert random_distinct(space, KEY, 2).tolist() == [[0], [1]]  # type: ignore[arg-type]
    assert space.asked == [8]
    with pytest.raises(InputError, match=r"found only 2 of 3 architectures that differ: ask for fewer"):
        random_distinct(space, KEY, 3)  # type: ignore[arg-type]
    assert max(space.asked) == 10**6
    with pytest.raises(InputError, match=r"found only 2 of 300,000 architectures"):
        random_distinct(space, KEY, 300_000)  # type: ignore[arg-type]
    assert max(space.asked) == 1_200_000


@pytest.mark.parametrize(
    ("keys", "rows"), [([5, 3, 5, 1, 3, 9], [0, 1, 3, 5]), ([], []), ([2, 2, 2], [0]), ([3, 2, 1], [0, 1, 2])]
)
def test_distinct_rows(keys, rows):
    assert distinct_rows(np.array(keys, int)).tolist() == rows
