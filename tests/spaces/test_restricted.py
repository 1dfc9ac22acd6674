"""Parts of spaces: their draws, moves and sizes are those of the whole, given the choices that are made."""

import itertools
from typing import Any

import jax
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.spaces import CellSpace, DagSpace, repeat, restrict, whole
from nag_jax.spaces.asked import read_choices, read_fixed
from nag_jax.spaces.capabilities import Buildable, HasCosts, num_distinct
from nag_jax.system.errors import InputError

BLOCK = {"op": ["conv", "pool", "skip"], "size": ["small", "large"]}


def few(tokens):
    """At most two nodes have the second class."""
    return (tokens == 1).sum(axis=1) <= 2


def apart(tokens):
    """No two neighbours are of one class."""
    return (tokens[:, 1:] != tokens[:, :-1]).all(axis=1)


def chain(length, rule=None):
    nodes = {f"n{i}": ["a", "b", "c"] for i in range(length)}
    return DagSpace("chain", nodes=nodes, edges=list(itertools.pairwise(nodes)), valid=rule)


def deep(**options):
    return DagSpace("deep", **repeat("layer", BLOCK, depths=(1, 2, 3))._asdict(), **options)


SPACES = {
    "ruled": lambda: chain(6, apart),
    "deep": deep,
    "deep, by choices": lambda: deep(uniform="choices"),
    "deep, ruled": lambda: deep(valid=few),
    "cells": lambda: CellSpace("cells", ops=["conv", "pool"], most_vertices=4, most_edges=5),
}


def halved(space, seed):
    """A part that fixes half of the open nodes as a random architecture has them, and what is fixed."""
    tokens = np.asarray(space.random(jax.random.key(seed), 1))[0]
    nodes = np.random.default_rng(seed).permutation(np.flatnonzero(space.allowed.sum(axis=1) > 1))
    nodes = nodes[: len(nodes) // 2]
    part: Any = restrict(space, fixed={space.node_names[i]: space.class_names[tokens[i]] for i in nodes})
    return part, nodes, tokens


def conditional(space, nodes, tokens):
    """All architectures with those classes there, and how likely they are by the prior of the space."""
    every = space.all_tokens()
    every = every[(every[:, nodes] == tokens[nodes]).all(axis=1)]
    logs = np.asarray(space.choices.log_prior_of(every), np.float64)
    p = np.exp(logs - logs.max())
    return every, p / p.sum()


def variation(tokens, every, p):
    """Total variation of tokens `[n, N]` from probabilities p of every architecture; all must be among them."""
    numbers = {tuple(row): i for i, row in enumerate(every.tolist())}
    counts = np.bincount([numbers[tuple(row)] for row in np.asarray(tokens).tolist()], minlength=len(every))
    return np.abs(counts / counts.sum() - p).sum() / 2


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in ("deep", "deep, ruled") else ()) for name in SPACES],
)
def test_draws_are_those_of_the_whole_space_given_what_is_fixed(name):
    space = SPACES[name]()
    part, nodes, tokens = halved(space, 1)
    every, p = conditional(space, nodes, tokens)
    drawn = jax.jit(part.random, static_argnums=1)(jax.random.key(0), 5000)
    assert variation(drawn, every, p) < 0.03
    np.testing.assert_array_equal(part.all_tokens(), every)
    assert part.size == len(every) == len(np.unique(every, axis=0))
    assert num_distinct(part) == len(np.unique(part.canonical(every)))
    np.testing.assert_array_equal(part.allowed, (every[:, :, None] == np.arange(space.num_classes)).any(axis=0))


def test_choices_that_are_made_are_none_that_moves_change():
    space = spaces.make("nasbench201")
    part: Any = restrict(space, fixed={"0-1": "none", "2-3": "none"})
    assert part.choices.open.tolist() == [2, 3, 4, 5]
    depth: Any = restrict(deep(), fixed={"layer 3 op": "conv"})  # so the depth is fixed too
    assert depth.node_names[0] == "layer depth"
    assert 0 not in depth.choices.open


def test_changes_stay_within_the_part():
    space: Any = chain(6, apart)
    part: Any = restrict(space, fixed={"n0": "a", "n3": "b"})
    tokens = np.asarray(part.random(jax.random.key(0), 50))
    children = np.asarray(part.mutate(jax.random.key(1), tokens))
    assert np.asarray(part.contains(children)).all()
    assert (children != tokens).any()
    neighbors = part.neighbors(tokens[0])
    assert len(neighbors) < len(space.neighbors(tokens[0]))
    assert np.asarray(part.contains(neighbors)).all()


def test_a_large_part_keeps_what_its_space_offers():
    space: Any = spaces.make("mobilenet_v3")
    part: Any = restrict(space, fixed={"stage1-layer3": "5-6"}, excluded={"*": ["7-6"], "stage2-layer4": "skip"})
    assert all(isinstance(part, capability) for capability in (HasCosts, Buildable))
    assert whole(part) is space
    assert whole(space) is space
    assert part.fingerprint == space.fingerprint
    assert part.costs().keys() == space.costs().keys()
    drawn = np.asarray(jax.jit(part.random, static_argnums=1)(jax.random.key(0), 200))
    depths = part.depths(drawn)
    assert set(depths[:, 0].tolist()) == {3, 4}
    assert set(depths[:, 1].tolist()) == {4}
    assert 0 < part.size < space.size
    assert part.describe()["nodes"]["stage1-layer3"] == ["5-6"]


def test_a_rule_without_a_closed_form_is_kept_to():
    part: Any = restrict(chain(20, few), fixed={"n0": "b"}, excluded={"n1": "a"})
    assert not part.has_posterior
    drawn = np.asarray(part.random(jax.random.key(0), 100))
    assert np.asarray(part.contains(drawn)).all()
    assert (drawn[:, 0] == 1).all()
    assert (drawn[:, 1] != 0).all()


def test_near_one_architectures_differ_in_so_many_nodes():
    space: Any = spaces.make("nasbench201")
    tokens = np.asarray(space.random(jax.random.key(0), 1))
    part: Any = restrict(space, near=space.to_native(tokens)[0], changes=1.5)
    drawn = np.asarray(part.random(jax.random.key(1), 3000))
    assert abs((drawn != tokens).sum(axis=1).mean() - 1.5) < 0.1
    logs = np.asarray(part.choices.log_prior_of(part.all_tokens()), np.float64)
    p = np.exp(logs) / np.exp(logs).sum()
    assert variation(drawn, part.all_tokens(), p) < 0.35  # of 15,625; uniform draws have .8


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"fixed": {"9": "none"}}, "has no node '9': use some of 'input', '0-1'"),
        ({"fixed": {"0-1": "conv"}}, r"not node '0-1' of nasbench201 takes the class 'conv': use one of 'none'"),
        ({"excluded": {"*": "conv"}}, "no node of nasbench201 takes the class 'conv'"),
        ({"fixed": {"0-1": "none"}, "excluded": {"*": "none"}}, "'0-1' is left: it is fixed to 'none', which is excl"),
        ({"excluded": {"input": "input"}}, "no class of node 'input' is left: all are excluded"),
        ({"near": "conv"}, "near: 'conv' is not a NAS-Bench-201 cell"),
        ({"near": "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", "changes": 6.0}, "less than 4.8 nodes"),
    ],
)
def test_what_cannot_be_is_refused(asked, message):
    with pytest.raises(InputError, match=message):
        restrict(spaces.make("nasbench201"), **asked)


@pytest.mark.parametrize("length", [5, 20])
def test_choices_that_break_the_rule_together_are_refused(length):
    fixed = {"n0": "b", "n1": "b", "n2": "b"}
    with pytest.raises(InputError, match="leave no architecture of chain"):
        restrict(chain(length, few), fixed=fixed)


def test_choices_are_read_as_configs_write_them():
    assert read_fixed("0-1=none; 2-3 = skip_connect ") == {"0-1": "none", "2-3": "skip_connect"}
    assert read_choices("") == {}
    for text, message in {"0-1": "isn't understood", "a=b;a=c": "twice", "=b": "isn't", "a=b,": "isn't"}.items():
        with pytest.raises(InputError, match=message):
            read_choices(text)
    with pytest.raises(InputError, match="fixed to 2 classes"):
        read_fixed("a=b,c")


def test_equal_parts_are_one():
    space = spaces.make("nasbench201")
    assert restrict(space, fixed={"0-1": "none"}) is restrict(space, fixed={"0-1": "none"})
    assert restrict(space) is space
