import csv
import itertools
import re

import jax
import jraph
import numpy as np
import pytest
from scipy import stats

from nag_jax.spaces.nasbench201 import OPERATIONS
from nag_jax.system.errors import InputError

NONE, SKIP, CONV1, CONV3, POOL = range(5)
LINE_GRAPH = {0: {1, 2, 4}, 1: {3, 5}, 2: {6}, 3: {6}, 4: {7}, 5: {7}, 6: {7}, 7: set()}
PUBLISHED = {0: {1, 2, 3}, 1: {4, 5}, 2: {6}, 3: {7}, 4: {6}, 5: {7}, 6: {7}, 7: set()}


def as_matrix(successors):
    matrix = np.zeros((8, 8), bool)
    for node, targets in successors.items():
        matrix[node, sorted(targets)] = True
    return matrix


def parse(string):
    """(source, target, operation) of an official string, read as NAS-Bench-201's own code does."""
    return {
        (int(source), target, operation)
        for target, node in enumerate(string.split("+"), start=1)
        for operation, source in re.findall(r"([a-z_0-9]+)~(\d)", node)
    }


def random_cells(nb201, n, seed=0):
    return np.asarray(jax.jit(nb201.random, static_argnums=1)(jax.random.key(seed), n))


# Forms of an architecture


def test_all_tokens_are_the_15625_cells_in_index_order(nb201, cells):
    assert cells.shape == (15_625, 8)
    assert cells.dtype == np.int32
    assert nb201.size == 15_625
    np.testing.assert_array_equal(nb201.to_index(cells), np.arange(15_625))
    assert (cells[:, 0] == 0).all()
    assert (cells[:, -1] == 1).all()
    assert {tuple(row) for row in cells[:, 1:-1].tolist()} == set(itertools.product(range(2, 7), repeat=6))


def test_round_trip_of_every_cell_through_native_strings(nb201, cells):
    strings = nb201.to_native(cells)
    assert len(set(strings)) == 15_625
    back = nb201.from_native(strings)
    assert back.dtype == np.int32
    np.testing.assert_array_equal(back, cells)


@pytest.mark.parametrize("form", ["ops", "matrix", "index"])
def test_round_trip_of_every_cell(nb201, cells, form):
    written = getattr(nb201, f"to_{form}")(cells)
    assert len(np.unique(written.reshape(15_625, -1), axis=0)) == 15_625
    back = getattr(nb201, f"from_{form}")(written)
    assert back.dtype == np.int32
    np.testing.assert_array_equal(back, cells)


def test_token_order_follows_the_official_string(nb201):
    tokens = nb201.from_ops([[CONV3, CONV1, SKIP, POOL, NONE, CONV3]])
    assert tokens.tolist() == [[0, 5, 4, 3, 6, 2, 5, 1]]
    assert [nb201.class_names[token] for token in tokens[0]] == [
        *("input", "nor_conv_3x3", "nor_conv_1x1", "skip_connect"),
        *("avg_pool_3x3", "none", "nor_conv_3x3", "output"),
    ]
    assert nb201.to_native(tokens) == [
        "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|"
    ]


def test_string_matrix_and_edges_say_the_same(nb201):
    tokens = random_cells(nb201, 50)
    matrices = nb201.to_matrix(tokens)
    for string, matrix, row in zip(nb201.to_native(tokens), matrices, tokens, strict=True):
        edges = parse(string)
        assert set(nb201.cell_edges(row)) == edges
        expected = np.zeros((4, 4), int)
        for source, target, operation in edges:
            expected[target, source] = OPERATIONS.index(operation)
        np.testing.assert_array_equal(matrix, expected)


def test_index_is_lexicographic_in_the_operations(nb201):
    assert nb201.to_index(nb201.from_ops([[NONE] * 6, [NONE] * 5 + [POOL], [SKIP] + [NONE] * 5])).tolist() == [
        0,
        4,
        3125,
    ]


def test_strings_are_those_of_the_benchmark(nb201, cells, shared):
    with open(shared / "data" / "nb201_cifar.csv", newline="") as file:
        official = [row["arch"] for row in csv.DictReader(file)]
    assert sorted(official) == sorted(nb201.to_native(cells))


# The graph


def test_adjacency_is_the_line_graph_of_the_cell(nb201):
    assert nb201.adjacency.dtype == bool
    np.testing.assert_array_equal(nb201.adjacency, as_matrix(LINE_GRAPH))
    # Each path from input to output walks edges of the cell that join end to end.
    edges = [(0, 0), (0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (3, 3)]
    joins = [[i < j and edges[i][1] == edges[j][0] for j in range(8)] for i in range(8)]
    np.testing.assert_array_equal(nb201.adjacency, joins)


def test_adjacency_differs_from_the_published_one_by_a_swap_of_two_nodes(nb201):
    assert not np.array_equal(nb201.adjacency, as_matrix(PUBLISHED))
    swap = [0, 1, 2, 4, 3, 5, 6, 7]
    np.testing.assert_array_equal(nb201.adjacency[np.ix_(swap, swap)], as_matrix(PUBLISHED))


def test_allowed_classes(nb201):
    assert (nb201.num_nodes, nb201.num_classes) == (8, 7)
    assert np.nonzero(nb201.allowed[0])[0].tolist() == [0]
    assert np.nonzero(nb201.allowed[7])[0].tolist() == [1]
    for row in nb201.allowed[1:7]:
        assert np.nonzero(row)[0].tolist() == [2, 3, 4, 5, 6]


def test_graph_is_the_jraph_batch_of_single_graphs(nb201):
    tokens = random_cells(nb201, 5)
    batch = nb201.graph(tokens)
    expected = jraph.batch([nb201.graph(row[None]) for row in tokens])
    for field in ("nodes", "senders", "receivers", "n_node", "n_edge"):
        np.testing.assert_array_equal(getattr(batch, field), getattr(expected, field), err_msg=field)
    assert batch.edges is None
    assert batch.globals is None
    single = nb201.graph(tokens[:1])
    assert set(zip(single.senders.tolist(), single.receivers.tolist(), strict=True)) == {
        (i, j) for i, targets in LINE_GRAPH.items() for j in targets
    }
    np.testing.assert_array_equal(single.nodes.argmax(axis=-1), tokens[0])


# What architectures compute


def test_canonical_has_6466_classes_named_by_their_least_member(nb201, cells):
    keys = nb201.canonical(cells)
    assert keys.dtype == np.int64
    assert len(np.unique(keys)) == nb201.num_canonical == 6_466
    index = np.arange(15_625)
    assert (keys <= index).all()
    np.testing.assert_array_equal(keys[keys], keys)


def test_canonical_is_the_published_partition(nb201, shared):
    with open(shared / "data" / "nb201_cifar.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    keys = nb201.canonical(nb201.from_native([row["arch"] for row in rows]))
    pairs = {(int(key), row["iso_class"]) for key, row in zip(keys, rows, strict=True)}
    assert len(rows) == 15_625
    # As many pairs as classes on either side: each class of one is a class of the other.
    assert len(pairs) == len({key for key, _ in pairs}) == len({iso for _, iso in pairs}) == 6_466


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([CONV3, NONE, NONE, SKIP, NONE, NONE], [NONE, NONE, NONE, SKIP, NONE, NONE]),  # leads nowhere
        ([CONV3, NONE, NONE, CONV1, SKIP, NONE], [CONV1, NONE, NONE, CONV3, SKIP, NONE]),  # terms swapped
        ([SKIP, NONE, NONE, NONE, CONV3, NONE], [NONE, NONE, NONE, CONV3, NONE, NONE]),  # through a skip
    ],
)
def test_canonical_joins_cells_that_compute_the_same(nb201, one, other):
    assert len(set(nb201.canonical(nb201.from_ops([one, other])).tolist())) == 1


def test_connected_means_a_path_without_none(nb201, cells):
    e01, e02, e12, e03, e13, e23 = (nb201.to_ops(cells) != NONE).T
    paths = e03 | (e01 & e13) | (e02 & e23) | (e01 & e12 & e23)
    np.testing.assert_array_equal(nb201.connected(cells), paths)
    assert (~paths).sum() == 341


# Draws


def test_random_is_uniform(nb201):
    ops = nb201.to_ops(jax.jit(nb201.random, static_argnums=1)(jax.random.key(3), 20_000))
    for column in ops.T:
        assert stats.chisquare(np.bincount(column, minlength=5)).pvalue > 1e-3
    for i, j in itertools.combinations(range(6), 2):
        assert stats.chisquare(np.bincount(5 * ops[:, i] + ops[:, j], minlength=25)).pvalue > 1e-3


def test_random_is_a_function_of_its_key_with_the_prefix_property(nb201):
    draws = random_cells(nb201, 300)
    assert draws.dtype == np.int32
    assert np.asarray(nb201.contains(draws)).all()
    np.testing.assert_array_equal(random_cells(nb201, 300), draws)
    np.testing.assert_array_equal(random_cells(nb201, 7), draws[:7])
    assert (random_cells(nb201, 300, seed=1) != draws).any()


def test_mutate_changes_exactly_one_free_node(nb201):
    parents = random_cells(nb201, 4_000)
    mutate = jax.jit(nb201.mutate)
    children = np.asarray(mutate(jax.random.key(5), parents))
    changed = children != parents
    assert children.dtype == np.int32
    assert (changed.sum(axis=1) == 1).all()
    assert np.asarray(nb201.contains(children)).all()
    assert not changed[:, [0, 7]].any()
    rows, nodes = np.nonzero(changed)
    assert stats.chisquare(np.bincount(nodes - 1, minlength=6)).pvalue > 1e-3
    steps = (children[rows, nodes] - parents[rows, nodes]) % 5
    assert stats.chisquare(np.bincount(steps, minlength=5)[1:]).pvalue > 1e-3
    np.testing.assert_array_equal(mutate(jax.random.key(5), parents[:9]), children[:9])


def test_neighbors_are_the_24_cells_one_edge_away(nb201, cells):
    cell = random_cells(nb201, 1)[0]
    found = nb201.neighbors(cell)
    assert found.dtype == np.int32
    expected = cells[(cells != cell).sum(axis=1) == 1]
    assert found.shape == (24, 8)
    assert {tuple(row) for row in found.tolist()} == {tuple(row) for row in expected.tolist()}


def test_mutations_reach_every_neighbor(nb201):
    cell = random_cells(nb201, 1)[0]
    children = np.asarray(jax.jit(nb201.mutate)(jax.random.key(6), np.tile(cell, (500, 1))))
    assert {tuple(row) for row in children.tolist()} == {tuple(row) for row in nb201.neighbors(cell).tolist()}


# Encoding


@pytest.mark.parametrize("rule", ["argmax", "threshold"])
def test_decode_inverts_encode_on_every_cell(nb201, cells, rule):
    x = nb201.encode(cells)
    assert x.shape == (15_625, 8, 7)
    assert x.dtype == np.float32
    assert set(np.unique(x).tolist()) == {-1.0, 1.0}
    tokens, valid = nb201.decode(x, rule=rule)
    np.testing.assert_array_equal(tokens, cells)
    assert np.asarray(valid).all()


def two_above(x):
    x[3, 4], x[3, 5] = 0.9, 0.1


def none_above(x):
    x[2] = -0.5
    x[2, 6] = -0.25


def input_class_in_the_middle(x):
    x[4] = -1.0
    x[4, 0] = 1.0


def operation_at_the_input(x):
    x[0] = -1.0
    x[0, 3] = 1.0


def output_class_at_the_input(x):
    x[0, 0], x[0, 1] = -1.0, 1.0


@pytest.mark.parametrize(
    ("damage", "by_argmax", "by_threshold"),
    [
        (two_above, True, False),
        (none_above, True, False),
        (input_class_in_the_middle, False, False),
        (operation_at_the_input, False, False),
        (output_class_at_the_input, False, False),
    ],
)
def test_decode_finds_the_invalid(nb201, damage, by_argmax, by_threshold):
    cells = nb201.from_ops([[CONV3] * 6, [CONV1] * 6])
    x = np.array(nb201.encode(cells))
    damage(x[0])
    tokens, valid = nb201.decode(x)
    assert valid.tolist() == [by_argmax, True]
    assert nb201.decode(x, rule="threshold")[1].tolist() == [by_threshold, True]
    np.testing.assert_array_equal(tokens, x.argmax(axis=-1))
    assert tokens.dtype == np.int32


def test_decode_bears_noise_below_the_threshold(nb201):
    cells = random_cells(nb201, 64)
    noise = np.random.default_rng(0).uniform(-0.99, 0.99, (64, 8, 7)).astype(np.float32)
    tokens, valid = nb201.decode(nb201.encode(cells) + noise, rule="threshold")
    np.testing.assert_array_equal(tokens, cells)
    assert np.asarray(valid).all()


def test_decode_refuses_an_unknown_rule(nb201):
    with pytest.raises(InputError, match=r"'round'.*'argmax' or 'threshold'"):
        nb201.decode(np.zeros((1, 8, 7)), rule="round")


# Errors


@pytest.mark.parametrize(
    "string",
    [
        "",
        "|none~0|+|none~0|none~1|",
        "|nor_conv_5x5~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none~0|+|none~1|none~0|+|none~0|none~1|none~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2| ",
    ],
)
def test_from_native_names_the_first_bad_row(nb201, string):
    good = nb201.to_native(nb201.from_ops([[CONV3] * 6]))[0]
    with pytest.raises(InputError, match="row 2: ") as caught:
        nb201.from_native([good, good, string, "also bad"])
    assert repr(string) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_from_ops_names_the_bad_row(nb201):
    for bad in (5, -1):
        with pytest.raises(InputError, match=r"row 1: operations must be 0 to 4"):
            nb201.from_ops([[NONE] * 6, [NONE] * 5 + [bad], [bad] * 6])
    with pytest.raises(InputError, match=r"\[B, 6\], found \[2, 5\]"):
        nb201.from_ops(np.zeros((2, 5), int))


@pytest.mark.parametrize("bad", [15_625, -1])
def test_from_index_names_the_bad_row(nb201, bad):
    with pytest.raises(InputError, match=rf"row 1: .*15,?624.*{bad}"):
        nb201.from_index([3, bad])


@pytest.mark.parametrize("write", ["to_native", "to_index", "canonical"])
@pytest.mark.parametrize(("node", "token"), [(4, 0), (0, 2), (7, 0), (6, -1), (6, 7)])
def test_tokens_outside_the_space_are_not_taken_for_another_cell(nb201, write, node, token):
    tokens = nb201.from_ops([[CONV3] * 6, [CONV3] * 6])
    tokens[1, node] = token
    with pytest.raises(InputError, match="row 1: "):
        getattr(nb201, write)(tokens)


def test_no_architectures_are_no_problem(nb201):
    nothing = nb201.from_native([])
    assert nothing.shape == (0, 8)
    assert nb201.to_native(nothing) == []
    assert nb201.canonical(nothing).shape == (0,)
