import itertools

import jax
import numpy as np
import pytest
from scipy import stats

from nag_jax.spaces import NodeSpace, make
from nag_jax.system.errors import InputError


class Toy(NodeSpace):
    """Three nodes with 2, 1 and 3 classes, `copies` times over."""

    name = "toy"
    class_names = ("a", "b", "c")

    def __init__(self, copies=1):
        self.allowed = np.tile([[True, False, True], [False, True, False], [True, True, True]], (copies, 1))
        self.adjacency = np.eye(3 * copies, k=1, dtype=bool)

    @property
    def size(self):
        return int(self.allowed.sum(axis=1).prod())

    def to_native(self, tokens):
        return ["".join(self.class_names[token] for token in row) for row in np.asarray(tokens)]

    def from_native(self, architectures):
        return np.array([[self.class_names.index(c) for c in string] for string in architectures], np.int32)

    def canonical(self, tokens):
        return np.asarray(tokens, np.int64) @ 3 ** np.arange(self.num_nodes)

    def connected(self, tokens):
        return np.ones(len(tokens), bool)


TOY = Toy()


def test_all_tokens_respect_what_each_node_may_take():
    expected = [list(row) for row in itertools.product([0, 2], [1], [0, 1, 2])]
    assert TOY.all_tokens().tolist() == expected
    assert TOY.all_tokens().dtype == np.int32


def test_all_tokens_refuses_a_space_too_large_to_list():
    with pytest.raises(InputError, match=r"60,466,176 architectures.*random\(\)"):
        Toy(copies=10).all_tokens()


def test_random_is_uniform_over_unequal_choices():
    keys = TOY.canonical(jax.jit(TOY.random, static_argnums=1)(jax.random.key(0), 6_000))
    values, counts = np.unique(keys, return_counts=True)
    assert set(values.tolist()) == set(TOY.canonical(TOY.all_tokens()).tolist())
    assert stats.chisquare(counts).pvalue > 1e-3


def test_mutate_draws_the_node_uniformly_and_skips_those_without_a_choice():
    parents = np.tile(np.array([[0, 1, 2]], np.int32), (4_000, 1))
    children = np.asarray(jax.jit(TOY.mutate)(jax.random.key(1), parents))
    changed = (children != parents).sum(axis=0)
    assert changed[1] == 0
    assert changed.sum() == 4_000
    assert stats.chisquare(changed[[0, 2]]).pvalue > 1e-3
    last = children[children[:, 2] != 2, 2]
    assert stats.chisquare(np.bincount(last, minlength=2)).pvalue > 1e-3


def test_neighbors_of_unequal_choices():
    assert TOY.neighbors(np.array([0, 1, 2])).tolist() == [[2, 1, 2], [0, 1, 0], [0, 1, 1]]


def test_contains():
    assert TOY.contains(np.array([[0, 1, 2], [1, 1, 2], [0, 0, 2]])).tolist() == [True, False, False]


def test_unknown_space():
    with pytest.raises(InputError, match=r"unknown space 'nasbench301'.*nasbench201"):
        make("nasbench301")
