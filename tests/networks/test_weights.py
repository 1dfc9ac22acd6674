import numpy as np
import pytest

from nag_jax.networks.weights import check_weights
from nag_jax.system.errors import InputError

SHAPES = {"a.weight": (2, 3)}
WEIGHTS = {"a.weight": np.arange(6.0).reshape(2, 3), "a.count": np.array(3)}


def check(weights):
    return check_weights(weights, SHAPES, path="w.npz", network="a net", ignored=("count",))


def test_weights_of_the_network():
    checked = check(WEIGHTS)
    assert set(checked) == set(SHAPES)
    assert checked["a.weight"].dtype == np.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": np.ones(2)}, "isn't weights of a net: found it with unknown b"),
        ({"a.weight": np.ones((3, 2))}, r"a\.weight must have the shape \[2, 3\] for a net, found \[3, 2\]"),
        ({"a.weight": np.full((2, 3), np.nan)}, r"a\.weight must hold finite floats"),
        ({"a.weight": np.ones((2, 3), int)}, r"a\.weight must hold finite floats"),
    ],
)
def test_others_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        check(WEIGHTS | change)


def test_a_missing_weight_is_named():
    with pytest.raises(InputError, match=r"found it without a\.weight"):
        check({})
