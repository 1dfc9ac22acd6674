import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import predictors as models
from nag_jax.generators.gaussian import sde as sdes
from nag_jax.networks.directional_gcn import DirectionalGCN
from nag_jax.predictors.ensemble import ensemble, make_predictor
from nag_jax.system.errors import InputError

SHAPE = (8, 7)
TINY: dict[str, dict[str, Any]] = {
    "directional_gcn": {"width": 6, "num_layers": 2, "head_width": 5},
    "pooled_transformer": {"width": 8, "num_layers": 1, "num_heads": 2, "mlp_width": 6, "head_width": 5},
}
KEY = jax.random.key(0)


def some_x(batch, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal((batch, *SHAPE)), jnp.float32)


# The directional GCN


def dense_gcn(params, x, adjacency, *, num_layers, pooling, residual):
    """The network in dense matrices: x `[N, V]` to a value."""
    looped = adjacency + np.eye(len(adjacency))
    successors = looped / looped.sum(axis=1, keepdims=True)
    predecessors = looped.T / looped.T.sum(axis=1, keepdims=True)
    h = (x + 1.0) / 2.0
    for i in range(num_layers):
        forward, backward = (
            np.maximum(matrix @ (h @ weights["kernel"] + weights.get("bias", 0.0)), 0.0)
            for matrix, weights in ((successors, params[f"forward_{i}"]), (predecessors, params[f"backward_{i}"]))
        )
        h = 0.5 * (forward + backward) + (h if residual and i else 0.0)
    pooled = h.mean(axis=0) if pooling == "mean" else h.reshape(-1)
    hidden = pooled @ params["hidden"]["kernel"] + params["hidden"]["bias"]
    return hidden / (1.0 + np.exp(-hidden)) @ params["value"]["kernel"] + params["value"]["bias"]


@pytest.mark.parametrize(
    ("pooling", "residual", "bias"), [("mean", False, False), ("nodes", True, True), ("mean", True, True)]
)
def test_directional_gcn_in_dense_matrices(nb201, dag, random_params, pooling, residual, bias):
    options = {"num_layers": 3, "pooling": pooling, "residual": residual}
    predictor = make_predictor(DirectionalGCN(dag, width=5, head_width=4, bias=bias, **options), SHAPE)
    params = random_params(predictor.init, KEY)
    x = some_x(3)
    found = np.asarray(jax.jit(predictor.apply)(params, x, jnp.zeros(3)))[..., 0]
    expected = [dense_gcn(params["params"], one, nb201.adjacency, **options) for one in np.asarray(x)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert np.ptp(found) > 1e-2


def test_the_published_form(nb201, random_params):
    predictor = models.make(
        "directional_gcn",
        adjacency=nb201.adjacency,
        num_classes=7,
        condition=sdes.make("ve").sigma,
        width=144,
        num_layers=4,
        head_width=32,
        pooling="mean",
        bias=False,
        residual=False,
        noise_aware=True,
        dropout=0.1,
    )
    params = random_params(predictor.init, KEY)
    own = params["params"]
    messages = {name: tree for name, tree in own.items() if name.startswith(("forward", "backward"))}
    assert sum(leaf.size for leaf in jax.tree.leaves(messages)) == 126_432
    assert all(set(tree) == {"kernel"} for tree in messages.values())
    assert sum(leaf.size for leaf in jax.tree.leaves(own["time"])) == 144 * 576 + 576 + 576 * 144 + 144
    apply = jax.jit(predictor.apply)
    x, t = some_x(2), jnp.array([0.1, 0.1])
    value = np.asarray(apply(params, x, t))
    assert value.shape == (2, 1, 1)
    assert np.isfinite(value).all()
    assert (np.abs(apply(params, x, jnp.array([0.9, 0.1])) - value) > 1e-3).ravel().tolist() == [True, False]
    in_training = jax.jit(lambda key: predictor.apply(params, x, t, dropout_key=key))(KEY)
    assert np.abs(in_training - value).min() > 1e-3


def test_mean_pooling_forgets_where_a_node_is_without_a_graph(dag, random_params):
    empty = tuple((False,) * 8 for _ in range(8))
    x = some_x(1)
    exchanged = x[:, np.array([0, 1, 3, 2, 4, 5, 6, 7])]
    for adjacency, pooling, same in ((empty, "mean", True), (empty, "nodes", False), (dag, "mean", False)):
        network = DirectionalGCN(adjacency, width=6, num_layers=2, pooling=pooling)
        predictor = make_predictor(network, SHAPE)
        apply = jax.jit(functools.partial(predictor.apply, random_params(predictor.init, KEY)))
        assert (np.abs(apply(exchanged, jnp.zeros(1)) - apply(x, jnp.zeros(1))).max() < 1e-4) == same


# Both networks


@pytest.fixture(params=sorted(TINY))
def name(request):
    return request.param


@pytest.fixture
def tiny(nb201, name):
    """Makes the tiny predictor of that name, with more options."""
    return functools.partial(models.make, name, adjacency=nb201.adjacency, num_classes=7, **TINY[name])


def test_members_of_an_ensemble_are_single_predictors(dag, name, random_params):
    single = make_predictor(models.REGISTRY[name](dag, **TINY[name]), SHAPE)
    several = ensemble(single, 3)
    params = random_params(several.init, KEY)
    found = np.asarray(jax.jit(several.apply)(params, some_x(4), jnp.zeros(4)))
    assert found.shape == (4, 1, 3)
    apply = jax.jit(single.apply)
    for i in range(3):
        own = jax.tree.map(lambda leaf, i=i: leaf[i], params)
        np.testing.assert_allclose(found[..., i], apply(own, some_x(4), jnp.zeros(4))[..., 0], rtol=1e-4, atol=1e-5)
    assert np.ptp(found, axis=-1).min() > 1e-3
    # Without its being noise-aware, the noise level counts for nothing.
    np.testing.assert_array_equal(apply(own, some_x(4), jnp.ones(4)), apply(own, some_x(4), jnp.zeros(4)))


def test_members_start_apart(dag):
    several = ensemble(make_predictor(DirectionalGCN(dag, **TINY["directional_gcn"]), SHAPE), 3)
    for path, leaf in jax.tree_util.tree_leaves_with_path(jax.jit(several.init)(KEY)):
        assert leaf.shape[0] == 3
        if "kernel" in jax.tree_util.keystr(path):
            assert len(np.unique(leaf)) == leaf.size, path


def test_noise_level_and_context_count_and_dropout_is_for_training(tiny, random_params):
    predictor = tiny(members=2, noise_aware=True, condition=lambda t: 10.0 * t, context=jnp.zeros(3), dropout=0.5)
    params = random_params(predictor.init, KEY)
    params = jax.tree.map(lambda leaf: np.repeat(leaf[:1], 2, axis=0), params)  # equal members
    x, t, context = jnp.repeat(some_x(1), 6, axis=0), jnp.array([0.3] * 5 + [0.6]), jnp.ones(3)
    apply = jax.jit(predictor.apply)
    value = np.asarray(apply(params, x, t, context))
    np.testing.assert_allclose(value[:5], np.full((5, 1, 2), value[0, 0, 0]), rtol=1e-4)
    assert np.abs(value[5] - value[0]).min() > 1e-4
    assert np.abs(apply(params, x, t, -context) - value).min() > 1e-4
    narrow = jax.eval_shape(tiny(members=2).init, KEY)["params"]["hidden"]["kernel"].shape
    assert params["params"]["hidden"]["kernel"].shape == (2, narrow[1] + 3, narrow[2])
    in_training = jax.jit(lambda key: predictor.apply(params, x, t, context, dropout_key=key))
    noisy = np.asarray(in_training(KEY))
    assert len(np.unique(noisy[:5].round(4))) > 6  # masks of their own for samples and members
    assert np.abs(in_training(jax.random.key(1)) - noisy).max() > 1e-3


def test_the_condition_is_what_is_embedded(nb201, random_params):
    values = []
    for scale in (1.0, 10.0):
        predictor = models.make(
            "directional_gcn",
            adjacency=nb201.adjacency,
            num_classes=7,
            noise_aware=True,
            condition=lambda t, scale=scale: scale * t,
            **TINY["directional_gcn"],
        )
        params, t = random_params(predictor.init, KEY), jnp.array([3.0, 5.0]) / scale
        values.append(jax.jit(predictor.apply)(params, some_x(2), t))
    np.testing.assert_allclose(*values, rtol=1e-4, atol=1e-5)


# Errors


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gcn", {}, r"unknown predictor 'gcn': use one of \['directional_gcn', 'pooled_transformer'\]"),
        ("directional_gcn", {"depth": 3}, r"'directional_gcn' has no option \['depth'\]: use \[.*'num_layers'.*\]"),
        ("directional_gcn", {"parent": None}, r"has no option \['parent'\]"),
        ("directional_gcn", {"pooling": "max"}, r"unknown pooling 'max': use one of \('mean', 'nodes'\)"),
        ("pooled_transformer", {"attention": "none"}, r"unknown attention 'none': use one of \['all', 'relatives', "),
        ("pooled_transformer", {"width": 10, "num_heads": 4}, r"width 10 must be a multiple of num_heads 4"),
    ],
)
def test_errors(nb201, name, options, message):
    with pytest.raises(InputError, match=message):
        models.make(name, adjacency=nb201.adjacency, num_classes=7, **options)
