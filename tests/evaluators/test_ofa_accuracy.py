import numpy as np
import pytest

from nag_jax.evaluators.ofa_accuracy import read_predictor
from nag_jax.system.errors import InputError

GOOD = {"0.weight": np.ones((4, 128)), "0.bias": np.ones(4), "2.weight": np.ones((1, 4)), "base_acc": np.array(0.5)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_acc": np.ones(3)}, r"base_acc has the shape \[3\], expected one number"),
        ({"0.bias": np.full(4, np.nan)}, "'0.bias' holds numbers that aren't finite"),
        ({"0.bias": np.ones(4, int)}, "the bias of '0.weight'"),
        ({"0.weight": np.full((4, 128), "x")}, "not once-for-all's accuracy predictor"),
    ],
)
def test_other_weights_are_refused(tmp_path, changes, message):
    np.savez(tmp_path / "good.npz", **GOOD)
    assert [len(bias) for bias in read_predictor(tmp_path / "good.npz").biases] == [4, 1]
    np.savez(tmp_path / "bad.npz", **{**GOOD, **changes})
    with pytest.raises(InputError, match=message):
        read_predictor(tmp_path / "bad.npz")


def test_a_small_file_does_not_become_gigabytes(shared):
    if not (path := shared / "faults" / "ofa_blowup.pth").is_file():
        pytest.skip(f"needs {path}")
    with pytest.raises(InputError, match="can't be read"):
        read_predictor(path)
