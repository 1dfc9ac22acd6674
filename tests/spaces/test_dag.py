"""Declared spaces: what the conformance tests don't ask."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from nag_jax.spaces import DagSpace, NASBench201
from nag_jax.spaces.nasbench201 import EDGES, OPERATIONS
from nag_jax.system.errors import InputError

CLASSES = ("input", "output", *OPERATIONS)
OPS = ("conv", "pool", "skip")


def diamond(**options):
    """Two operations side by side between the input and the output."""
    declared = {
        "classes": ("input", "output", *OPS),
        "nodes": {"in": ["input"], "a": OPS, "b": OPS, "out": ["output"]},
        "edges": [("in", "a"), ("in", "b"), ("a", "out"), ("b", "out")],
    }
    return DagSpace("diamond", **(declared | options))


@pytest.fixture(scope="module")
def declared_nb201():
    """NAS-Bench-201 without its own rule of what computes the same thing."""
    names = [f"{source}-{target}" for source, target in EDGES]
    nodes = {"in": ("input",), **dict.fromkeys(names, OPERATIONS), "out": ("output",)}
    edges = [("in", name) for name, (source, _) in zip(names, EDGES, strict=True) if source == 0]
    edges += [(name, "out") for name, (_, target) in zip(names, EDGES, strict=True) if target == 3]
    edges += [
        (before, after)
        for before, (_, end) in zip(names, EDGES, strict=True)
        for after, (start, _) in zip(names, EDGES, strict=True)
        if end == start
    ]
    return DagSpace("cells", classes=CLASSES, nodes=nodes, edges=edges, passing=["skip_connect"], blocking=["none"])


def test_a_known_space_can_be_declared(declared_nb201):
    space, known = declared_nb201, NASBench201()
    every = space.all_tokens()
    np.testing.assert_array_equal(every, known.all_tokens())
    np.testing.assert_array_equal(space.allowed, known.allowed)
    np.testing.assert_array_equal(space.adjacency, known.adjacency)
    np.testing.assert_array_equal(space.connected(every), known.connected(every))
    np.testing.assert_array_equal(space.canonical(every), np.arange(15_625))
    found, expected = space.path_terms(), known.path_terms()
    assert found is not None
    assert expected is not None
    assert found.entries == expected.entries
    np.testing.assert_array_equal(found.words, expected.words)
    assert space.num_canonical == space.size == known.size


def test_strings_name_the_classes_where_there_is_a_choice():
    space = diamond()
    assert space.to_native([[0, 2, 4, 1]]) == ["conv|skip"]
    assert space.from_native(["conv|skip"]).tolist() == [[0, 2, 4, 1]]
    with pytest.raises(InputError, match=r"row 1: 'conv\|output' .*node 'b' can't be 'output', only one of \['conv'"):
        space.from_native(["conv|pool", "conv|output"])
    with pytest.raises(InputError, match=r"row 0: 'conv' .*expected 2 classes joined by '\|', for a, b"):
        space.from_native(["conv"])


def test_a_representative_makes_architectures_one():
    def sides_in_order(tokens):
        tokens[:, 1:3] = np.sort(tokens[:, 1:3], axis=1)
        return tokens

    space = diamond(canonical=sides_in_order)
    keys = space.canonical(space.from_native(["conv|pool", "pool|conv", "conv|conv"]))
    assert keys[0] == keys[1] != keys[2]
    assert (space.size, space.num_canonical) == (9, 6)
    broken = diamond(canonical=lambda tokens: tokens * 0)
    with pytest.raises(InputError, match=r"canonical made \[0, 0, 0, 0\] of \[0, 2, 2, 1\].*return tokens of allowed"):
        broken.canonical(broken.all_tokens())


def no_two_convs(tokens):
    return (tokens == 2).sum(axis=1) < 2


def test_architectures_that_break_the_rule_are_none():
    space = diamond(valid=no_two_convs)
    assert space.size == 8
    assert "conv|conv" not in space.to_native(space.all_tokens())
    assert not space.contains(np.array([[0, 2, 2, 1]]))[0]
    with pytest.raises(InputError, match=r"row 1: .*'conv', 'conv'.* is not an architecture of diamond"):
        space.from_native(["conv|pool", "conv|conv"])
    _, valid = space.decode(diamond().encode(np.array([[0, 2, 2, 1], [0, 2, 3, 1]])))
    assert valid.tolist() == [False, True]


def test_draws_that_keep_to_the_rule_are_uniform():
    space = diamond(valid=no_two_convs)
    drawn = space.canonical(np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(0), 8000)))
    _, counts = np.unique(drawn, return_counts=True)
    assert len(counts) == 8
    assert (abs(counts - 1000) < 5 * np.sqrt(1000)).all()


def test_draws_by_rejection_are_uniform():
    """A rule on the first nodes of a space too large to list: they come as the 8 pairs would."""
    names = [f"n{i}" for i in range(14)]
    nodes = dict.fromkeys(names, OPS)
    space = DagSpace("long", classes=OPS, nodes=nodes, edges=[], valid=lambda t: (t[:, 0] != 0) | (t[:, 1] != 0))
    assert not space.listable
    assert space.size == pytest.approx(8 / 9 * 3**14, rel=0.01)
    drawn = np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(0), 8000))
    _, counts = np.unique(drawn[:, 0] * 3 + drawn[:, 1], return_counts=True)
    assert len(counts) == 8
    assert (abs(counts - 1000) < 5 * np.sqrt(1000)).all()
    assert not space.has_posterior
    with pytest.raises(InputError, match="too many architectures"):
        space.class_posterior(jnp.zeros((1, 14, 3)))


def test_the_posterior_is_summed_over_the_architectures_that_there_are():
    space = diamond(valid=no_two_convs)
    evidence = np.random.default_rng(0).normal(size=(5, 4, 5)).astype(np.float32) * 3
    every = space.all_tokens()
    entries = np.eye(5)[every]
    weights = softmax(np.einsum("bnv,snv->bs", evidence, entries), axis=1)
    expected = np.einsum("bs,snv->bnv", weights, entries)
    np.testing.assert_allclose(jax.jit(space.class_posterior)(evidence), expected, atol=1e-5)


def test_mutations_keep_to_the_rule_and_stay_where_there_is_none():
    """Both nodes are the same, so no single change is allowed."""
    space = diamond(valid=lambda tokens: tokens[:, 1] == tokens[:, 2])
    every = space.all_tokens()
    assert len(every) == 3
    np.testing.assert_array_equal(space.mutate(jax.random.key(0), every), every)
    assert len(space.neighbors(every[0])) == 0


def test_fingerprints_tell_declarations_and_rules_apart():
    spaces = [
        diamond(),
        diamond(valid=no_two_convs),
        diamond(canonical=lambda tokens: np.sort(tokens, axis=1)),
        diamond(passing=["skip"]),
        diamond(edges=[("in", "a"), ("a", "b"), ("b", "out")]),
        diamond(nodes={"in": ["input"], "c": OPS, "b": OPS, "out": ["output"]}, edges=[]),
    ]
    assert len({space.fingerprint for space in spaces}) == len(spaces)
    assert diamond(valid=lambda tokens: (tokens == 2).sum(axis=1) != 2).fingerprint == spaces[1].fingerprint
    assert {space.name for space in spaces} == {"diamond"}


def test_attributes_are_0_for_classes_that_lack_them_and_do_not_change_the_space():
    space = diamond(attributes={"kernel": {"conv": 3.0}})
    of_conv = [3.0 * (name == "conv") for name in space.class_names]
    assert space.class_attributes == {"kernel": tuple(of_conv)}
    assert space.fingerprint == diamond().fingerprint


def test_weightless_classes_are_known_by_name():
    space = diamond(weightless=["pool"])
    assert [space.class_names[c] for c in space.weightless] == ["pool"]
    with pytest.raises(InputError, match="weightless"):
        diamond(weightless=["pooling"])


def test_connected_knows_what_blocks():
    space = diamond(blocking=["pool"], edges=[("in", "a"), ("a", "b"), ("b", "out")])
    assert space.connected(space.from_native(["conv|conv", "conv|pool", "pool|conv"])).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ("input", "output", "conv", "conv", "pool", "skip")}, "classes must be strings that differ"),
        ({"classes": ("input", "output", "co|nv", *OPS)}, r"without '\|'"),
        (
            {"nodes": {"in": ["input"], "a": "conv", "b": OPS, "out": ["output"]}},
            "node 'a': expected a list",
        ),
        ({"nodes": {"in": ["input"], "a": ["conf"], "b": OPS, "out": ["output"]}}, r"node 'a'.*found \['conf'\]"),
        ({"nodes": {"in": ["input"], "a": ["conv"], "b": ["pool"], "out": ["output"]}}, "some node more than one"),
        ({"nodes": {"in": [], "a": OPS, "b": OPS, "out": ["output"]}}, "every node needs a class"),
        ({"edges": [("out", "in")]}, r"the edge \('out', 'in'\) must lead from a node to a later one"),
        ({"edges": [("in", "c")]}, r"the edge \('in', 'c'\)"),
        ({"passing": ["skp"]}, r"passing: expected a list of classes.*found \['skp'\]"),
        ({"attributes": {"kernel": {"cnv": 3}}}, r"attribute 'kernel': expected a list of classes.*found \['cnv'\]"),
        ({"valid": lambda tokens: np.array(tokens)[:, 1] == 2}, "can't be compiled .*jax.numpy"),
        ({"valid": lambda tokens: tokens[:, 1] if (tokens > 2).any() else tokens}, "can't be compiled"),
        ({"valid": lambda tokens: tokens[:, 1]}, r"must return bool \[B\]"),
        ({"valid": lambda tokens: (tokens == 2).any()}, r"must return bool \[B\]"),
        ({"valid": lambda tokens: tokens[:, 1] > 9}, "leaves 0 of 9 combinations"),
    ],
)
def test_what_is_wrong_is_named(options, message):
    with pytest.raises(InputError, match=message) as caught:
        diamond(**options)
    assert "\n" not in str(caught.value)


def test_a_rule_that_keeps_hardly_anything_of_a_large_space_is_refused():
    nodes = {f"n{i}": OPS for i in range(20)}
    with pytest.raises(InputError, match=r"of 16,384 random combinations keep to the rule valid, too few to draw"):
        DagSpace("sparse", classes=OPS, nodes=nodes, edges=[], valid=lambda tokens: (tokens == 0).sum(axis=1) > 17)
