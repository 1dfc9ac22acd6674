"""The contract of a data-set encoder, over every network of the registry, with its default options."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.networks import set_encoder
from nag_jax.system.errors import InputError

C, ITEMS, F = 4, 3, 10


@pytest.fixture(scope="module", params=sorted(set_encoder.ENCODERS))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def encoder(name):
    return set_encoder.make(name, (F,))


@pytest.fixture(scope="module")
def params(encoder):
    return jax.jit(encoder.init)(jax.random.key(0))


@pytest.fixture(scope="module")
def apply(encoder):
    return jax.jit(encoder.apply)


@pytest.fixture(scope="module")
def data():
    """Features and mask: the second class has one item, the others all three."""
    features = np.random.default_rng(0).standard_normal((C, ITEMS, F)).astype(np.float32)
    mask = np.ones((C, ITEMS), bool)
    mask[1, 1:] = False
    return features * mask[..., None], mask


def test_it_is_a_pair_of_functions(encoder, name):
    assert isinstance(encoder, set_encoder.Encoder)
    assert list(inspect.signature(encoder.init).parameters) == ["key"]
    assert list(inspect.signature(encoder.apply).parameters) == ["params", "features", "mask"]
    assert set_encoder.ENCODERS[name].__doc__


def test_it_gives_one_finite_vector_of_its_width(apply, params, data, name):
    found = apply(params, *data)
    assert (found.shape, found.dtype) == ((56,), jnp.float32)
    assert np.isfinite(found).all()
    assert np.ptp(found) > 1e-2
    narrow = set_encoder.make(name, (F,), width=8)
    assert jax.eval_shape(narrow.apply, jax.eval_shape(narrow.init, jax.random.key(0)), *data).shape == (8,)


def test_the_order_of_items_and_classes_does_not_count(apply, params, data):
    features, mask = data
    items, classes = np.array([2, 0, 1]), np.array([3, 1, 0, 2])
    moved = apply(params, features[classes][:, items], mask[classes][:, items])
    np.testing.assert_allclose(moved, apply(params, *data), rtol=1e-4, atol=1e-5)


def test_what_is_masked_does_not_count(apply, params, data, encoder):
    features, mask = data
    expected = apply(params, features, mask)
    filled = np.where(mask[..., None], features, np.float32(7.0))
    np.testing.assert_allclose(apply(params, filled, mask), expected, rtol=1e-4, atol=1e-5)
    padded = np.full((C + 2, ITEMS + 2, F), 5.0, np.float32)
    padded[:C, :ITEMS] = features
    wider = np.zeros((C + 2, ITEMS + 2), bool)
    wider[:C, :ITEMS] = mask
    np.testing.assert_allclose(jax.jit(encoder.apply)(params, padded, wider), expected, rtol=1e-4, atol=1e-5)


def test_what_is_not_masked_counts(apply, params, data):
    features, mask = data
    expected = np.asarray(apply(params, features, mask))
    for place in ((0, 0), (1, 0), (3, 2)):
        changed = features.copy()
        changed[place] += 1.0
        assert np.abs(apply(params, changed, mask) - expected).max() > 1e-3
        fewer = mask.copy()
        fewer[place] = False
        assert np.abs(apply(params, features, fewer) - expected).max() > 1e-3


def test_gradients_are_finite_where_classes_are_padded(encoder, params, data):
    features, mask = (np.concatenate([part, np.zeros_like(part[:1])]) for part in data)

    def total(params, features):
        return encoder.apply(params, features, mask).sum()

    to_params, to_features = jax.jit(jax.grad(total, argnums=(0, 1)))(params, features)
    for leaf in jax.tree.leaves(to_params):
        assert np.isfinite(leaf).all()
    assert np.isfinite(to_features).all()
    assert (np.abs(to_features).max(axis=2) > 0).tolist() == mask.tolist()


def test_it_maps_over_data_sets(encoder, params, apply, data):
    features, mask = data
    several = jnp.stack([features, 2.0 * features])
    found = jax.jit(jax.vmap(encoder.apply, (None, 0, None)))(params, several, mask)
    np.testing.assert_allclose(found[0], apply(params, features, mask), rtol=1e-4, atol=1e-5)
    assert np.abs(found[1] - found[0]).max() > 1e-3


def test_images_pass_a_network_that_is_learnt(name, data):
    encoder = set_encoder.make(name, (8, 8, 3), image_width=2)
    params = jax.jit(encoder.init)(jax.random.key(0))
    pixels = np.random.default_rng(0).standard_normal((C, ITEMS, 8, 8, 3)).astype(np.float32)
    gradient = jax.jit(jax.grad(lambda params: (encoder.apply(params, pixels, data[1]) ** 2).sum()))(params)
    assert np.abs(gradient["params"]["images"]["conv_0"]["kernel"]).max() > 0


def test_input_scale_is_a_scale_of_the_input(name, params, apply, data):
    scaled = jax.jit(set_encoder.make(name, (F,), input_scale=3.0).apply)
    found = scaled(params, data[0], data[1])
    np.testing.assert_allclose(found, apply(params, 3.0 * data[0], data[1]), rtol=1e-4, atol=1e-5)


def test_errors(name):
    with pytest.raises(InputError, match=r"unknown data-set encoder 'max': use one of \['mean', 'set_transformer'\]"):
        set_encoder.make("max", (F,))
    with pytest.raises(InputError, match=rf"encoder '{name}' has no option \['widht'\]: use \[.*'width'.*\]"):
        set_encoder.make(name, (F,), widht=3)
    with pytest.raises(InputError, match=r"must have the shape \[F\] or \[H, W, 3\], found \[2, 2\]"):
        set_encoder.make(name, (2, 2))
