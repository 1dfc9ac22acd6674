import jax
import numpy as np
import pytest

from nag_jax import evaluators, spaces
from nag_jax.guidance.constraints import Constraints, parse
from nag_jax.spaces.nasbench101 import NASBench101
from nag_jax.spaces.nasbench101.channels import vertex_channels
from nag_jax.system.errors import InputError

FIRST = (
    [
        [0, 1, 0, 0, 1, 1, 0],
        [0, 0, 1, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ["input", "conv3x3-bn-relu", "maxpool3x3", "conv3x3-bn-relu", "conv3x3-bn-relu", "conv1x1-bn-relu", "output"],
)
"""The first cell of the benchmark's file, whose digest and parameters are published."""
INCEPTION = (
    [
        [0, 1, 1, 1, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ["input", "conv1x1-bn-relu", "conv3x3-bn-relu", "conv3x3-bn-relu", "conv3x3-bn-relu", "maxpool3x3", "output"],
)
"""The cell of the benchmark's own example."""


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench101")


@pytest.fixture(scope="module")
def small():
    return NASBench101(most_vertices=5)


# Names and matrices


def test_the_published_digest(space):
    tokens = space.from_matrices([FIRST])
    assert space.digests(tokens) == ["00005c142e6f48ac74fdcf73e3439874"]
    matrix, ops = space.to_matrices(tokens)[0]
    assert (matrix.astype(int).tolist(), ops) == FIRST


def test_digests_tell_cells_apart_as_keys_do(small):
    every = small.all_tokens()
    keys, digests = small.canonical(every).tolist(), small.digests(every)
    assert len(set(keys)) == len(set(digests)) == len(set(zip(keys, digests, strict=True))) == 2_532


def test_digests_are_read(small):
    cells = small.from_native(["conv3x3-bn-relu~0|conv1x1-bn-relu~0|output~1~2", "output~0"])
    found = small.from_native([*small.digests(cells), small.to_native(cells)[0]])
    np.testing.assert_array_equal(small.canonical(found), small.canonical(cells[[0, 1, 0]]))
    with pytest.raises(InputError, match=r"row 1: 'f{32}' is the digest of no cell"):
        small.from_native([small.digests(cells)[0], "f" * 32])


def test_what_leads_nowhere_is_left_out(space):
    matrix = np.zeros((5, 5), int)
    matrix[0, 1] = matrix[0, 2] = matrix[1, 4] = matrix[3, 4] = 1  # 2 feeds nothing, 3 reads nothing
    ops = ["input", "conv1x1-bn-relu", "maxpool3x3", "maxpool3x3", "output"]
    assert space.to_native(space.from_matrices([(matrix, ops)])) == ["conv1x1-bn-relu~0|output~1"]


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (([[0, 1], [0, 0]], ["input", "conv3x3-bn-relu"]), "row 0: expected an upper triangular matrix"),
        (([[0, 0], [1, 0]], ["input", "output"]), "row 0: expected an upper triangular matrix"),
        (([[0, 0], [0, 0]], ["input", "output"]), "no path leads from input to output"),
        (
            (np.triu(np.ones((5, 5), int), 1), ["input", *["maxpool3x3"] * 3, "output"]),
            "at most 7 vertices and 9 edges",
        ),
    ],
)
def test_bad_matrices_are_refused(space, cell, says):
    with pytest.raises(InputError, match=says):
        space.from_matrices([cell])
    assert space.from_matrices([]).shape == (0, space.num_nodes)


@pytest.mark.slow
def test_there_are_423624_cells(space):
    cells = space.all_cells()
    assert len(cells) == len(np.unique(space.canonical(cells))) == space.num_canonical == 423_624
    tokens = np.concatenate([space.tokens_of_size(interior) for interior in range(6)])
    assert len(tokens) == space.size == 1_293_208
    assert len(np.unique(space.canonical(tokens))) == 423_624


# Costs


def written_out(cell):
    """Parameters of a cell's network, layer by layer."""
    matrix, ops = np.asarray(cell[0]), cell[1]
    last = len(ops) - 1
    total, channels = (27 + 2) * 128, 128
    for width in (128, 256, 512):
        for _ in range(3):
            widths = [channels, *vertex_channels(matrix, width)]
            for vertex in range(1, len(ops)):
                if matrix[0, vertex]:
                    total += (channels + 2) * widths[vertex]
                if vertex < last and ops[vertex] != "maxpool3x3":
                    kernel = int(ops[vertex][4])
                    total += (kernel**2 * widths[vertex] + 2) * widths[vertex]
            channels = width
    return total + 513 * 10


def test_published_parameters(space):
    params = space.costs()["params"].of(space.from_matrices([FIRST, INCEPTION]))
    assert params.tolist() == [8_555_530, 2_694_282]
    assert space.costs()["params"].reachable(space) == (227_274, 49_979_274)
    assert space.cost_lines(space.from_matrices([INCEPTION])) == ["2.69 M parameters"]


def test_costs_are_those_of_the_layers(space):
    tokens = np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(0), 200))
    expected = [written_out(cell) for cell in space.to_matrices(tokens)]
    np.testing.assert_array_equal(space.costs()["params"].of(tokens), expected)
    assert len(space.costs()["macs"].every()) == space.size


def test_moments_are_exact_where_nothing_is_open(small):
    cost = small.costs()["params"]
    tokens, inner = small.all_tokens()[::200], slice(1, -1)  # without input and output, which have no choice
    p = (tokens[..., None] == np.arange(small.num_classes)).astype(np.float32)
    mean, variance = cost.moments(small, p, 1e6)
    chosen = np.take_along_axis(np.asarray(mean), tokens[..., None], axis=2)[:, inner, 0]
    np.testing.assert_allclose(chosen, np.repeat(cost.of(tokens)[:, None] / 1e6, chosen.shape[1], axis=1), rtol=1e-4)
    assert np.take_along_axis(np.asarray(variance), tokens[..., None], axis=2)[:, inner].max() < 1e-3


def test_all_that_keep_to_a_band_are_listed(small):
    constraints = Constraints(small, small.costs(), parse("4e6 <= params <= 5e6"))
    every, found = small.all_tokens(), constraints.few()
    assert found is not None
    assert 0 < len(found) == constraints.hold(every).sum()
    assert constraints.hold(found).all()
    with pytest.raises(InputError, match="params reaches from 301074 to"):
        Constraints(small, small.costs(), parse("params <= 1e5"))
    with pytest.raises(InputError, match=r"reaches from .* there"):
        Constraints(small, small.costs(), parse("params >= 2e7; macs <= 5e8"))


# The evaluator


def test_a_table_by_strings_or_digests(small, tmp_path):
    every = small.all_tokens()
    cells = every[np.unique(small.canonical(every), return_index=True)[1]][:40]
    names = [*small.to_native(cells[:20]), *small.digests(cells[20:])]
    path = tmp_path / "cells.csv"
    path.write_text("\n".join(["arch,valid_acc", *(f"{name},{90 + i / 10}" for i, name in enumerate(names))]))
    evaluator = evaluators.make("nasbench101", space=small, path=path, metric="valid_acc")
    assert list(evaluator.metrics) == ["valid_acc", "params", "macs"]
    assert (evaluator.num_distinct, evaluator.metrics["valid_acc"].split) == (40, "validation")
    known = np.isin(small.canonical(every), small.canonical(cells))
    np.testing.assert_array_equal(evaluator.covers(every), known)
    labels = evaluator(cells)
    np.testing.assert_allclose(labels["valid_acc"], 90 + np.arange(40) / 10)
    np.testing.assert_array_equal(labels["params"], small.costs()["params"].of(cells))


def test_without_a_table_costs_are_all(space, tmp_path):
    evaluator = evaluators.make("nasbench101", space=space)
    assert (evaluators.objective(evaluator), evaluator.num_distinct) == (None, 423_624)
    with pytest.raises(InputError, match=r"unknown metric of nasbench101 .*'accuracy'"):
        evaluators.make("nasbench101", space=space, metric="accuracy")
    with pytest.raises(InputError, match="name the column to search by"):
        evaluators.make("nasbench101", space=space, path=tmp_path / "cells.csv")
    with pytest.raises(InputError, match="not of 'nasbench201'"):
        evaluators.make("nasbench101", space=spaces.make("nasbench201"))


def test_costs_of_clean_cells_are_those_of_their_tokens(space):
    """What refining asks under jit is what reports say."""
    tokens = np.asarray(space.random(jax.random.key(0), 200))
    for cost in space.costs().values():
        np.testing.assert_allclose(jax.jit(cost.relaxed)(space.encode(tokens)), cost.of(tokens), rtol=1e-6)
