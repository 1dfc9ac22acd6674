import jax
import numpy as np

from nag_jax.guidance.refine import Tilt

KEY = jax.random.key(1)
N = 16


def value(x, args):
    return 2.0 * x[..., 3].sum(axis=-1) - x[:, 1, 2] * x[:, 4, 2]


TILT = Tilt(value)


def test_any_number_of_devices_refines_to_the_same_cells(make_sampler, params):
    one, eight = (make_sampler(devices=devices, tilt=TILT)(KEY, N, params).tokens for devices in (1, 8))
    np.testing.assert_array_equal(one, eight)


def test_any_size_of_chunks_refines_to_the_same_cells(make_sampler, params):
    sampler = make_sampler(tilt=TILT)
    whole = sampler(KEY, N, params).tokens
    for size in (4, 8):
        parts = [sampler.launch(KEY, size, params, start=start).tokens for start in range(0, N, size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
