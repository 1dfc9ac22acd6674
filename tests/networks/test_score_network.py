import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.networks.layers import dag_depths, position_table
from nag_jax.networks.score_network import GraphTransformer
from nag_jax.system.errors import InputError

PUBLISHED: dict[str, Any] = {
    "width": 64,
    "num_blocks": 12,
    "num_heads": 8,
    "mlp_width": 128,
    "attention": "successors",
    "relation_bias": False,
    "position": "sinusoid",
    "head": "concat",
    "dropout": 0.1,
}
TINY: dict[str, Any] = {"width": 8, "num_blocks": 1, "num_heads": 2, "mlp_width": 8}
ONE = jnp.ones(1)


def some_x(batch, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal((batch, 8, 7)), jnp.float32)


@pytest.fixture(scope="module")
def tiny(dag, random_params):
    """(jitted apply, random parameters) for options beyond `TINY`."""

    def make(**options):
        network = GraphTransformer(dag, 7, **(TINY | options))
        return jax.jit(network.apply), random_params(network.init, jax.random.key(0), some_x(1), ONE)

    return make


def test_the_published_options_have_the_published_parameters(dag):
    network = GraphTransformer(dag, 7, **PUBLISHED)
    params = jax.eval_shape(network.init, jax.random.key(0), some_x(2), jnp.ones(2))["params"]

    def count(pattern):
        chosen = [tree for name, tree in params.items() if re.fullmatch(pattern, name)]
        return sum(leaf.size for leaf in jax.tree.leaves(chosen))

    assert count("embed") == 512
    assert count("time") == 33_088
    assert count(r"(block|norm)_\d+") == 403_200
    assert count("head.*") == 3_552_775
    assert count(".*") == 3_989_575
    output = jax.eval_shape(network.apply, {"params": params}, some_x(2), jnp.ones(2))
    assert (output.shape, output.dtype) == ((2, 8, 7), jnp.float32)


def test_bfloat16_computes_nearly_the_same(tiny):
    exact, params = tiny()
    rough, _ = tiny(dtype="bfloat16")
    x, condition = some_x(16), jnp.linspace(0.1, 5.0, 16)
    output, rounded = exact(params, x, condition), rough(params, x, condition)
    assert rounded.dtype == jnp.float32
    error = jnp.abs(output - rounded).max() / output.std()
    assert 1e-4 < error < 0.1
    jaxpr = str(jax.make_jaxpr(rough)(params, x, condition))
    products = re.findall(r"(\w+)\[[\d,]+\] = dot_general", jaxpr)
    assert products.count("f32") <= 2  # the relations' bias and the head
    assert products.count("bf16") >= 7


# Whom a node sees


def reaches(apply, params):
    """Bool `[N, N]`: whether a change of node j's input changes node i's output, exactly."""
    base = some_x(1)
    x = jnp.concatenate([base, *(base.at[0, j].add(0.5) for j in range(8))])
    out = np.asarray(apply(params, x, jnp.ones(9)))
    return (out[1:] != out[:1]).any(axis=-1).T


def test_successors_alone_reach_a_node_in_one_block(nb201, tiny):
    found = reaches(*tiny(attention="successors", head="concat", position="sinusoid", relation_bias=False))
    expected = np.eye(8, dtype=bool) | nb201.adjacency
    expected[7] = True  # the output has no successor, so it looks at all
    np.testing.assert_array_equal(found, expected)


def test_relatives_reach_a_node_in_one_block(nb201, tiny):
    adjacency = nb201.adjacency.astype(int)
    descent = np.sum([np.linalg.matrix_power(adjacency, k) for k in range(1, 8)], axis=0) > 0
    found = reaches(*tiny(attention="relatives"))
    np.testing.assert_array_equal(found, np.eye(8, dtype=bool) | descent | descent.T)
    assert not found.all()


def test_all_reach_a_node_in_one_block(tiny):
    assert reaches(*tiny(attention="all")).all()


def test_two_blocks_reach_twice_as_far(nb201, tiny):
    one = np.eye(8, dtype=bool) | nb201.adjacency
    one[7] = True
    found = reaches(*tiny(attention="successors", num_blocks=2))
    np.testing.assert_array_equal(found, (one.astype(int) @ one) > 0)


def test_samples_do_not_mix_and_the_noise_level_counts(tiny):
    apply, params = tiny()
    x, levels = some_x(3), jnp.array([0.1, 0.1, 5.0])
    whole = apply(params, x, levels)
    other = apply(params, some_x(3, seed=1).at[1].set(x[1]), levels)
    np.testing.assert_allclose(other[1], whole[1], rtol=1e-4, atol=1e-5)
    assert np.abs(other[0] - whole[0]).max() > 1e-2
    assert np.abs(apply(params, x, levels[::-1])[0] - whole[0]).max() > 1e-2


# Heads


def test_the_linear_head_starts_at_zero(dag):
    network = GraphTransformer(dag, 7, **TINY)
    init = jax.jit(lambda key: network.init(key, some_x(1), ONE)["params"]["head"])
    jax.tree.map(lambda leaf: np.testing.assert_array_equal(leaf, np.zeros(leaf.shape)), init(jax.random.key(0)))


def test_the_concat_head_does_not_and_sees_every_block(tiny):
    apply, params = tiny(num_blocks=2, head="concat")
    assert params["params"]["head_0"]["kernel"].shape == (16, 32)
    before = apply(params, some_x(1), ONE)
    for name in ("norm_0", "norm_1"):
        without = {"params": params["params"] | {name: jax.tree.map(np.zeros_like, params["params"][name])}}
        assert np.abs(apply(without, some_x(1), ONE) - before).max() > 1e-3


# Positions


def test_positions_are_one_table_added_to_the_nodes(nb201, tiny):
    """So networks of both kinds agree where their tables do."""
    apply, params = tiny(position="dag")
    own = params["params"]
    depths = dag_depths(nb201.adjacency)

    def with_table(table):
        nothing = np.zeros((8, 8), np.float32)
        return {"params": own | {"node": table, "depth": nothing, "height": nothing}}

    table = own["node"] + own["depth"][depths[:, 0]] + own["height"][depths[:, 1]]
    found = apply(params, some_x(2), jnp.ones(2))
    np.testing.assert_allclose(apply(with_table(table), some_x(2), jnp.ones(2)), found, rtol=1e-4, atol=1e-5)
    sinusoid, fixed = tiny(position="sinusoid")
    assert set(own) - set(fixed["params"]) == {"node", "depth", "height"}
    fixed = {"params": {name: own[name] for name in fixed["params"]}}
    expected = apply(with_table(np.asarray(position_table(8, 8))), some_x(2), jnp.ones(2))
    np.testing.assert_allclose(sinusoid(fixed, some_x(2), jnp.ones(2)), expected, rtol=1e-4, atol=1e-5)
    assert np.abs(expected - found).max() > 1e-2


# Dropout


def test_dropout_is_for_training_only(dag, tiny):
    x, level = some_x(2), jnp.ones(2)
    plain, params = tiny(dropout=0.0)
    np.testing.assert_array_equal(tiny(dropout=0.5)[0](params, x, level), plain(params, x, level))

    def train(rate):
        network = GraphTransformer(dag, 7, **TINY, dropout=rate)
        return jax.jit(lambda key: network.apply(params, x, level, deterministic=False, rngs={"dropout": key}))

    half = train(0.5)
    assert np.abs(half(jax.random.key(0)) - half(jax.random.key(1))).max() > 1e-2
    np.testing.assert_array_equal(half(jax.random.key(0)), half(jax.random.key(0)))
    np.testing.assert_allclose(train(0.0)(jax.random.key(0)), plain(params, x, level), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention": "everyone"}, r"unknown attention 'everyone': use one of \['all', 'relatives', 'successors'\]"),
        ({"position": "sine"}, r"unknown position 'sine': use one of \['dag', 'sinusoid'\]"),
        ({"head": "mlp"}, r"unknown head 'mlp': use one of \['concat', 'linear'\]"),
        ({"dtype": "float16"}, r"unknown dtype 'float16': use one of \['bfloat16', 'float32'\]"),
        ({"width": 12, "num_heads": 4}, r"width 12 must be a multiple of twice num_heads 4"),
    ],
)
def test_errors(dag, options, message):
    with pytest.raises(InputError, match=message):
        GraphTransformer(dag, 7, **(TINY | options))
