"""What is read of the spaces' own numbers: exact, or refused."""

import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.spaces.mobilenet_v3 import MobileNetV3
from nag_jax.system.errors import InputError

FORM = {"ks": [3] * 20, "e": [4] * 20, "d": [2] * 5, "r": [160]}


@pytest.fixture(scope="module")
def mobilenet():
    return MobileNetV3(resolution=160)


def test_cells_are_not_rounded(nb201):
    for ops in (np.full((1, 6), 0.9), np.full((1, 6), 1.0), [["1"] * 6], [[1] * 6, [1]]):
        with pytest.raises(InputError, match="operations must"):
            nb201.from_ops(ops)
    for index in ([0.9], [1.0], ["1"], [2**64]):
        with pytest.raises(InputError, match="indices must"):
            nb201.from_index(index)
    assert nb201.from_index([]).shape == (0, 8)
    with pytest.raises(InputError, match="keys must be whole numbers"):
        spaces.NASBenchGraph().from_keys([40_012.5])


@pytest.mark.parametrize("width", [1.2, 0.8, "1", [1], True])
def test_networks_of_another_width_are_refused(mobilenet, width):
    with pytest.raises(InputError, match=r"row 0: 'wid' is .*, and the space has networks of width 1"):
        mobilenet.from_ofa([{**FORM, "wid": width}])


@pytest.mark.parametrize("width", [None, 1, 1.0])
def test_networks_of_width_1_are_read(mobilenet, width):
    assert mobilenet.from_ofa([{**FORM, "wid": width}]).tolist() == mobilenet.from_ofa([FORM]).tolist()


@pytest.mark.parametrize(
    "kernels", [[[3], [3, 5]], [3, [5]], [3.0] * 20, ["3"] * 20, [[3] * 20], {}, None, [True] * 20]
)
def test_ragged_kernels_are_refused(mobilenet, kernels):
    with pytest.raises(InputError, match="row 0: 'ks' must be 20 numbers"):
        mobilenet.from_ofa([{**FORM, "ks": kernels}])


def test_json_that_is_nested_too_deeply(mobilenet):
    with pytest.raises(InputError, match="nested too deeply"):
        mobilenet.from_native(['{"ks": ' + "[" * 100_000])
