"""Vision transformers: their costs against their networks, and the network of all against each one's own."""

import jax
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.guidance.constraints import Constraints, parse
from nag_jax.system.errors import InputError

SMALL = {"widths": (8, 12), "depths": (1, 2), "heads": (1, 2), "head_widths": (4, 6), "ratios": (1.0, 2.5)}
SIZES = {**SMALL, "patch": 2, "image_size": 4, "num_classes": 3}


@pytest.fixture(scope="module")
def space():
    return spaces.VisionTransformer(**SIZES)


@pytest.fixture(scope="module")
def every(space):
    return space.all_tokens()


def test_there_are_as_many_as_the_choices_of_layers_that_are_there_allow(space, every):
    of_a_layer = 4 * 2
    assert space.size == len(every) == 2 * (of_a_layer + of_a_layer**2)
    assert spaces.VisionTransformer().size == 3 * sum(4**depth for depth in (12, 13, 14))


def test_strings_name_the_choices(space):
    native = "width 12|layer x2|1 x 4|ratio 2.5|2 x 6|ratio 1"
    (tokens,) = space.from_native([native])
    assert space.to_native(tokens[None]) == [native]
    sizes = space.sizes(tokens)
    assert sizes.width == 12
    assert sizes.layers == ((1, 4, 30), (2, 6, 12))


@pytest.mark.parametrize("row", [0, 57, 143])
def test_costs_are_those_of_the_network(space, every, row, multiply_accumulates):
    blueprint, costs = space.blueprint(every[row]), space.costs()
    assert blueprint.num_params() == costs["params"].of(every[row : row + 1])[0]
    images = np.zeros((1, 4, 4, 3), np.float32)
    traced = jax.make_jaxpr(blueprint.network.apply)(blueprint.shapes(), images)
    positions = 4 * 4 * space.sizes(every[row]).width  # one-hot positions, which cost nothing
    assert multiply_accumulates(traced.jaxpr) - positions == costs["macs"].of(every[row : row + 1])[0]


@pytest.mark.parametrize("name", ["params", "macs"])
def test_moments_are_those_of_the_distribution(space, every, name):
    cost, rng = space.costs()[name], np.random.default_rng(0)
    evidence = rng.standard_normal((1, space.num_nodes, space.num_classes)).astype(np.float32)
    p = space.class_posterior(evidence)
    mean, variance = (np.asarray(part)[0] for part in cost.moments(space, p, 100.0))
    prior = np.exp([-2.0 * np.log(2) - np.log(8) * depth for depth in (1, 2)])
    depths = [len(space.sizes(row).layers) for row in every]
    weights = np.exp(evidence[0][np.arange(space.num_nodes), every].sum(axis=1)) * prior[np.array(depths) - 1]
    costs = cost.of(every) / 100.0
    for node in range(space.num_nodes):
        for token in np.nonzero(space.allowed[node])[0]:
            held = every[:, node] == token
            expected = np.average(costs[held], weights=weights[held])
            spread = np.average((costs[held] - expected) ** 2, weights=weights[held])
            assert mean[node, token] == pytest.approx(expected, rel=1e-4)
            assert variance[node, token] == pytest.approx(spread, rel=2e-3, abs=1e-3)


def test_relaxed_costs_are_the_costs_of_networks(space, every):
    for cost in space.costs().values():
        np.testing.assert_allclose(cost.relaxed(space.encode(every)), cost.of(every), rtol=1e-5)


def test_budgets_reach_as_far_as_the_networks(space, every):
    for cost in space.costs().values():
        found = cost.of(every)
        assert cost.reachable(space) == pytest.approx((found.min(), found.max()))
    costs = space.costs()
    narrow = costs["macs"].of(every) <= 3000
    lowest, highest = costs["params"].reachable(space, [(costs["macs"], -np.inf, 3000.0)])
    assert lowest == pytest.approx(costs["params"].of(every)[narrow].min())
    assert highest >= costs["params"].of(every)[narrow].max()
    with pytest.raises(InputError, match="reaches from"):
        Constraints(space, costs, parse("params <= 100"))


def test_the_network_of_all_is_that_of_each(space):
    tokens = space.from_native(["width 8|layer x1|1 x 4|ratio 2.5", "width 12|layer x2|1 x 6|ratio 1|2 x 4|ratio 2.5"])
    network = space.any_network(num_classes=3)
    images = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype(np.float32)
    init, apply = jax.jit(network.init), jax.jit(network.apply)
    for row in tokens:
        variables = init(jax.random.key(1), row, images)
        own, blueprint = network.specialise(variables, row), network.blueprint(row)
        assert jax.tree.map(np.shape, own["params"]) == jax.tree.map(np.shape, blueprint.shapes()["params"])
        found, statistics = apply(variables, row, images)
        assert statistics == {}
        expected = jax.jit(blueprint.network.apply)(own, images)
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_images_of_another_size_are_refused(space):
    network = space.any_network(num_classes=3)
    with pytest.raises(InputError, match=r"^examples are 6 x 4 pixels, and the space vit is made for 4 x 4"):
        jax.eval_shape(network.init, jax.random.key(0), space.all_tokens()[0], np.zeros((1, 6, 4, 3), np.float32))


def test_another_number_of_classes_is_refused(space):
    with pytest.raises(InputError, match=r"^the examples have 4 classes, and the space vit is made for 3"):
        space.any_network(num_classes=4)


def test_series_have_patches_one_pixel_wide():
    space = spaces.VisionTransformer(**SMALL, patch=5, image_size=40, image_width=1, num_classes=10)
    assert (space.patches.size, space.patches.tokens) == ((5, 1), 8)
    row = space.all_tokens()[0]
    assert space.blueprint(row).num_params() == space.costs()["params"].of(row[None])[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"widths": ()}, "widths of vit must be sizes above 0 that differ"),
        ({"depths": (2, 2)}, "depths of vit must be sizes above 0 that differ"),
        ({"heads": (0, 1)}, "heads of vit must be sizes above 0"),
        ({"head_widths": (1.5,)}, "head_widths of vit must be"),
        ({"ratios": (-1.0,)}, "ratios of vit must be"),
        ({"patch": 3}, "images of vit, 4 x 4 pixels, must be made of patches of 3 x 3"),
        ({"patch": 0}, "images of vit"),
        ({"num_classes": 0}, "images of vit"),
    ],
)
def test_sizes_that_make_no_space_are_refused(change, words):
    with pytest.raises(InputError, match=f"^{words}"):
        spaces.VisionTransformer(**{**SIZES, **change})
