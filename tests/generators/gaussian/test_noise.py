# pyright: reportArgumentType=false
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nag_jax.system import keys as noise
from nag_jax.system.errors import InputError
from nag_jax.system.seeds import MOST_SEED


def data(keys):
    return np.asarray(jax.random.key_data(keys))


def test_sample_keys_have_the_prefix_property_and_continue():
    keys = noise.sample_keys(jax.random.key(0), 10)
    np.testing.assert_array_equal(data(noise.sample_keys(jax.random.key(0), 4)), data(keys)[:4])
    np.testing.assert_array_equal(data(noise.sample_keys(jax.random.key(0), 6, start=4)), data(keys)[4:])
    assert len(np.unique(data(keys), axis=0)) == 10


def test_a_seed_is_a_whole_number_that_jax_tells_from_all_others():
    keys = [noise.stream_key(seed, "a") for seed in (0, 1, 2**31, MOST_SEED, np.int64(2))]
    assert len({data(key).tobytes() for key in keys}) == 5
    for seed in (-1, 2**32, 2**63, 1.5, 1.0, "1", None, 10**400):
        with pytest.raises(InputError, match=r"^seed must be a whole number from 0 to 4294967295, found '.{1,40}'$"):
            noise.stream_key(seed, "a")


def test_fold_in_takes_one_integer_or_one_a_sample():
    keys = noise.sample_keys(jax.random.key(0), 3)
    each = noise.fold_in(keys, jnp.array([5, 6, 7]))
    for i in range(3):
        np.testing.assert_array_equal(data(each[i]), data(jax.random.fold_in(keys[i], 5 + i)))
    np.testing.assert_array_equal(data(noise.fold_in(keys, 5))[0], data(each)[0])
    assert (data(noise.fold_in(keys, 5))[1] != data(each)[1]).any()


def test_draws_are_one_key_a_sample():
    keys = noise.sample_keys(jax.random.key(0), 400)
    normal, uniform = noise.normal(keys, (3, 4)), noise.uniform(keys, low=-1.0, high=3.0)
    assert normal.shape == (400, 3, 4)
    assert uniform.shape == (400,)
    assert normal.dtype == uniform.dtype == jnp.float32
    np.testing.assert_array_equal(noise.normal(keys[7:9], (3, 4)), normal[7:9])
    np.testing.assert_array_equal(noise.uniform(keys[7:9], low=-1.0, high=3.0), uniform[7:9])
    assert stats.kstest(np.asarray(normal, np.float64).ravel(), "norm").pvalue > 1e-3
    assert stats.kstest((np.asarray(uniform, np.float64) + 1.0) / 4.0, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(("values", "x", "expected"), [((5,), (5, 2, 3), (5, 1, 1)), ((), (5, 2), (1, 1))])
def test_expand(values, x, expected):
    assert noise.expand(jnp.ones(values), jnp.ones(x)).shape == expected
