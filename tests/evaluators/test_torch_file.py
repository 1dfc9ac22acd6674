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

from nag_jax.errors import InputError
from nag_jax.evaluators.torch_file import read_arrays

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
    found = read_arrays(path)
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
    found = read_arrays(tmp_path / "w.npz")
    np.testing.assert_array_equal(found["layer.weight"], ARRAYS["layer.weight"])


def test_safetensors(tmp_path):
    header: dict[str, dict] = {"__metadata__": {"format": "pt"}}
    content = b""
    for name, array in ARRAYS.items():
        dtype = "F32" if array.dtype == np.float32 else "I64"
        offsets = [len(content), len(content) + array.nbytes]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": offsets}
        content += array.tobytes()
    text = json.dumps(header).encode()
    (tmp_path / "w.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + content)
    assert_read(tmp_path / "w.safetensors")


class Evil:
    def __reduce__(self):
        return print, ("code of the pickle runs",)


def test_no_code_of_a_pickle_runs(fake_torch, tmp_path, capsys):
    write_zip(tmp_path / "w.pth", pickled({"a": Evil()}), {})
    with pytest.raises(InputError, match=r"asks for .*print, which no table needs\): get an intact copy"):
        read_arrays(tmp_path / "w.pth")
    assert capsys.readouterr().out == ""


def test_tensors_stay_within_their_storages(fake_torch, tmp_path):
    for strides in ((30, 1), (-3, 1)):
        content = {"layer.weight": Tensor(fake_torch, "0", ARRAYS["layer.weight"], strides)}
        write_zip(tmp_path / "w.pth", pickled(content), ARRAYS)
        with pytest.raises(InputError, match="reaches beyond its storage"):
            read_arrays(tmp_path / "w.pth")


@pytest.mark.parametrize("content", [b"", b"not weights at all", pickle.dumps([1, 2])])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"w.pth can't be read as npz, safetensors or PyTorch weights"):
        read_arrays(tmp_path / "w.pth")
    with pytest.raises(InputError, match="expected a file of weights, found nothing"):
        read_arrays(tmp_path / "absent")
