import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nag_jax import spaces
from nag_jax.spaces.nasbench_graph import LINKS, MACROS, OPERATIONS
from nag_jax.system.errors import InputError

SKIP = "skip"


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench_graph")


@pytest.fixture(scope="module")
def every(space):
    """All 59,040 architectures."""
    return space.all_tokens()


@pytest.fixture(scope="module")
def package():
    return pytest.importorskip("nas_bench_graph.architecture", reason="needs the package nas-bench-graph")


def random(space, n, seed=0):
    return np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(seed), n))


def one(space, architecture):
    return space.from_native([architecture])


def same(space, *architectures):
    keys = space.canonical(space.from_native(list(architectures)))
    return bool((keys == keys[0]).all())


# Agreement with the package


def test_macros_and_operations_are_the_packages(package):
    assert LINKS.tolist() == package.link_list
    assert list(OPERATIONS) == package.gnn_list


def test_canonical_is_the_packages_hash_of_every_architecture(space, every, package):
    expected = [
        package.Arch([int(c) for c in links], operations).valid_hash()
        for links, *operations in (string.split("|") for string in space.to_native(every))
    ]
    np.testing.assert_array_equal(space.canonical(every), expected)


def test_every_link_list_that_the_package_takes_is_read(space, package):
    strings, expected = [], []
    for links in itertools.product(*map(range, (1, 2, 3, 4))):
        for operations in itertools.product(("gat", "cheb", "fc", SKIP), repeat=4):
            if set(operations) != {SKIP}:
                strings.append("|".join(("".join(map(str, links)), *operations)))
                expected.append(package.Arch(list(links), list(operations)).valid_hash())
    assert len(strings) == 24 * 255
    np.testing.assert_array_equal(space.canonical(space.from_native(strings)), expected)


def test_representatives_are_those_that_the_package_lists(space, every, package):
    ours = space.from_keys(np.unique(space.canonical(every)))
    theirs = {"|".join(("".join(map(str, arch.link)), *arch.ops)) for arch in package.all_archs()}
    assert set(space.to_native(ours)) == theirs


# Architectures


def test_sizes(space, every):
    assert space.size == len(every) == 59_040 == 9 * (9**4 - 1)
    assert space.num_canonical == len(np.unique(space.canonical(every))) == 26_206


def test_it_has_no_architecture_of_skips_alone(space, every):
    skips = [space.class_names.index(SKIP)] * 4
    for macro in range(len(MACROS)):
        assert not space.contains(np.array([[macro, *skips]])).any()
    assert not (every[:, 1:] == skips).all(axis=1).any()
    x = space.encode(np.array([[3, *skips]]))
    _, valid = space.decode(x)
    assert not valid.any()


def test_an_edge_says_that_one_node_may_bear_on_the_other(space):
    expected = np.zeros((5, 5), bool)
    expected[0, 1:] = True
    for links in LINKS:
        for reader, source in enumerate(links, start=1):
            expected[source, reader] |= source > 0
    np.testing.assert_array_equal(space.adjacency, expected)
    np.testing.assert_array_equal(space.adjacency, np.triu(np.ones((5, 5), bool), k=1))


def test_all_are_connected(space, every):
    assert space.connected(every).all()
    assert space.connected(every).shape == (59_040,)


def test_random_is_uniform_over_the_architectures(space, every):
    draws = random(space, 40_000)
    assert np.asarray(space.contains(draws)).all()
    for node in range(5):
        expected = np.bincount(every[:, node], minlength=18) / len(every)
        counts = np.bincount(draws[:, node], minlength=18)
        allowed = space.allowed[node]
        assert stats.chisquare(counts[allowed], len(draws) * expected[allowed]).pvalue > 1e-3
    distinct = len(np.unique(draws, axis=0))
    assert distinct / len(every) == pytest.approx(1.0 - np.exp(-len(draws) / len(every)), abs=0.01)


def test_random_reaches_the_first_and_the_last_architecture_of_a_macro(space):
    drawn = set(space.to_native(random(space, 400_000, seed=1)))
    assert {"0000|gat|gat|gat|gat", "0000|skip|skip|skip|fc", "0123|gat|gat|gat|gat", "0123|skip|skip|skip|fc"} <= drawn


def test_the_last_operation_that_is_no_skip_does_not_become_one(space):
    parent = one(space, "0123|skip|gcn|skip|skip")
    neighbors = space.neighbors(parent[0])
    assert len(neighbors) == 8 + 3 * 8 + 7
    assert np.asarray(space.contains(neighbors)).all()
    children = np.asarray(jax.jit(space.mutate)(jax.random.key(0), np.tile(parent, (3_000, 1))))
    assert {tuple(row) for row in children.tolist()} == {tuple(row) for row in neighbors.tolist()}
    assert stats.chisquare((children != parent).sum(axis=0)).pvalue > 1e-3


def test_other_architectures_have_all_neighbors(space):
    assert len(space.neighbors(one(space, "0012|skip|gcn|skip|gat")[0])) == 5 * 8


# Native strings


def test_strings_are_the_packages_links_and_operations(space):
    tokens = one(space, "0013|gcn|skip|fc|gat")
    assert [space.class_names[token] for token in tokens[0]] == ["0013", "gcn", "skip", "fc", "gat"]
    assert space.to_native(tokens) == ["0013|gcn|skip|fc|gat"]


def test_every_architecture_has_its_own_string_and_is_read_from_it(space, every):
    strings = space.to_native(every)
    assert len(set(strings)) == len(every)
    np.testing.assert_array_equal(space.from_native(strings), every)


def test_the_documentations_example_is_put_in_order(space):
    assert space.to_native(one(space, "0121|gcn|gin|fc|cheb")) == ["0112|gcn|gin|cheb|fc"]


@pytest.mark.parametrize(
    "bad",
    [
        "0124|gcn|gin|fc|cheb",
        "1123|gcn|gin|fc|cheb",
        "0012|gcn|gin|fc",
        "0012|gcn|gin|fc|GAT",
        "0012 gcn gin fc gat",
        "|",
    ],
)
def test_strings_of_another_form_are_named_by_row(space, bad):
    with pytest.raises(InputError, match=r"row 2: .* is not a NAS-Bench-Graph architecture; expected .*0012.*cheb"):
        space.from_native(["0012|gcn|gin|fc|cheb", "0012|gcn|gin|fc|cheb", bad])


def test_skips_alone_are_named_by_row(space):
    with pytest.raises(InputError, match=r"row 1: '0012\|skip\|skip\|skip\|skip' has no operation but skips"):
        space.from_native(["0012|gcn|gin|fc|cheb", "0012|skip|skip|skip|skip"])


@pytest.mark.parametrize("bad", [[0, 9, 9, 9, 8], [9, 9, 9, 9, 9], [0, 17, 17, 17, 17]])
def test_tokens_that_are_no_architecture_are_named_by_row(space, every, bad):
    for method in (space.to_native, space.canonical):
        with pytest.raises(InputError, match=r"row 1: tokens .* keep only the samples that decode calls valid"):
            method(np.array([every[0], bad]))


# Classes


@pytest.mark.parametrize(
    "architectures",
    [
        ("0000|gat|gcn|gin|fc", "0000|fc|gin|gat|gcn"),  # the order of what is side by side doesn't matter
        ("0001|gat|gcn|gin|fc", "0001|gat|gin|gcn|fc"),
        ("0012|gat|gcn|gin|fc", "0012|gcn|gat|fc|gin"),
        ("0123|skip|gat|gcn|gin", "0123|gat|skip|gcn|gin", "0123|gat|gcn|gin|skip"),  # nor where a chain is padded
        ("0112|skip|gat|gcn|gin", "0012|gat|gcn|gin|skip", "0013|gat|gcn|skip|gin"),  # nor is a chain's skip a step
        ("0122|skip|gat|gcn|gin", "0011|gat|skip|gcn|gin", "0112|gat|gcn|gin|skip"),
        (
            "0111|skip|gat|gcn|gin",
            "0000|gat|gcn|gin|skip",
            "0011|skip|gat|gcn|gin",
        ),  # a skipped input adds nothing
    ],
)
def test_what_computes_the_same_has_one_key(space, architectures):
    assert same(space, *architectures)


def test_what_computes_another_thing_has_another_key(space):
    assert not same(space, "0123|gat|gcn|gin|fc", "0123|gat|gcn|fc|gin")
    assert not same(space, "0012|gat|gcn|gin|fc", "0012|gat|gcn|fc|gin")
    # a skip beside others brings what they read to the output
    assert not same(space, "0111|gat|gcn|gin|skip", "0111|skip|gat|gcn|gin")
    assert not same(space, "0011|gat|gcn|gin|skip", "0011|gat|gcn|skip|skip")


def test_keys_spell_out_their_representative(space):
    assert space.canonical(one(space, "0013|gcn|gat|fc|cheb")).tolist() == [41073]
    assert space.to_native(space.from_keys(np.array([41073]))) == ["0013|gcn|gat|fc|cheb"]


def test_representatives_are_in_their_own_class(space, every):
    keys = np.unique(space.canonical(every))
    np.testing.assert_array_equal(space.canonical(space.from_keys(keys)), keys)


@pytest.mark.parametrize("bad", [88_888, 10, 90_000, 100_000, -1])
def test_numbers_that_are_no_key_are_named_by_row(space, bad):
    with pytest.raises(InputError, match=f"row 1: {bad} is not a key"):
        space.from_keys(np.array([0, bad]))


def test_contains_runs_under_jit_as_without(space):
    tokens = np.random.default_rng(0).integers(0, 18, (500, 5))
    tokens[:, 0] %= 9
    tokens[:, 1:] = 9 + tokens[:, 1:] % 9
    tokens[::7, 1:] = 17
    tokens[::5, 2] = 4
    expected = (tokens[:, 1:] >= 9).all(axis=1) & (tokens[:, 1:] != 17).any(axis=1)
    np.testing.assert_array_equal(jax.jit(space.contains)(jnp.asarray(tokens)), expected)
    assert 0 < expected.sum() < 500
