import collections
import io
import os
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest

from nag_jax.system.errors import InputError
from nag_jax.system.torch_file import is_torch_file, read_torch_file


class StorageReference(tuple):
    """What a persistent id stands for in the pickles below."""


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def torch(monkeypatch):
    """Stands in for PyTorch, so that a test may pickle by its names."""
    module, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage", "BoolStorage", "QInt8Storage"):
        setattr(module, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2(*arguments):
        raise AssertionError("must not be called")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils.__dict__["_rebuild_tensor_v2"] = module.__dict__["rebuild"] = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return module


@pytest.fixture
def write(tmp_path):
    """Writes an object and its storages as PyTorch's zip format; returns the path."""

    def run(content, storages=(), *, protocol=2, byteorder="little", folder="archive"):
        buffer = io.BytesIO()
        pickler = pickle.Pickler(buffer, protocol)
        pickler.persistent_id = lambda value: tuple(value) if isinstance(value, StorageReference) else None
        pickler.dump(content)
        path = tmp_path / "file.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{folder}/data.pkl", buffer.getvalue())
            archive.writestr(f"{folder}/byteorder", byteorder)
            archive.writestr(f"{folder}/version", "3\n")
            for i, storage in enumerate(storages):
                archive.writestr(f"{folder}/data/{i}", storage.tobytes())
        return path

    return run


def tensor(torch, kind, key, size, stride, offset=0, count=6):
    reference = StorageReference(("storage", getattr(torch, f"{kind}Storage"), key, "cpu", count))
    return Call(torch.rebuild, reference, offset, size, stride, False, collections.OrderedDict())


def test_tensors_and_containers(torch, write):
    floats, longs = np.arange(6, dtype="<f4"), np.array([7, 8], "<i8")
    content = {
        "matrix": tensor(torch, "Float", "0", (2, 3), (3, 1)),
        "transposed": tensor(torch, "Float", "0", (3, 2), (1, 3)),
        "row": tensor(torch, "Float", "0", (3,), (1,), offset=3),
        "scalar": tensor(torch, "Long", "1", (), (), offset=1, count=2),
        "empty": tensor(torch, "Float", "0", (0, 3), (3, 1)),
        "plain": [1, 2.5, "text", None, True, (3, [4])],
        "ordered": collections.OrderedDict(a=1, b=2),
    }
    found = read_torch_file(write(content, [floats, longs]))
    assert found["matrix"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["matrix"].dtype == np.float32
    assert found["transposed"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["row"].tolist() == [3, 4, 5]
    assert (found["scalar"].shape, found["scalar"].item()) == ((), 8)
    assert found["empty"].shape == (0, 3)
    assert found["plain"] == content["plain"]
    assert dict(found["ordered"]) == {"a": 1, "b": 2}


def test_the_other_byte_order(torch, write):
    content = tensor(torch, "Float", "0", (2,), (1,), count=2)
    found = read_torch_file(write(content, [np.array([1.5, -2.0], ">f4")], byteorder="big", folder="x"))
    assert found.tolist() == [1.5, -2.0]
    assert found.dtype.isnative


@pytest.mark.parametrize(
    ("size", "stride", "offset", "message"),
    [
        ((7,), (1,), 0, r"a tensor of the shape \[7\] is larger than its storage"),
        ((2, 3), (4, 1), 0, r"a tensor of the shape \[2, 3\] is larger"),
        ((3,), (1,), 4, "larger than its storage"),
        ((3,), (-1,), 2, "impossible shape"),
        ((-3,), (1,), 0, "impossible shape"),
        ((3,), (1,), -1, "impossible shape"),
        ((3,), (1, 1), 0, "impossible shape"),
    ],
)
def test_tensors_that_reach_beyond_their_storage(torch, write, size, stride, offset, message):
    path = write(tensor(torch, "Float", "0", size, stride, offset), [np.arange(6, dtype="<f4")])
    with pytest.raises(InputError, match=message):
        read_torch_file(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_runs_code_is_refused_unrun(tmp_path, write, protocol):
    trace = tmp_path / "ran"
    path = write({"acc": [1.0], "x": Call(os.mkdir, str(trace))}, protocol=protocol)
    with pytest.raises(InputError, match=r"file\.pt can't be read \(it asks for .*mkdir"):
        read_torch_file(path)
    assert not trace.exists()
    with zipfile.ZipFile(path) as archive:
        pickle.loads(archive.read("archive/data.pkl"))
    assert trace.exists(), "the pickle must be one that an ordinary unpickler would have run"


@pytest.mark.parametrize("function", [eval, getattr, pickle.loads, os.system, type, np.load])
def test_no_function_can_be_reached(write, function):
    with pytest.raises(InputError, match="which no table needs"):
        read_torch_file(write(function))


def test_pytorch_beyond_tensors_cannot_be_reached(torch, write):
    with pytest.raises(InputError, match=r"it asks for torch\.QInt8Storage"):
        read_torch_file(write(tensor(torch, "QInt8", "0", (1,), (1,)), [np.zeros(1, "i1")]))


@pytest.mark.parametrize("reference", [("storage", "FloatStorage", "0", "cpu", 6), ("module", 1), ("storage",), 7])
def test_other_references_are_refused(write, reference):
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return reference if obj == "here" else None

    buffer = io.BytesIO()
    Pickler(buffer, 2).dump(["here"])
    path = write(None)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", buffer.getvalue())
    with pytest.raises(InputError, match=r"it refers to .*, expected a storage of numbers"):
        read_torch_file(path)


@pytest.mark.parametrize(
    "name", ["torch\nFloatStorage", "torch._utils\n_rebuild_tensor_v2", "collections\nOrderedDict", "graphs\nGraph"]
)
def test_stand_ins_cannot_be_altered(write, name):
    path = write(None)
    state = pickle.dumps({"dtype": "O"}, 2)[2:-1]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02c" + name.encode() + b"\n" + state + b"b.")
    with pytest.raises(InputError, match=r"it alters a|missing 1 required positional argument"):
        read_torch_file(path, ignored=[("graphs", "Graph")])


def test_named_classes_are_left_out(write, monkeypatch):
    module = types.ModuleType("graphs")
    module.__dict__["Graph"] = type("Graph", (), {"__module__": "graphs"})
    monkeypatch.setitem(sys.modules, "graphs", module)
    graph = module.__dict__["Graph"]()
    vars(graph)["name"] = "g"
    path = write({"g": [graph, Call(type(graph))], "acc": [1.0]})
    found = read_torch_file(path, ignored=[("graphs", "Graph")])
    assert found["acc"] == [1.0]
    with pytest.raises(InputError, match=r"it asks for graphs\.Graph"):
        read_torch_file(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", b"text"])
def test_damaged_files(tmp_path, content):
    (tmp_path / "old.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"old\.pt can't be read .*that torch\.save wrote"):
        read_torch_file(tmp_path / "old.pt")
    with pytest.raises(InputError, match=r"there is no PyTorch file .*none\.pt"):
        read_torch_file(tmp_path / "none.pt")


@pytest.mark.slow
@pytest.mark.parametrize("zipped", [False, True])
def test_what_pytorch_itself_writes(tmp_path, zipped):
    torch = pytest.importorskip("torch")
    content = {
        "float": torch.arange(6.0).reshape(2, 3).T,
        "long": torch.arange(3),
        "half": torch.ones(2, dtype=torch.float16),
        "bool": torch.tensor([True, False]),
        "double": [torch.tensor(0.5, dtype=torch.float64)],
        "plain": ("text", 3),
    }
    torch.save(content, tmp_path / "file.pt", _use_new_zipfile_serialization=zipped)
    assert is_torch_file(tmp_path / "file.pt")
    found = read_torch_file(tmp_path / "file.pt")
    for name in ("float", "long", "half", "bool"):
        np.testing.assert_array_equal(found[name], content[name].numpy(), strict=True)
    assert found["double"][0] == 0.5
    assert found["plain"] == ("text", 3)
