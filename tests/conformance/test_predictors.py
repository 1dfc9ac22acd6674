"""The contract of a predictor, over every network of the registry, with its default options."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax import predictors as models
from nag_jax import spaces
from nag_jax.system.errors import InputError

B, M, K = 5, 3, 2


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench201")


@pytest.fixture(scope="module", params=sorted(models.REGISTRY))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def traced():
    """Grows with every trace of a predictor."""
    return []


@pytest.fixture(scope="module")
def predictor(space, name, traced):
    def condition(t):
        traced.append(t.shape)
        return t

    options = {"adjacency": space.adjacency, "num_classes": space.num_classes, "outputs": M, "members": K}
    return models.make(name, condition=condition, **options)


@pytest.fixture(scope="module")
def params(predictor):
    return jax.jit(predictor.init)(jax.random.key(0))


@pytest.fixture(scope="module")
def apply(predictor):
    """Values and the gradient of their sum in x, from one program."""

    def run(params, x, t):
        def total(x):
            values = predictor.apply(params, x, t)
            return values.sum(), values

        (_, values), gradient = jax.value_and_grad(total, has_aux=True)(x)
        return values, gradient

    return jax.jit(run)


@pytest.fixture(scope="module")
def x(space):
    """Soft architectures, as guidance asks for."""
    return 0.5 * space.encode(space.random(jax.random.key(1), B)) - 0.2


def test_it_is_a_pair_of_functions(predictor, name):
    assert isinstance(predictor, models.Predictor)
    assert list(inspect.signature(predictor.init).parameters) == ["key"]
    parameters = inspect.signature(predictor.apply).parameters
    assert list(parameters) == ["params", "x", "t", "context", "dropout_key"]
    assert parameters["context"].default is None
    assert parameters["dropout_key"].kind is inspect.Parameter.KEYWORD_ONLY
    assert models.REGISTRY[name].__doc__


def test_it_gives_one_finite_value_for_each_objective_and_member(apply, params, x):
    values, _ = apply(params, x, jnp.zeros(B))
    assert (values.shape, values.dtype) == ((B, M, K), jnp.float32)
    assert np.isfinite(values).all()
    for axis in (1, 2):
        assert (np.abs(np.diff(values, axis=axis)).max(axis=0) > 1e-4).all()


def test_parameters_are_floats_stacked_over_members(params):
    for leaf in jax.tree.leaves(params):
        assert leaf.dtype == jnp.float32
        assert leaf.shape[0] == K
        assert np.isfinite(leaf).all()


def test_it_traces_once_for_a_shape(apply, params, x, traced):
    apply(params, x, jnp.zeros(B))
    count = len(traced)
    assert count > 0
    apply(jax.tree.map(lambda leaf: leaf + 1.0, params), -x, jnp.ones(B))
    assert len(traced) == count
    assert set(traced) == {(B,)}


def test_it_is_deterministic_in_key_and_input(predictor, apply, params, x):
    again = jax.jit(predictor.init)(jax.random.key(0))
    jax.tree.map(np.testing.assert_array_equal, again, params)
    np.testing.assert_array_equal(apply(again, x, jnp.zeros(B))[0], apply(params, x, jnp.zeros(B))[0])


def test_samples_do_not_mix_so_a_sum_has_the_gradient_of_each(apply, params, x):
    values, gradient = apply(params, x, jnp.zeros(B))
    assert (gradient.shape, gradient.dtype) == (x.shape, jnp.float32)
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient).max(axis=(1, 2)) > 0).all()
    other, other_gradient = apply(params, x.at[1:].multiply(-0.5), jnp.zeros(B))
    np.testing.assert_allclose(other[0], values[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(other_gradient[0], gradient[0], rtol=1e-3, atol=1e-5)
    assert np.abs(other[1:] - values[1:]).max() > 1e-4


def test_architectures_differ_in_value(apply, params, x):
    assert (np.ptp(apply(params, x, jnp.zeros(B))[0], axis=0) > 1e-4).all()


def test_a_context_and_dropout_are_taken(space, name):
    options = {
        "adjacency": space.adjacency,
        "num_classes": space.num_classes,
        "outputs": M,
        "members": K,
        "dropout": 0.5,
    }
    with_context = models.make(name, context=jnp.zeros(4), **options)

    def run(key):
        inputs = jnp.zeros((B, *space.allowed.shape)), jnp.zeros(B), jnp.ones(4)
        return with_context.apply(with_context.init(key), *inputs, dropout_key=key)

    out = jax.eval_shape(run, jax.random.key(0))
    assert (out.shape, out.dtype) == ((B, M, K), jnp.float32)


def test_an_unknown_name_gets_the_names():
    with pytest.raises(InputError) as error:
        models.make("oracle", adjacency=np.eye(2, k=1), num_classes=3)
    assert (
        str(error.value)
        == f"unknown predictor 'oracle': use one of {sorted(models.REGISTRY)}, or FILE.py:NAME of your own"
    )


def test_an_unknown_option_gets_the_options(space, name):
    with pytest.raises(InputError, match="has no option") as error:
        models.make(name, adjacency=space.adjacency, num_classes=space.num_classes, widht=3)
    message = str(error.value)
    assert f"predictor {name!r} has no option ['widht']" in message
    fields = set(inspect.signature(models.REGISTRY[name]).parameters) - {"adjacency", "outputs", "parent", "name"}
    assert all(repr(field) in message.partition(": use ")[2] for field in fields)
    assert "parent" not in message
