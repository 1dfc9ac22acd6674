"""Features of wiring, against walking the paths of NAS-Bench-Graph's architectures."""

import collections

import jax
import numpy as np
import pytest

from nag_jax.predictors import features
from nag_jax.spaces import NASBench201
from nag_jax.spaces.nasbench_graph import LINKS, OPERATIONS, NASBenchGraph
from nag_jax.system.errors import InputError

SPACE = NASBenchGraph()
CLASSES = OPERATIONS[:-1]


def paths(sources, operations):
    """Operations along each path from the input to the output, which reads what nobody else does."""

    def behind(i):
        before = [[]] if sources[i] == 0 else behind(sources[i] - 1)
        return [[*path, operations[i]] for path in before]

    return [path for i in range(4) if i + 1 not in sources for path in behind(i)]


@pytest.fixture(scope="module")
def architectures():
    tokens = np.asarray(SPACE.random(jax.random.key(0), 200))
    names = np.array(SPACE.class_names)[tokens[:, 1:]].tolist()
    walked = [(ops, paths(LINKS[row[0]].tolist(), ops)) for row, ops in zip(tokens, names, strict=True)]
    return tokens, walked


def test_profiles_count_operations_and_paths(architectures):
    tokens, walked = architectures
    found = np.asarray(features.make("profile", SPACE)(SPACE.encode(tokens)))
    for row, (operations, ways) in zip(found, walked, strict=True):
        lengths = collections.Counter(sum(op != "skip" for op in way) for way in ways)
        expected = [
            *(operations.count(c) for c in CLASSES),
            *(sum(way.count(c) for way in ways) for c in CLASSES),
            *(lengths[n] for n in range(5)),
        ]
        assert row.tolist() == expected


def test_links_pass_over_skips():
    tokens = SPACE.from_native(["0123|gcn|skip|gat|skip", "0012|gcn|fc|skip|fc"])
    chain, two = np.asarray(features.make("links", SPACE)(SPACE.encode(tokens)))
    pairs = {(a, b): len(CLASSES) * i + j for i, a in enumerate(CLASSES) for j, b in enumerate(CLASSES)}
    first = len(pairs) + np.arange(len(CLASSES))
    names = dict(zip(CLASSES, range(len(CLASSES)), strict=True))

    def shown(row):
        return {
            "reads": {pair: row[i] for pair, i in pairs.items() if row[i]},
            "first": {c: row[first[i]] for c, i in names.items() if row[first[i]]},
            "last": {c: row[first[i] + len(CLASSES)] for c, i in names.items() if row[first[i] + len(CLASSES)]},
            "direct": row[-1],
        }

    assert shown(chain) == {"reads": {("gat", "gcn"): 1}, "first": {"gcn": 1}, "last": {"gat": 1}, "direct": 0}
    assert shown(two) == {
        "reads": {("fc", "fc"): 1},
        "first": {"gcn": 1, "fc": 1},
        "last": {"gcn": 1, "fc": 1},
        "direct": 0,
    }


def test_architectures_of_one_class_have_the_same_features():
    """But for skips from the input to the output, which the benchmark's rule drops where others read the input."""
    tokens = SPACE.all_tokens()
    x = SPACE.encode(tokens)
    profile = np.delete(np.asarray(features.make("profile", SPACE)(x)), 2 * len(CLASSES), axis=1)
    found = np.concatenate([profile, np.asarray(features.make("links", SPACE)(x))[:, :-1]], axis=1)
    _, first, which = np.unique(SPACE.canonical(tokens), return_index=True, return_inverse=True)
    np.testing.assert_array_equal(found, found[first][which])


def test_spaces_with_one_dag_have_none():
    with pytest.raises(InputError, match="share one DAG"):
        features.make("profile", NASBench201())
    assert features.default(SPACE) == ("profile", "links")
