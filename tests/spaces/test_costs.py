import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.spaces.costs import Cost, check_bands, reachable
from nag_jax.spaces.mobilenet_v3 import SKIP, MobileNetV3
from nag_jax.system.errors import InputError

LARGEST, SMALLEST = np.full((1, 20), 8), np.tile([0, 0, SKIP, SKIP], 5)[None]


@pytest.fixture(scope="module")
def space():
    return spaces.make("mobilenet_v3")


@pytest.fixture(scope="module")
def costs(space):
    return space.costs()


@pytest.fixture(scope="module")
def tokens(space):
    return np.asarray(jax.jit(space.random, static_argnums=1)(jax.random.key(0), 4_000))


def test_the_largest_and_the_smallest_network_have_the_published_parameters(costs):
    assert costs["params"].of(LARGEST).tolist() == [7_664_760]
    assert costs["params"].of(SMALLEST).tolist() == [3_410_792]


def test_macs_grow_with_the_resolution_alone(tokens):
    found = {r: MobileNetV3(resolution=r).costs() for r in (128, 160, 224)}
    assert (found[128]["macs"].of(tokens) < found[160]["macs"].of(tokens)).all()
    assert (found[160]["macs"].of(tokens) < found[224]["macs"].of(tokens)).all()
    np.testing.assert_array_equal(found[128]["params"].of(tokens), found[224]["params"].of(tokens))


def test_costs_are_sums_over_the_layers(space, costs, tokens):
    for name in costs:
        layers = [sum(costs[name].table[node, token] for node, token in enumerate(row)) for row in tokens[:20]]
        np.testing.assert_array_equal(costs[name].of(tokens[:20]), np.array(layers) + costs[name].constant)


def test_relaxed_costs_are_costs_at_the_corners_and_have_the_table_as_slope(space, costs, tokens):
    x = space.encode(tokens[:50])
    for cost in costs.values():
        np.testing.assert_allclose(jax.jit(cost.relaxed)(x), cost.of(tokens[:50]), rtol=1e-6)
        slope = jax.grad(lambda x, cost=cost: cost.relaxed(x).sum())(x)
        np.testing.assert_allclose(slope[0], cost.table / 2, rtol=1e-6)


def test_ranges_are_reached(space, costs):
    for cost in costs.values():
        assert reachable(space, cost) == pytest.approx((cost.of(SMALLEST)[0], cost.of(LARGEST)[0]))


def test_ranges_beside_other_costs_hold_what_random_draws_show(space, costs, tokens):
    macs, params = costs["macs"].of(tokens), costs["params"].of(tokens)
    found = reachable(space, costs["params"], [(costs["macs"], -np.inf, 220e6)])
    assert found is not None
    low, high = found
    chosen = params[macs <= 220e6]
    assert SMALLEST.size == 20
    assert costs["params"].of(SMALLEST)[0] == pytest.approx(low)
    assert chosen.max() < high < params.max() * 1.01
    assert reachable(space, costs["params"], [(costs["macs"], 600e6, np.inf)]) is None


def test_what_can_not_be_is_refused_with_the_range(space, costs):
    check_bands(space, costs, [("macs", 200e6, 220e6), ("params", -np.inf, 4e6)])
    with pytest.raises(
        InputError, match=r"no network .* macs >= 1e\+09: macs reaches from 1.21279e\+08 to 5.66171e\+08"
    ):
        check_bands(space, costs, [("macs", 1e9, np.inf)])
    with pytest.raises(InputError, match=r"params <= 4e\+06 besides macs >= 5e\+08: params reaches from .* there"):
        check_bands(space, costs, [("macs", 5e8, np.inf), ("params", -np.inf, 4e6)])


def test_no_gap_is_counted_as_cheap(space):
    """A stage whose third layer is skipped has no fourth, however cheap that would be."""
    table = np.zeros((20, 10))
    table[2, SKIP], table[3, :SKIP] = -1.0, -1.0
    assert reachable(space, Cost(0.0, table)) == pytest.approx((-1.0, 0.0))


def brute_force_moments(tokens, weights, values, nodes, classes):
    mean, variance = np.zeros((2, nodes, classes))
    for node in range(nodes):
        for c in range(classes):
            w = weights * (tokens[:, node] == c)
            if w.sum() > 0:
                w = w / w.sum()
                mean[node, c] = w @ values
                variance[node, c] = w @ (values - mean[node, c]) ** 2
    return mean, variance


def test_moments_given_a_class_are_those_of_a_stage_written_out(space):
    """Of one stage under random evidence, whose layers depend on each other through its depth; others cost nothing."""
    rng = np.random.default_rng(0)
    stages = [
        np.stack(np.meshgrid(*[np.arange(9)] * depth, indexing="ij"), -1).reshape(-1, depth) for depth in (2, 3, 4)
    ]
    tokens = np.concatenate([np.pad(s, ((0, 0), (0, 4 - s.shape[1])), constant_values=SKIP) for s in stages])
    table, evidence = np.zeros((2, 20, 10))
    table[4:8], evidence[4:8] = rng.standard_normal((2, 4, 10))
    weights = np.concatenate([np.full(len(stage), 1.0 / len(stage)) for stage in stages])
    weights *= np.exp(evidence[4:8][np.arange(4), tokens].sum(axis=1))
    expected = brute_force_moments(tokens, weights, table[4:8][np.arange(4), tokens].sum(axis=1), 4, 10)
    p = space.class_posterior(jnp.asarray(evidence, jnp.float32)[None])
    found = space.conditional_moments(p, table)
    allowed = space.allowed[4:8]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(one)[0, 4:8][allowed], other[allowed], atol=1e-4)
    whole = weights / weights.sum() @ table[4:8][np.arange(4), tokens].sum(axis=1)
    np.testing.assert_allclose(np.asarray(found[0])[0, :4, :9], whole, atol=1e-4)


def test_moments_of_independent_nodes_are_sums():
    space = spaces.make("nasbench201")
    table = np.random.default_rng(1).standard_normal((8, 7))
    every = space.all_tokens()
    values = table[np.arange(8), every].sum(axis=1)
    expected = brute_force_moments(every, np.ones(len(every)), values, 8, 7)
    found = space.conditional_moments(space.class_posterior(jnp.zeros((1, 8, 7))), table)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(one)[0][space.allowed], other[space.allowed], atol=1e-4)
