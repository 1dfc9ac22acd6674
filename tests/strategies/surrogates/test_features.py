import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.predictors import features
from nag_jax.spaces import NASBench201
from nag_jax.spaces.mobilenet_v3 import MobileNetV3
from nag_jax.spaces.nasbench_graph import NASBenchGraph
from nag_jax.spaces.nats_size import NATSSize
from nag_jax.system.errors import InputError


@pytest.fixture(scope="module")
def space():
    return NASBench201()


def cell(space, *ops):
    return space.encode(space.from_ops(np.array([ops])))


def test_path_terms_of_nasbench201(space):
    terms = space.path_terms()
    assert len(terms.entries) == 4 + 2 * 4**2 + 4**3
    assert terms.num_words == 1 + 3 + 9 + 27
    assert set(terms.spellings[0]) <= {3, 4, 5, 6}


def test_counts_agree_with_walking_the_paths(space):
    tokens = np.asarray(space.random(jax.random.key(0), 50))
    terms, counts = space.path_terms(), np.asarray(features.make("path_counts", space)(space.encode(tokens)))
    for row, found in zip(space.to_ops(tokens), counts, strict=True):
        expected = np.zeros(terms.num_words)
        for path in ((3,), (0, 4), (1, 5), (0, 2, 5)):
            ops = [row[edge] for edge in path]
            if 0 not in ops:
                expected[terms.spellings.index(tuple(op + 2 for op in ops if op != 1))] += 1
        assert np.array_equal(found[: terms.num_words], expected)


def test_dead_edges_do_not_count(space):
    live = features.make("live_one_hot", space)
    np.testing.assert_array_equal(live(cell(space, 3, 0, 2, 3, 0, 0)), live(cell(space, 1, 0, 4, 3, 0, 0)))
    assert not np.array_equal(live(cell(space, 3, 0, 2, 3, 0, 0)), live(cell(space, 3, 0, 2, 2, 0, 0)))


def test_path_counts_ignore_where_a_skip_is(space):
    counts = features.make("path_counts", space)
    np.testing.assert_array_equal(counts(cell(space, 3, 0, 0, 0, 1, 0)), counts(cell(space, 1, 0, 0, 0, 3, 0)))


def test_pooling_lengthens_a_path_but_does_not_deepen_it(space):
    counts = features.make("path_depth_profile", space)
    classes, lengths = 3, 4
    found = {op: np.expm1(counts(cell(space, 3, 0, 0, 0, op, 0)))[0, classes:] for op in (2, 4)}
    for op, depth in ((2, 2), (4, 1)):
        np.testing.assert_allclose(found[op][:lengths], np.eye(4)[2], atol=1e-5)
        np.testing.assert_allclose(found[op][lengths:], np.eye(4)[depth], atol=1e-5)


@pytest.mark.parametrize("name", sorted(features.REGISTRY))
def test_differentiable_and_finite_for_relaxed_x(name, space):
    if name in ("links", "profile"):
        space = NASBenchGraph()
    elif name.startswith("attribute"):
        space = MobileNetV3()
    x = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (4, *space.allowed.shape)), jnp.float32)
    gradient = jax.grad(lambda x: (features.make(name, space)(x) ** 2).sum())(x)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


def test_spaces_without_listable_paths_have_one_hot_entries():
    class Chain(NASBench201):
        def path_terms(self):
            return None

    assert features.default(Chain()) == ("one_hot",)
    with pytest.raises(InputError, match="too many paths"):
        features.make("path_counts", Chain())
    with pytest.raises(InputError, match="unknown features"):
        features.make("two_hot", Chain())


def test_classes_that_share_an_attribute_are_alike():
    space = MobileNetV3()
    network = ["3-3"] * 2 + ["skip"] * 2 + ["3-3"] * 16
    ids = [[space.class_names.index(name) for name in [first, *network[1:]]] for first in ("3-3", "3-6", "7-6")]
    rows = features.make("attributes", space)(space.encode(np.array(ids)))
    squares = ((rows[:, None] - rows[None]) ** 2).sum(axis=-1)
    np.testing.assert_array_equal(squares, [[0, 2, 4], [2, 0, 2], [4, 2, 0]])


def test_near_values_of_attributes_are_alike():
    space = NATSSize()
    x = space.encode(space.from_native(["8:8:8:8:8", "8:8:16:8:8", "8:8:32:8:8"]))
    rows = np.asarray(features.make("attribute_values", space)(x))
    distances = np.abs(rows[1:] - rows[0])
    np.testing.assert_allclose(distances.sum(axis=0) > 0, np.eye(5)[2])
    np.testing.assert_allclose(distances[1, 2] / distances[0, 2], 3.0, rtol=1e-5)


def test_classes_are_counted_where_there_is_a_choice(space):
    found = features.make("class_counts", space)(space.encode(space.all_tokens()[:50]))
    np.testing.assert_array_equal(found.sum(axis=1), 6.0)


def test_attributes_are_summed_over_layers():
    space = MobileNetV3()
    tokens = np.asarray(space.random(jax.random.key(0), 20))
    found = features.make("attribute_totals", space)(space.encode(tokens))
    for row, totals in zip(tokens, found, strict=True):
        layers = [(kernel, expansion) for _, _, kernel, expansion in space.searched(row)]
        np.testing.assert_allclose(totals, np.sum(layers, axis=0) / [7, 6], rtol=1e-5)


def test_spaces_whose_classes_have_attributes_use_them(space):
    assert features.default(MobileNetV3()) == ("attribute_totals", "attributes")
    assert features.path_encoding(MobileNetV3()) == ("one_hot",)
    with pytest.raises(InputError, match="no attributes"):
        features.make("attributes", space)
