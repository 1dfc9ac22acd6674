import numpy as np
import pytest
import safetensors.numpy

from nag_jax.errors import InputError
from nag_jax.models.weights import check_weights, read_weights


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_both_formats_are_read(tmp_path, suffix):
    weights = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.count": np.array(3)}
    path = tmp_path / f"weights.{suffix}"
    if suffix == "npz":
        np.savez(path, **weights)
    else:
        safetensors.numpy.save_file(weights, path)
    found = read_weights(path)
    assert set(found) == set(weights)
    np.testing.assert_array_equal(found["a.weight"], weights["a.weight"])
    checked = check_weights(found, {"a.weight": (2, 3)}, path=path, network="a net", ignored=("count",))
    assert set(checked) == {"a.weight"}


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04}.", b"\xff" * 100])
def test_a_damaged_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name} can't be read as weights \(.*\): save it again"):
        read_weights(tmp_path / name)


def test_pickled_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "w.npz", a=np.array([{}], object))
    with pytest.raises(InputError, match=r"can't be read as weights .*allow_pickle"):
        read_weights(tmp_path / "w.npz")


@pytest.mark.parametrize("name", ["resnet18.pth", "model.pt", "model.bin", "model"])
def test_other_formats_get_the_command_that_converts(name):
    with pytest.raises(InputError, match=r"\.safetensors or \.npz file, found .*safetensors\.torch\.save_file"):
        read_weights(name)


def test_a_missing_file():
    with pytest.raises(InputError, match=r"there is no file of weights no/w\.npz: correct the path"):
        read_weights("no/w.npz")
