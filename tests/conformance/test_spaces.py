"""What every space of the registry, and every declared one, must keep to.

A new entry of the registry is tested without touching this file.
"""

import inspect
import itertools
import json

import jax
import jax.numpy as jnp
import jraph
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.spaces import CellSpace, DagSpace, NodeSpace, Space, repeat, restrict
from nag_jax.spaces.restricted import Restricted
from nag_jax.system.errors import InputError

B = 40
MANY = 4000
LISTABLE = 10**6


def chain(length, **options):
    """`length` nodes in a row, each one of three classes."""
    names = [f"layer {i}" for i in range(length)]
    return DagSpace(
        f"chain of {length}",
        classes=("conv", "pool", "skip"),
        nodes=dict.fromkeys(names, ("conv", "pool", "skip")),
        edges=list(itertools.pairwise(names)),
        passing=("skip",),
        **options,
    )


def few_pools(tokens):
    return (tokens == 1).sum(axis=1) < tokens.shape[1] / 3


def layers(least, most, **options):
    """A transformer of that many layers."""
    layer = {"heads": ("2 heads", "4 heads"), "ratio": ("ratio 2", "ratio 4"), "norm": ("pre", "post")}
    blocks = repeat("layer", layer, range(least, most + 1))
    return DagSpace(f"{least} to {most} layers", **blocks._asdict(), **options)


DECLARED = {
    "part of nasbench201": lambda: restrict(
        spaces.make("nasbench201"), fixed={"0-1": "nor_conv_3x3"}, excluded={"*": "none"}
    ),
    "part of a declared one, with a rule": lambda: restrict(chain(5, valid=few_pools), fixed={"layer 2": "conv"}),
    "declared": lambda: chain(4),
    "declared, with a rule": lambda: chain(5, valid=few_pools, canonical=lambda tokens: np.sort(tokens, axis=1)),
    "declared, too large to list": lambda: chain(40),
    "declared, with a rule, too large to list": lambda: chain(20, valid=few_pools),
    "cells": lambda: CellSpace("cells", ops=("conv", "pool"), most_vertices=5, most_edges=6),
    "cells, in-degree 2": lambda: CellSpace("pairs", ops=("a", "b"), most_vertices=6, most_edges=9, in_degree=2),
    "declared, of a depth": lambda: layers(1, 3),
    "declared, of a depth, with a rule": lambda: layers(1, 2, valid=lambda tokens: tokens[:, 1] != tokens[:, 2] - 2),
    "declared, of a depth, too large to list": lambda: layers(2, 12, uniform="choices"),
}


@pytest.fixture(params=[*sorted(spaces.REGISTRY), *DECLARED], scope="module")
def space(request):
    return DECLARED[request.param]() if request.param in DECLARED else spaces.make(request.param)


class Traced:
    """A function that is jitted once for all tests of a space, and counts how often it was traced."""

    def __init__(self, function):
        self.count = 0

        def traced(*arguments):
            self.count += 1
            return function(*arguments)

        self._jitted = jax.jit(traced)

    def __call__(self, *arguments):
        return jax.tree.map(np.asarray, self._jitted(*arguments))


@pytest.fixture(scope="module")
def random(space):
    """Key -> `B` tokens."""
    return Traced(lambda key: space.random(key, B))


@pytest.fixture(scope="module")
def many(space):
    """More tokens, for shares."""
    return np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(2), MANY))


@pytest.fixture(scope="module")
def mutate(space):
    """Key, tokens -> their children."""
    return Traced(space.mutate)


@pytest.fixture(scope="module")
def encode(space):
    """Tokens -> x."""
    return Traced(space.encode)


@pytest.fixture(scope="module")
def contains(space):
    """Tokens -> whether they are in the space."""
    return Traced(space.contains)


@pytest.fixture(scope="module")
def tokens(random):
    return random(jax.random.key(0))


def choices_changed(space, parents, children):
    """How many nodes differ of those that both have, `[B]`."""
    in_both = (
        np.ones_like(parents, bool) if space.absent is None else (parents != space.absent) & (children != space.absent)
    )
    return ((np.asarray(children) != parents) & in_both).sum(axis=1)


def changes_are_right(space, parents, children):
    """Whether every child differs from its parent, and in one choice where the space changes one at a time."""
    if space.single_changes:
        return bool((choices_changed(space, parents, children) == 1).all())
    return bool((np.asarray(children) != parents).any(axis=1).all())


def test_attributes(space):
    assert isinstance(space, Space)
    assert isinstance(space, NodeSpace)
    assert isinstance(space, DagSpace | CellSpace | Restricted) or spaces.REGISTRY[space.name] is type(space)
    assert len(set(space.node_names)) == space.num_nodes
    assert space.fingerprint.startswith(space.name)
    n, v = space.num_nodes, space.num_classes
    assert len(space.class_names) == len(set(space.class_names)) == v
    assert space.allowed.shape == (n, v)
    assert space.adjacency.shape == (n, n)
    assert space.allowed.dtype == space.adjacency.dtype == bool
    assert space.allowed.any(axis=1).all()
    assert not np.tril(space.adjacency).any()
    assert isinstance(space.size, int)
    assert space.size > 1
    assert space.num_canonical is None or 1 <= space.num_canonical <= space.size


def test_public_signatures_agree(space):
    """Callers may swap spaces: none renames or drops an argument, or adds one that must be given."""
    for name, member in inspect.getmembers(NodeSpace, inspect.isfunction):
        if name.startswith("_"):
            continue
        expected = list(inspect.signature(member).parameters)
        found = inspect.signature(getattr(type(space), name)).parameters
        assert list(found)[: len(expected)] == expected, name
        extra = list(found.values())[len(expected) :]
        assert all(parameter.default is not parameter.empty for parameter in extra), name


def test_random(space, tokens, random, contains):
    assert tokens.shape == (B, space.num_nodes)
    assert tokens.dtype == np.int32
    assert contains(tokens).all()
    assert (random(jax.random.key(1)) != tokens).any()
    np.testing.assert_array_equal(random(jax.random.key(0)), tokens)
    assert random.count == 1
    np.testing.assert_array_equal(jax.jit(space.random, static_argnums=1)(jax.random.key(0), 3), tokens[:3])


def test_every_drawn_class_is_allowed_and_most_allowed_ones_are_drawn(space, many):
    drawn = (many[:, :, None] == np.arange(space.num_classes)).any(axis=0)
    assert not (drawn & ~space.allowed).any()
    assert (drawn == space.allowed).mean() > 0.95


def test_encode(space, tokens, encode):
    x = encode(tokens)
    np.testing.assert_array_equal(encode(tokens[::-1]), x[::-1])
    assert encode.count == 1
    assert x.shape == (B, space.num_nodes, space.num_classes)
    assert x.dtype == jnp.float32
    assert set(np.unique(x).tolist()) <= {-1.0, 1.0}


@pytest.mark.parametrize("rule", ["argmax", "threshold"])
def test_decode_inverts_encode_and_calls_valid_what_contains_holds_for(space, tokens, encode, contains, rule):
    decode = Traced(lambda x: space.decode(x, rule=rule))
    x = encode(tokens)
    (found, valid), (reverse, _) = decode(x), decode(x[::-1])
    np.testing.assert_array_equal(found, tokens)
    np.testing.assert_array_equal(reverse, tokens[::-1])
    assert found.dtype == jnp.int32
    assert valid.dtype == bool
    assert valid.shape == (B,)
    assert valid.all()

    found, valid = decode(np.random.default_rng(0).standard_normal(x.shape).astype(np.float32))
    assert decode.count == 1
    inside = contains(found)
    assert inside[valid].all()
    if rule == "argmax":
        np.testing.assert_array_equal(valid, inside)


def test_an_unknown_decoding_rule_is_refused(space, tokens, encode):
    with pytest.raises(InputError, match="unknown decoding rule 'nearest'"):
        jax.eval_shape(lambda x: space.decode(x, rule="nearest"), encode(tokens))


def test_native_round_trip(space, tokens):
    strings = space.to_native(tokens)
    assert [type(string) for string in strings] == [str] * B
    assert len(set(strings)) == len(np.unique(tokens, axis=0))
    back = space.from_native(strings)
    assert back.dtype == np.int32
    np.testing.assert_array_equal(back, tokens)
    assert space.from_native([]).shape == (0, space.num_nodes)
    assert space.to_native(tokens[:0]) == []


def test_bad_native_strings_are_named_by_row(space, tokens):
    good = space.to_native(tokens[:2])
    for bad in ("", "no such architecture", good[0] + "!"):
        with pytest.raises(InputError, match=r"row 1\b") as caught:
            space.from_native([good[0], bad, good[1]])
        assert "\n" not in str(caught.value)


def test_canonical_and_connected(space, tokens):
    keys = space.canonical(tokens)
    assert keys.dtype == np.int64 or keys.dtype.kind == "U"  # int64 may have too few values
    assert all(key.isalpha() for key in keys.tolist() if isinstance(key, str))
    assert keys.shape == (B,)
    np.testing.assert_array_equal(space.canonical(tokens[::-1]), keys[::-1])
    assert len(np.unique(keys)) <= len(np.unique(tokens, axis=0))
    connected = np.asarray(space.connected(tokens))
    assert connected.dtype == bool
    assert connected.shape == (B,)
    assert connected.any()


def test_mutate(space, tokens, mutate, contains):
    children = mutate(jax.random.key(1), tokens)
    assert children.dtype == jnp.int32
    assert changes_are_right(space, tokens, children)
    assert contains(children).all()
    traced = mutate.count
    assert (mutate(jax.random.key(2), tokens) != children).any()
    np.testing.assert_array_equal(mutate(jax.random.key(1), tokens), children)
    assert mutate.count == traced
    np.testing.assert_array_equal(mutate(jax.random.key(1), tokens[:3]), children[:3])


@pytest.mark.filterwarnings("error")  # as where 64 bits are cut to 32
def test_draws_and_changes_are_the_same_with_64_bits(space, tokens, mutate):
    children = mutate(jax.random.key(1), tokens)
    with jax.enable_x64(True):
        drawn = jax.jit(space.random, static_argnums=1)(jax.random.key(0), B)
        changed = jax.jit(space.mutate)(jax.random.key(1), drawn)
    for narrow, wide in ((tokens, drawn), (children, changed)):
        assert wide.dtype == np.int32
        np.testing.assert_array_equal(narrow, wide)


def test_neighbors(space, tokens, mutate, contains):
    found = space.neighbors(tokens[0])
    assert found.dtype == np.int32
    assert found.shape[1] == space.num_nodes
    assert len(np.unique(found, axis=0)) == len(found) > 0
    assert changes_are_right(space, np.broadcast_to(tokens[0], found.shape), found)
    assert contains(found).all()
    repeated = np.tile(tokens[0], (B, 1))
    children = np.concatenate([mutate(jax.random.key(seed), repeated) for seed in (3, 4, 5)])
    has = np.ones(space.num_nodes, bool) if space.absent is None else tokens[0] != space.absent  # what is new is drawn
    assert {tuple(row) for row in children[:, has].tolist()} <= {tuple(row) for row in found[:, has].tolist()}


def test_graph(space, tokens):
    batch = space.graph(tokens[:3])
    assert isinstance(batch, jraph.GraphsTuple)
    nodes, senders, receivers = map(np.asarray, (batch.nodes, batch.senders, batch.receivers))
    assert nodes.shape == (3 * space.num_nodes, space.num_classes)
    expected = jraph.batch([space.graph(row[None]) for row in tokens[:3]])
    for field in ("nodes", "senders", "receivers", "n_node", "n_edge"):
        np.testing.assert_array_equal(getattr(batch, field), getattr(expected, field), err_msg=field)
    assert (senders < receivers).all()
    nodes_of = Traced(lambda tokens: space.graph(tokens).nodes)
    np.testing.assert_array_equal(nodes_of(tokens[:3]), nodes)
    nodes_of(tokens[3:6])
    assert nodes_of.count == 1


def test_edges(space, tokens):
    for row in tokens:
        edges = np.array(space.edges(row))
        assert space.adjacency[edges[:, 0], edges[:, 1]].all()
        assert len(np.unique(edges, axis=0)) == len(edges)


def test_all_tokens(space, contains):
    if space.size > LISTABLE:
        with pytest.raises(InputError, match="too many to list"):
            space.all_tokens()
        return
    every = space.all_tokens()
    assert every.shape == (space.size, space.num_nodes)
    assert every.dtype == np.int32
    assert contains(every).all()
    place = space.num_classes ** np.arange(space.num_nodes - 1, -1, -1, dtype=float)
    assert (np.diff(every @ place) > 0).all()  # distinct, in lexicographic order
    if space.num_canonical is not None:
        assert len(np.unique(space.canonical(every))) == space.num_canonical


def test_describe(space):
    described = json.loads(json.dumps(space.describe()))
    assert (described["name"], described["size"]) == (space.name, space.size)
    assert list(described["nodes"]) == list(space.node_names)
    assert space.from_native(described["examples"]).shape == (3, space.num_nodes)


def test_unknown_name():
    with pytest.raises(InputError, match="unknown space 'nothing'") as caught:
        spaces.make("nothing")
    assert all(name in str(caught.value) for name in spaces.REGISTRY)


def test_choices_make_their_architectures(space, tokens):
    choices = space.choices
    options = Traced(choices.recall)(jax.random.split(jax.random.key(1), B), tokens)
    np.testing.assert_array_equal(Traced(choices.settle)(options), tokens)
    assert ((options >= 0) & (options < choices.counts)).all()
    np.testing.assert_allclose(np.exp(choices.log_prior.astype(np.float64)).sum(axis=1), 1.0, rtol=1e-6)


def test_choices_draw_what_random_draws(space, many):
    """Of every node the shares of its classes, among those that keep to the rule."""
    choices, log_prior = space.choices, jnp.asarray(space.choices.log_prior)

    def draw(key):
        drawn = choices.settle(jax.random.categorical(key, log_prior, shape=(MANY, len(log_prior))).astype(jnp.int32))
        return drawn, space.contains(drawn)

    tokens, inside = Traced(draw)(jax.random.key(0))
    tokens = tokens[inside]
    if len(tokens) < MANY / 20:
        pytest.skip("the rule leaves too few draws")
    classes = np.arange(space.num_classes)
    of_choices, of_random = ((found[..., None] == classes).mean(axis=0) for found in (tokens, many))
    np.testing.assert_allclose(of_choices, of_random, atol=5 * (0.5 / len(tokens)) ** 0.5)
