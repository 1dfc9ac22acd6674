import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from nag_jax.networks.layers import (
    ATTENTION,
    RELATIONS,
    Attention,
    Block,
    TimeEmbedding,
    dag_depths,
    dag_relations,
    position_table,
    sinusoid,
)

LETTERS = {"s": "self", "c": "child", "d": "descendant", "p": "parent", "a": "ancestor", "u": "unrelated"}
CHAIN = np.eye(4, k=1, dtype=bool)


def relations(*rows):
    return [[RELATIONS.index(LETTERS[letter]) for letter in row] for row in rows]


# The DAG


def test_relations_of_nasbench201(nb201):
    expected = relations("sccdcddd", "psucucdd", "pusuuucd", "apusuucd", "puuusuuc", "apuuusuc", "aappuusc", "aaaappps")
    assert dag_relations(nb201.adjacency).tolist() == expected


def test_relations_of_a_chain():
    assert dag_relations(CHAIN).tolist() == relations("scdd", "pscd", "apsc", "aaps")


def test_an_edge_counts_before_a_longer_path():
    triangle = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 0]])
    assert dag_relations(triangle).tolist() == relations("scc", "psc", "pps")


def test_nodes_without_edges_are_unrelated():
    assert dag_relations(np.zeros((3, 3))).tolist() == relations("suu", "usu", "uus")


def test_relations_leave_the_adjacency_alone(nb201):
    before = nb201.adjacency.copy()
    dag_relations(nb201.adjacency)
    np.testing.assert_array_equal(nb201.adjacency, before)


def test_depths(nb201):
    assert dag_depths(nb201.adjacency).T.tolist() == [[0, 1, 1, 2, 1, 2, 3, 4], [4, 3, 2, 2, 1, 1, 1, 0]]
    assert dag_depths(CHAIN).T.tolist() == [[0, 1, 2, 3], [3, 2, 1, 0]]
    assert dag_depths(np.zeros((3, 3))).tolist() == [[0, 0]] * 3


def test_the_patterns_are_nested_and_only_successors_leaves_out_the_node_itself():
    assert set(ATTENTION["successors"]) < set(ATTENTION["relatives"]) < set(ATTENTION["all"]) == set(RELATIONS)
    assert "self" not in ATTENTION["successors"]


# Features


def test_sinusoid():
    found = sinusoid(jnp.array([0.0, 0.1, 5.0, 400.0]), 10)
    for row, value in zip(np.asarray(found), (0.0, 0.1, 5.0, 400.0), strict=True):
        angles = [np.float32(value) * 10_000 ** (-k / 4) for k in range(5)]
        np.testing.assert_allclose(row, np.concatenate([np.sin(angles), np.cos(angles)]), atol=1e-4)


def test_position_table():
    table = np.asarray(position_table(8, 64))
    for position in (0, 1, 7):
        for k in (0, 1, 31):
            angle = position / 10_000 ** (2 * k / 64)
            assert table[position, 2 * k : 2 * k + 2] == pytest.approx([np.sin(angle), np.cos(angle)], abs=1e-5)


def test_time_embedding_is_two_layers_over_the_sinusoid(random_params):
    network = TimeEmbedding(width=6, hidden=5)
    levels = jnp.array([0.1, 0.7, 5.0])
    params = random_params(network.init, jax.random.key(0), levels)
    first, second = params["params"]["Dense_0"], params["params"]["Dense_1"]
    h = np.asarray(sinusoid(levels, 6)) @ first["kernel"] + first["bias"]
    expected = (h / (1.0 + np.exp(-h))) @ second["kernel"] + second["bias"]
    found = jax.jit(network.apply)(params, levels)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(found[0] - found[1]).max() > 1e-2


# Attention


def attend(params, h, mask, bias):
    """Multi-head attention in NumPy: h `[N, width]`, mask `[N, N]`, bias `[heads, N, N]` or 0; also its weights."""
    qkv, out = params["DenseGeneral_0"], params["Dense_0"]
    q, k, v = np.moveaxis(np.tensordot(h, qkv["kernel"], 1) + qkv["bias"], 1, 0)  # each [N, heads, d]
    logits = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(q.shape[-1]) + bias
    weights = softmax(np.where(mask, logits, -np.inf), axis=-1)
    mixed = np.einsum("hij,jhd->ihd", weights, v).reshape(h.shape)
    return mixed @ np.asarray(out["kernel"]) + out["bias"], v


@pytest.mark.parametrize("relation_bias", [False, True])
def test_attention_in_numpy(nb201, random_params, relation_bias):
    numbers = dag_relations(nb201.adjacency)
    visible = ATTENTION["relatives"]
    network = Attention(2, tuple(map(tuple, numbers.tolist())), visible, relation_bias, dropout=0.0)
    h = jnp.asarray(np.random.default_rng(1).standard_normal((3, 8, 6)), jnp.float32)
    params = random_params(network.init, jax.random.key(0), h, True)
    found = jax.jit(network.apply, static_argnums=2)(params, h, True)
    own = jax.tree.map(np.asarray, params["params"])
    mask = np.isin(numbers, [RELATIONS.index(name) for name in visible])
    assert ("relation_bias" in own) == relation_bias
    bias = own["relation_bias"][:, numbers] if relation_bias else 0.0
    for row, one in zip(np.asarray(found), np.asarray(h), strict=True):
        np.testing.assert_allclose(row, attend(own, one, mask, bias)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("relation_bias", [False, True])
def test_a_node_that_may_look_at_nobody_looks_at_all_alike(random_params, relation_bias):
    """The last node of a chain, which has no child: its output is that of the mean of all values."""
    network = Attention(2, tuple(map(tuple, dag_relations(CHAIN).tolist())), ("child",), relation_bias, dropout=0.0)
    h = jnp.asarray(np.random.default_rng(1).standard_normal((1, 4, 6)), jnp.float32)
    params = random_params(network.init, jax.random.key(0), h, True)
    own = jax.tree.map(np.asarray, params["params"])
    values = attend(own, np.asarray(h[0]), np.ones((4, 4), bool), 0.0)[1].reshape(4, 6)
    found = np.asarray(jax.jit(network.apply, static_argnums=2)(params, h, True))[0]
    expected = np.stack([*values[1:], values.mean(axis=0)]) @ own["Dense_0"]["kernel"] + own["Dense_0"]["bias"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_relation_bias_starts_without_effect(random_params):
    """It is zero at first; the rest of the parameters is the same as without it."""
    numbers = tuple(map(tuple, dag_relations(CHAIN).tolist()))
    h = jnp.asarray(np.random.default_rng(1).standard_normal((2, 4, 6)), jnp.float32)
    biased, plain = (Attention(2, numbers, RELATIONS, bias, dropout=0.0) for bias in (True, False))
    init = jax.jit(biased.init, static_argnums=2)(jax.random.key(0), h, True)["params"]
    np.testing.assert_array_equal(init["relation_bias"], np.zeros((2, len(RELATIONS))))
    params = random_params(plain.init, jax.random.key(0), h, True)["params"]
    found, expected = (
        biased.apply({"params": params | {"relation_bias": init["relation_bias"]}}, h, True),
        plain.apply({"params": params}, h, True),
    )
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-5, atol=1e-6)


def test_block_is_pre_norm_with_two_residuals(random_params):
    numbers = tuple(map(tuple, dag_relations(CHAIN).tolist()))
    block = Block(lambda: Attention(2, numbers, RELATIONS, False, 0.0, name="attention"), mlp_width=5, dropout=0.0)
    h = jnp.asarray(np.random.default_rng(1).standard_normal((1, 4, 6)), jnp.float32)
    params = random_params(block.init, jax.random.key(0), h, True)
    own = jax.tree.map(np.asarray, params["params"])

    def norm(h, name):
        normal = (h - h.mean(axis=-1, keepdims=True)) / np.sqrt(h.var(axis=-1, keepdims=True) + 1e-6)
        return normal * own[name]["scale"] + own[name]["bias"]

    def dense(h, name):
        return h @ own[name]["kernel"] + own[name]["bias"]

    middle = np.asarray(h[0]) + attend(own["attention"], norm(np.asarray(h[0]), "LayerNorm_0"), True, 0.0)[0]
    expected = middle + dense(np.maximum(dense(norm(middle, "LayerNorm_1"), "Dense_0"), 0.0), "Dense_1")
    np.testing.assert_allclose(block.apply(params, h, True)[0], expected, rtol=1e-4, atol=1e-4)
