import itertools
import math

import jax
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.spaces.cells.pairs import PairCells
from nag_jax.spaces.darts import Genotype
from nag_jax.system.errors import InputError

PUBLISHED = Genotype(
    normal=[
        ("sep_conv_3x3", 0),
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 0),
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 1),
        ("skip_connect", 0),
        ("skip_connect", 0),
        ("dil_conv_3x3", 2),
    ],
    normal_concat=[2, 3, 4, 5],
    reduce=[
        ("max_pool_3x3", 0),
        ("max_pool_3x3", 1),
        ("skip_connect", 2),
        ("max_pool_3x3", 1),
        ("max_pool_3x3", 0),
        ("skip_connect", 2),
        ("skip_connect", 2),
        ("max_pool_3x3", 1),
    ],
    reduce_concat=[2, 3, 4, 5],
)
"""DARTS' own second-order result."""


@pytest.fixture(scope="module")
def space():
    return spaces.make("darts")


def test_all_combinations_are_architectures(space):
    assert space.size == (1 * 3 * 6 * 10 * 7**8) ** 2
    assert space.num_nodes == 24
    assert not space.is_ruled


def test_genotypes_are_read_and_written(space):
    tokens = space.from_genotypes([PUBLISHED])
    again = space.to_genotypes(tokens)[0]
    for cell in ("normal", "reduce"):
        expected, found = getattr(PUBLISHED, cell), getattr(again, cell)
        for i in range(0, 8, 2):
            assert sorted(expected[i : i + 2]) == sorted(found[i : i + 2])
    drawn = np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(0), 20))
    np.testing.assert_array_equal(space.from_genotypes(space.to_genotypes(drawn)), drawn)


@pytest.mark.parametrize("edge", [("sep_conv_3x3", 2), ("sep_conv_3x3", 0), ("none", 1), ("sep_conv_3x3", -1)])
def test_bad_genotypes_are_refused(space, edge):
    normal = [PUBLISHED.normal[0], edge, *PUBLISHED.normal[2:]]
    with pytest.raises(InputError, match="row 1: expected 8 edges"):
        space.from_genotypes([PUBLISHED, PUBLISHED._replace(normal=normal)])


def least_form(sources, ops):
    """The least of all orders of the vertices of one cell, sources before targets."""
    steps = len(sources)
    forms = []
    for order in itertools.permutations(range(steps)):
        place = {0: 0, 1: 1} | {2 + old: 2 + new for new, old in enumerate(order)}
        vertices = [
            tuple(sorted((place[s], op) for s, op in zip(sources[old], ops[old], strict=True))) for old in order
        ]
        if all(s < 2 + new for new, vertex in enumerate(vertices) for s, _ in vertex):
            forms.append(tuple(vertices))
    return min(forms)


def test_keys_are_equal_for_the_same_cell_alone():
    space = PairCells("small", ops=["conv", "pool"], steps=3, cells=["cell"])
    every = space.all_tokens()
    assert len(every) == space.size == math.prod([1, 3, 6]) * 2**6
    keys = space.canonical(every).tolist()
    sources, ops = space.to_choices(every)
    forms = [least_form(s.tolist(), o.tolist()) for s, o in zip(sources[:, 0], ops[:, 0], strict=True)]
    assert len(set(keys)) == len(set(forms)) == len(set(zip(keys, forms, strict=True))) == space.num_canonical


def test_too_many_steps_are_refused():
    with pytest.raises(InputError, match="steps must be 1 to 6, found 7"):
        PairCells("large", ops=["conv"], steps=7)
