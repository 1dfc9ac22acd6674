"""What every utility of the registry must keep to; a new entry is tested without touching this file."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nag_jax.objectives import utility as utilities
from nag_jax.system.errors import InputError

OPTIONS = {"weights": (0.5, 2.0, 1.0), "ideal": (3.0, 4.0, 5.0)}
"""What options without a default are given, for as many objectives as are used of them."""
VALUES = np.random.default_rng(0).standard_normal((4, 5, 3))


@pytest.fixture(params=sorted(utilities.REGISTRY))
def name(request):
    return request.param


@pytest.fixture
def count(name):
    """How many objectives it is tried with: three where it takes so many, and one otherwise."""
    try:
        make(name, 3)
    except InputError:
        return 1
    return 3


def make(name, count):
    options = inspect.signature(utilities.REGISTRY[name]).parameters.values()
    required = [option.name for option in options if option.default is option.empty]
    return utilities.make(name, count, **{option: OPTIONS[option][:count] for option in required})


def test_it_makes_one_number_of_the_last_axis(name, count):
    found = make(name, count)(VALUES[..., :count])
    assert (found.shape, found.dtype) == ((4, 5), np.float64)
    assert np.ptp(found) > 0


def test_numpy_and_jax_agree_and_jax_keeps_to_float32(name, count):
    utility, values = make(name, count), VALUES[..., :count].astype(np.float32)
    found = jax.jit(utility)(values)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, utility(values), rtol=1e-5, atol=1e-6)


def test_more_of_an_objective_is_never_worse_and_more_of_all_is_better(name, count):
    utility, values = make(name, count), VALUES[..., :count]
    for objective in range(count):
        assert (utility(values + np.eye(count)[objective]) >= utility(values) - 1e-12).all()
    assert (utility(values + 1.0) > utility(values)).all()


def test_it_has_a_gradient_of_each_by_itself(name, count):
    utility, values = make(name, count), jnp.asarray(VALUES[0, :, :count], jnp.float32)
    together = jax.grad(lambda values: utility(values).sum())(values)
    alone = jnp.stack([jax.grad(lambda row: utility(row[None])[0])(row) for row in values])
    np.testing.assert_allclose(together, alone, rtol=1e-6)
    assert (np.abs(together).max(axis=1) > 0).all()


def test_equal_options_make_the_same_one(name, count):
    assert make(name, count) is make(name, count)


def test_it_refuses_another_number_of_objectives(name, count):
    with pytest.raises(InputError, match=f"{count + 1}"):
        make(name, count)(np.zeros((2, count + 1)))


def test_it_refuses_an_unknown_option(name):
    with pytest.raises(InputError, match=f"utility '{name}' has no option"):
        utilities.make(name, 1, wieghts=(1.0,))
