"""Files of weights. PyTorch's formats are written out here as `torch.save` would, which isn't installed."""

import collections
import io
import json
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest
import safetensors.numpy

from nag_jax.system.errors import InputError
from nag_jax.system.weights_file import read_weights

ARRAYS = {
    "layer.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "layer.bias": np.array([1.5, -2.5], np.float32),
    "steps": np.array(7, np.int64),
}
TYPES = {np.dtype(np.float32): "FloatStorage", np.dtype(np.int64): "LongStorage"}


@pytest.fixture
def fake_torch(monkeypatch):
    """Modules with the names that PyTorch's pickles look up."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in TYPES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def rebuild(*_):
        raise AssertionError("only its name is pickled")

    rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = "torch._utils", *["_rebuild_tensor_v2"] * 2
    utils._rebuild_tensor_v2 = rebuild  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


class Tensor:
    """Pickles as a tensor does."""

    def __init__(self, torch, key, array, strides=None):
        self._parts = torch, key, array, strides

    def __reduce__(self):
        torch, key, array, strides = self._parts
        storage = ("storage", getattr(torch, TYPES[array.dtype]), key, "cpu", array.size)
        strides = strides or tuple(stride // array.itemsize for stride in array.strides)
        arguments = (Persistent(storage), 0, array.shape, strides, False, collections.OrderedDict())
        return sys.modules["torch._utils"]._rebuild_tensor_v2, arguments


class Persistent:
    def __init__(self, pid):
        self.pid = pid


class Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, Persistent) else None


def pickled(obj):
    file = io.BytesIO()
    Pickler(file, protocol=2).dump(obj)
    return file.getvalue()


def tensors(torch, **options):
    return collections.OrderedDict(
        (name, Tensor(torch, str(i), array, **options)) for i, (name, array) in enumerate(ARRAYS.items())
    )


def write_zip(path, content, arrays):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for i, array in enumerate(arrays.values()):
            archive.writestr(f"archive/data/{i}", array.tobytes())


def assert_read(path):
    found = read_weights(path)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


@pytest.mark.parametrize("wrapped", [False, True])
def test_archives_of_current_pytorch(fake_torch, tmp_path, wrapped):
    content = tensors(fake_torch)
    write_zip(tmp_path / "w.pth", pickled({"epoch": 3, "state_dict": content} if wrapped else content), ARRAYS)
    assert_read(tmp_path / "w.pth")


def test_files_of_pytorch_before_1_6(fake_torch, tmp_path):
    parts = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    with (tmp_path / "w.pth").open("wb") as file:
        for part in parts:
            pickle.dump(part, file, protocol=2)
        file.write(pickled(tensors(fake_torch)))
        pickle.dump([str(i) for i in range(len(ARRAYS))], file, protocol=2)
        for array in ARRAYS.values():
            file.write(array.size.to_bytes(8, "little") + array.tobytes())
    assert_read(tmp_path / "w.pth")


def test_npz(tmp_path):
    np.savez(tmp_path / "w.npz", allow_pickle=False, **ARRAYS)
    found = read_weights(tmp_path / "w.npz")
    np.testing.assert_array_equal(found["layer.weight"], ARRAYS["layer.weight"])


def test_safetensors(tmp_path):
    safetensors.numpy.save_file(ARRAYS, tmp_path / "w.safetensors")
    found = read_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(found["layer.weight"], ARRAYS["layer.weight"])


def stored_tensor(kind, shape, content):
    """A safetensors file of one tensor, by the format's own description."""
    header = json.dumps({"w": {"dtype": kind, "shape": shape, "data_offsets": [0, len(content)]}}).encode()
    return len(header).to_bytes(8, "little") + header + content


def test_safetensors_of_bfloat16_become_float32(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(stored_tensor("BF16", [1, 3], np.array([0x3F80, 0xC020, 0x0001], "<u2").tobytes()))
    found = read_weights(path)["w"]
    assert found.dtype == np.float32
    assert found.tolist() == [[1.0, -2.5, 2.0**-133]]


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2"])
def test_safetensors_of_8_bits_are_refused_in_one_line(tmp_path, kind):
    (tmp_path / "w.safetensors").write_bytes(stored_tensor(kind, [2], b"ab"))
    with pytest.raises(InputError, match=rf"'w' holds numbers of {kind}, expected F64, F32, .*: widen them"):
        read_weights(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("kind", "dtype"), [("F64", "f8"), ("F16", "f2"), ("I64", "i8"), ("I8", "i1"), ("U32", "u4"), ("BOOL", "?")]
)
def test_other_types_of_safetensors(tmp_path, kind, dtype):
    array = np.array([[1, 0]], dtype)
    (tmp_path / "w.safetensors").write_bytes(stored_tensor(kind, [1, 2], array.tobytes()))
    np.testing.assert_array_equal(read_weights(tmp_path / "w.safetensors")["w"], array, strict=True)


def test_numpy_arrays_of_a_pytorch_file_are_weights(fake_torch, tmp_path):
    write_zip(tmp_path / "w.pth", pickled({"a": np.arange(3.0), "b": np.float32(2.0), "c": Evil()}), {})
    assert {name: value.tolist() for name, value in read_weights(tmp_path / "w.pth").items()} == {"a": [0, 1, 2]}


def test_tensors_of_other_kinds_are_refused_by_name(fake_torch, tmp_path):
    """PyTorch's own numbers of 8 bits, for one, would else be missing without a word."""
    pickled_tensor = b"ctorch._utils\n_rebuild_tensor_v3\n)R"
    write_zip(tmp_path / "w.pth", b"\x80\x02}X\x01\x00\x00\x00w" + pickled_tensor + b"s.", {})
    with pytest.raises(InputError, match=r"w\.pth: the tensor 'w' is sparse, or of a type of numbers that isn't read"):
        read_weights(tmp_path / "w.pth")


class Evil:
    def __reduce__(self):
        return print, ("code of the pickle runs",)


def test_no_code_of_a_pickle_runs(fake_torch, tmp_path, capsys):
    write_zip(tmp_path / "w.pth", pickled({"a": Evil()}), {})
    with pytest.raises(InputError, match=r"w\.pth holds no arrays by name"):
        read_weights(tmp_path / "w.pth")
    assert capsys.readouterr().out == ""


def test_tensors_stay_within_their_storages(fake_torch, tmp_path):
    for strides in ((30, 1), (-3, 1)):
        content = {"layer.weight": Tensor(fake_torch, "0", ARRAYS["layer.weight"], strides)}
        write_zip(tmp_path / "w.pth", pickled(content), ARRAYS)
        with pytest.raises(InputError, match=r"larger than its storage|impossible shape"):
            read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors", "w.pth", "w"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04}.", b"\xff" * 100, pickle.dumps([1, 2])])
def test_a_damaged_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name} can't be read as weights \(.*\): expected an intact safetensors"):
        read_weights(tmp_path / name)


def test_pickled_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "w.npz", a=np.array([{}], object))
    with pytest.raises(InputError, match=r"can't be read as weights \(an array of object"):
        read_weights(tmp_path / "w.npz")


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, {"state_dict": {"epoch": 3}}, [1.0], None])
def test_files_without_named_arrays(fake_torch, tmp_path, content):
    write_zip(tmp_path / "w.pth", pickled(content), {})
    with pytest.raises(InputError, match=r"w\.pth holds no arrays by name"):
        read_weights(tmp_path / "w.pth")


def test_a_missing_file():
    with pytest.raises(InputError, match=r"there is no file of weights no/w\.npz: correct the path"):
        read_weights("no/w.npz")
