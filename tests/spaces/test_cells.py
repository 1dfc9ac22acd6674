"""Spaces of cells against brute force: every matrix, every order of vertices, every sum written out."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nag_jax.spaces import CellSpace
from nag_jax.spaces.cells import edits, frontier, listed
from nag_jax.spaces.cells.layout import OFF, ON, Layout
from nag_jax.spaces.cells.topologies import Limits, enumerate_topologies
from nag_jax.system.errors import InputError

OPS = ("conv3x3", "conv1x1", "maxpool3x3")


def small(**options):
    """Cells of at most 5 vertices: 3,364 graphs, 2,532 cells."""
    return CellSpace("small", ops=OPS, most_vertices=5, most_edges=9, **options)


@pytest.fixture(scope="module")
def space():
    return small()


@pytest.fixture(scope="module")
def every(space):
    return space.all_tokens()


def graph_of(space, row):
    """The matrix [n, n] and labels of one cell, absent vertices left out."""
    layout = space.layout
    matrix = layout.matrix(layout.wired(row[None]))[0]
    ops = layout.operations(row[None])[0]
    kept = np.r_[0, np.nonzero(ops >= 0)[0] + 1, layout.vertices - 1]
    return matrix[np.ix_(kept, kept)], ops[ops >= 0].tolist()


def is_full(matrix):
    """Whether a walk from the input and one back from the output reach every vertex."""
    n = len(matrix)
    powers = np.linalg.matrix_power(np.eye(n, dtype=int) + matrix, n) > 0
    return bool((powers[0] & powers[:, -1]).all())


def all_wirings(n):
    """Every upper-triangular matrix [n, n]."""
    pairs = [(i, j) for j in range(n) for i in range(j)]
    for bits in itertools.product([0, 1], repeat=len(pairs)):
        matrix = np.zeros((n, n), int)
        for (i, j), bit in zip(pairs, bits, strict=True):
            matrix[i, j] = bit
        yield matrix


def least_form(matrix, labels):
    """The least of all orders of the vertices between input and output: exact, whatever it costs."""
    n = len(matrix)
    forms = []
    for order in itertools.permutations(range(1, n - 1)):
        places = [0, *order, n - 1]
        moved = matrix[np.ix_(places, places)]
        forms.append((tuple(moved.reshape(-1).tolist()), tuple(labels[place - 1] for place in order)))
    return min(forms)


# Which graphs are cells


def test_every_full_matrix_is_a_cell_and_no_other(space, every):
    expected = {
        (n, matrix.tobytes(), ops)
        for n in range(2, 6)
        for matrix in all_wirings(n)
        if is_full(matrix) and matrix.sum() <= 9
        for ops in itertools.product(range(3), repeat=n - 2)
    }
    found = {(len(m), m.astype(int).tobytes(), tuple(labels)) for m, labels in (graph_of(space, row) for row in every)}
    assert len(every) == space.size == 3_364
    assert found == expected


def test_numbers_of_nas_bench_101():
    layout, limits = Layout(7, OPS), Limits(9, None)
    topologies = enumerate_topologies(layout, limits)
    assert np.bincount(topologies.interior).tolist() == [1, 2, 10, 121, 1_545, 4_793]
    assert frontier.count(layout, limits, 1) == len(topologies.wired) == 6_472
    assert frontier.count(layout, limits, 3) == 1_293_208


@pytest.mark.parametrize("in_degree", [None, 1, 2, 3])
@pytest.mark.parametrize("edges", [5, 9])
def test_topologies_are_counted_as_they_are_listed(in_degree, edges):
    layout, limits = Layout(6, ("op",)), Limits(edges, in_degree)
    found = enumerate_topologies(layout, limits).wired
    assert len(found) == frontier.count(layout, limits, 1) == len(np.unique(found, axis=0))
    assert (found.sum(axis=1) <= edges).all()
    arity = layout.matrix(found).sum(axis=1)[:, 1:-1]
    if in_degree is not None:
        assert ((arity == 0) | (arity == np.minimum(in_degree, np.arange(1, 5)))).all()


def test_contains_is_the_rule(space):
    rng = np.random.default_rng(0)
    choices = [np.nonzero(row)[0] for row in space.allowed]
    tokens = np.stack([rng.choice(row, 3_000) for row in choices], axis=1).astype(np.int32)
    inside = np.asarray(space.contains(tokens))
    known = {row.tobytes() for row in space.all_tokens()}
    assert inside.tolist() == [row.tobytes() in known for row in tokens]
    assert 0 < inside.mean() < 0.5
    np.testing.assert_array_equal(space._inside(tokens), inside)


# What is drawn


def test_graphs_are_drawn_uniformly(space, every):
    drawn = np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(0), 60_000))
    values, counts = np.unique(np.concatenate([every, drawn]), axis=0, return_counts=True)
    assert len(values) == len(every)
    assert stats.chisquare(counts - 1).pvalue > 1e-3


def test_cells_are_drawn_uniformly(every):
    space = small(uniform="cells")
    assert space.fingerprint != small().fingerprint
    keys = space.canonical(np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(1), 50_000)))
    values, counts = np.unique(np.concatenate([np.unique(space.canonical(every)), keys]), return_counts=True)
    assert len(values) == 2_532
    assert stats.chisquare(counts - 1).pvalue > 1e-3


# What follows from evidence


def evidence(space, n, scale=3.0, seed=0):
    drawn = np.random.default_rng(seed).normal(scale=scale, size=(n, *space.allowed.shape))
    return drawn.astype(np.float32)


def summed(space, every, weights, given):
    """The marginals as a sum over all graphs, in float64."""
    scores = np.take_along_axis(given.astype(np.float64)[:, None], every[None, :, :, None], axis=3)[..., 0].sum(axis=2)
    p = weights * np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return np.einsum("bs,snv->bnv", p, (every[:, :, None] == np.arange(space.num_classes)).astype(float))


def test_marginals_of_graphs_are_exact(space, every):
    given = evidence(space, 16)
    expected = summed(space, every, np.ones(len(every)), given)
    np.testing.assert_allclose(space.class_posterior(given), expected, atol=1e-5)


def test_marginals_of_cells_are_exact(every):
    space = small(uniform="cells")
    given = evidence(space, 16, seed=1)
    _, twins, counts = np.unique(space.canonical(every), return_inverse=True, return_counts=True)
    expected = summed(space, every, 1.0 / counts[twins], given)
    np.testing.assert_allclose(space.class_posterior(given), expected, atol=1e-5)


def test_evidence_may_rule_classes_out(space):
    given = np.zeros((1, *space.allowed.shape), np.float32)
    given[0, space.layout.vertex_nodes[3], space.absent] = -np.inf
    given[0, space.layout.pair_nodes[0], OFF] = -np.inf
    p = np.asarray(space.class_posterior(given))
    assert np.isfinite(p).all()
    assert p[0, space.layout.vertex_nodes[3], space.absent] < 1e-6
    assert p[0, space.layout.pair_nodes[0], ON] > 1 - 1e-6


def test_decoding_gives_the_nearest_cell(space, every):
    x = evidence(space, 50, scale=1.0, seed=2)
    found, valid = space.decode(x)
    scores = np.take_along_axis(x[:, None], every[None, :, :, None], axis=3)[..., 0].sum(axis=2)
    np.testing.assert_array_equal(found, every[scores.argmax(axis=1)])
    assert np.asarray(valid).all()
    assert not np.asarray(space.decode(x, rule="threshold")[1]).any()


# The dynamic programme, for spaces with more topologies than can be listed


@pytest.fixture(scope="module")
def walked():
    """A tiny space of which nothing is listed, beside itself listed."""
    options = {"ops": ("conv", "pool"), "most_vertices": 4, "most_edges": 5}
    walked = type("Walked", (CellSpace,), {"_is_listed": False})
    return walked("tiny", **options), CellSpace("tiny", **options)


def test_the_dynamic_programme_equals_the_sum(walked):
    walked, summed = walked
    given = evidence(summed, 8)
    np.testing.assert_allclose(jax.jit(walked.class_posterior)(given), summed.class_posterior(given), atol=1e-5)
    np.testing.assert_array_equal(walked.decode(given)[0], summed.decode(given)[0])


def test_the_dynamic_programme_draws_uniformly(walked):
    walked, summed = walked
    every = summed.all_tokens()
    drawn = np.asarray(jax.jit(walked.random, static_argnums=1)(jax.random.key(0), 4_000))
    values, counts = np.unique(np.concatenate([every, drawn]), axis=0, return_counts=True)
    assert len(values) == len(every)
    assert stats.chisquare(counts - 1).pvalue > 1e-3


def test_what_is_too_much_to_list_is_refused():
    space = CellSpace("large", ops=OPS, most_vertices=9, most_edges=14)
    assert (space.num_canonical, space.listable) == (None, False)
    with pytest.raises(InputError, match=r"large has .* topologies, too many to list"):
        _ = space.topologies
    with pytest.raises(InputError, match=r"too many to draw cells uniformly: set uniform='graphs'"):
        CellSpace("large", ops=OPS, most_vertices=9, most_edges=14, uniform="cells")


@pytest.mark.slow
def test_a_large_space_is_drawn_and_decoded_exactly():
    space = CellSpace("large", ops=OPS, most_vertices=8, most_edges=12)
    assert space.size > 10**8
    drawn = np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(0), 2_000))
    assert np.asarray(space.contains(drawn)).all()
    sizes = [CellSpace("up to", ops=OPS, most_vertices=n, most_edges=12).size for n in range(3, 9)]
    expected = np.diff([1, *sizes]) / space.size
    found = np.bincount((space.layout.operations(drawn) >= 0).sum(axis=1), minlength=7)[1:]
    assert stats.chisquare(found[3:], expected[3:] / expected[3:].sum() * found[3:].sum()).pvalue > 1e-3
    x = evidence(space, 4)
    found, valid = jax.jit(space.decode)(x)
    assert np.asarray(valid).all()
    assert len(np.unique(space.canonical(drawn))) > 1_900


# Who is who


def test_keys_are_equal_for_the_same_graph_alone(space, every):
    keys = space.canonical(every).tolist()
    forms = [least_form(*graph_of(space, row)) for row in every]
    assert len(set(keys)) == len(set(forms)) == space.num_canonical == 2_532
    assert len(set(zip(keys, forms, strict=True))) == 2_532


def test_representatives_stand_for_themselves(space, every):
    found = space.representatives(every)
    np.testing.assert_array_equal(space.representatives(found), found)
    np.testing.assert_array_equal(space.canonical(found), space.canonical(every))
    assert np.asarray(space.contains(found)).all()


def test_the_form_of_cells_is_counted_by_their_symmetries():
    layout, limits = Layout(6, OPS), Limits(9, None)
    topologies = enumerate_topologies(layout, limits)
    terms = listed.of_cells(layout, topologies)
    assert sum(terms.masses(3)) == 2_532 + 62_010
    assert sum(listed.of_graphs(layout, topologies).masses(3)) == 3_364 + 125_145


# Edits


def test_edits_reach_every_cell(space, every):
    place = {row.tobytes(): index for index, row in enumerate(every)}
    found = jax.jit(jax.vmap(lambda row: edits.edits_of(space.layout, space.limits, row)[::2]))(jnp.asarray(every))
    seen, todo = {0}, [0]
    children, allowed = map(np.asarray, found)
    while todo:
        row = todo.pop()
        new = {place[child.tobytes()] for child in children[row][allowed[row]]} - seen
        seen |= new
        todo += new
    assert len(seen) == len(every)


def test_edits_of_one_cell(space):
    parent = space.from_native(["conv3x3~0|output~1"])[0]
    found = set(space.to_native(space.neighbors(parent)))
    renamed = {"conv1x1~0|output~1", "maxpool3x3~0|output~1"}
    rewired = {"conv3x3~0|output~0~1"}
    for op in OPS:
        behind = {f"conv3x3~0|{op}~0|output~1~2", f"{op}~0|conv3x3~0~1|output~2", f"conv3x3~0|{op}~1|output~1~2"}
        beside = {f"{op}~0|conv3x3~0|output~1~2"}
        assert found & (behind | beside)
    assert renamed | rewired <= found


def test_mutation_draws_every_edit(space):
    parent = space.from_native(["conv3x3~0|conv1x1~0~1|output~1~2"])[0]
    children = np.asarray(jax.jit(space.mutate)(jax.random.key(0), np.tile(parent, (3_000, 1))))
    np.testing.assert_array_equal(np.unique(children, axis=0), space.neighbors(parent))


# Declarations


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ops": []}, "ops must be one name or more"),
        ({"ops": ["a", "a"]}, "ops must be one name or more that differ"),
        ({"ops": ["a~b"]}, "without '|' and '~'"),
        ({"ops": ["off"]}, "none of .*'off'"),
        ({"most_vertices": 2}, "most_vertices must be 3 to 10, found 2"),
        ({"most_vertices": 11}, "most_vertices must be 3 to 10, found 11"),
        ({"most_edges": 0}, "must be at least 1"),
        ({"most_edges": 1}, "the limits leave 1 cells"),
        ({"uniform": "draws"}, "uniform must be one of"),
        ({"weightless": ["pool"]}, "'pool' is none of the operations"),
    ],
)
def test_bad_declarations_are_refused(options, says):
    with pytest.raises(InputError, match=says):
        CellSpace("mine", **{"ops": ["a", "b"], "most_vertices": 4, "most_edges": 4} | options)


@pytest.mark.parametrize(
    ("string", "says"),
    [
        ("conv3x3~0", "and 'output' as the last one"),
        ("conv9x9~0|output~1", "expected vertices of"),
        ("conv3x3~1|output~1", "vertex 1 must read some of 0"),
        ("conv3x3~0|output~1~0", "in this order"),
        ("conv3x3~0|output~0", "every vertex on a path"),
        ("|".join(["conv3x3~0"] * 4 + ["output~1~2~3~4"]), "at most 3 vertices"),
    ],
)
def test_bad_strings_say_what_is_wrong(space, string, says):
    with pytest.raises(InputError, match=says):
        space.from_native(["output~0", string])
