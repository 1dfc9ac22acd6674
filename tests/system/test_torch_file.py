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
    for name in ("FloatStorage", "LongStorage", "BoolStorage", "BFloat16Storage", "QInt8Storage"):
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


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_code_of_a_pickle_is_not_run(tmp_path, write, protocol):
    trace = tmp_path / "ran"
    path = write({"acc": [1.0], "x": Call(os.mkdir, str(trace))}, protocol=protocol)
    found = read_torch_file(path)
    assert found["acc"] == [1.0]
    assert found["x"].name in ("posix.mkdir", "nt.mkdir")
    assert not trace.exists()
    with zipfile.ZipFile(path) as archive:
        pickle.loads(archive.read("archive/data.pkl"))
    assert trace.exists(), "the pickle must be one that an ordinary unpickler would have run"


def test_storages_and_tensors_of_other_kinds_stay_opaque(torch, write):
    content = {"w": tensor(torch, "Float", "0", (1,), (1,), count=1), "q": tensor(torch, "QInt8", "1", (1,), (1,))}
    found = read_torch_file(write(content, [np.ones(1, "f4"), np.zeros(1, "i1")]))
    assert found["w"].tolist() == [1.0]
    assert found["q"].name == "torch._utils._rebuild_tensor_v2"


def test_bfloat16_is_read_as_float32(torch, write):
    content = tensor(torch, "BFloat16", "0", (3,), (1,), count=3)
    found = read_torch_file(write(content, [np.array([0x3F80, 0xC020, 0x7F80], "<u2")]))
    assert found.dtype == np.float32
    assert found.tolist() == [1.0, -2.5, np.inf]


# What once read or wrote outside of a storage, or became gigabytes


def test_only_references_are_storages(torch, write):
    """A tensor taken for a storage: 24 bytes would give 84,636 words of the process's own memory."""
    inner = tensor(torch, "Float", "0", (100_000,), (0,))
    outer = Call(torch.rebuild, inner, 0, (100_000,), (1,), False, collections.OrderedDict())
    path = write(outer, [np.arange(6, dtype="<f4")])
    with pytest.raises(InputError, match="a tensor has an impossible shape"):
        read_torch_file(path)


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0.0, (3,), (1,)), ("0", (3,), (1,)), (0, (3.0,), (1,)), (0, ("3",), (1,)), (0, (True,), (1,)), (0, [3], [1])],
)
def test_shapes_are_exact_integers(torch, write, offset, size, stride):
    path = write(tensor(torch, "Float", "0", size, stride, offset), [np.arange(6, dtype="<f4")])
    with pytest.raises(InputError, match="a tensor has an impossible shape"):
        read_torch_file(path)


def test_arrays_are_never_written_by_a_pickle(torch, write):
    class Written(Call):
        def __reduce__(self):
            return (*self.call, None, None, iter([(0, 7.0)]))

    row = tensor(torch, "Float", "0", (3,), (1,))
    path = write(Written(*row.call[:1], *row.call[1]), [np.arange(6, dtype="<f4")])
    with pytest.raises(InputError, match="the pickle sets entries of what is no dict"):
        read_torch_file(path)
    found = read_torch_file(write([row, np.arange(3.0)], [np.arange(6, dtype="<f4")]))
    assert not any(array.flags.writeable for array in found)


def test_an_expanded_tensor_counts_with_all_its_numbers(torch, write):
    numbers = [np.arange(6, dtype="<f4")]
    assert read_torch_file(write(tensor(torch, "Float", "0", (1000, 3), (0, 1)), numbers)).sum() == 3000
    for size in ((10**6, 128), (10**30, 1), (0, 10**12)):
        with pytest.raises(InputError, match=r"it has \d+ bytes and would become more than the 268,"):
            read_torch_file(write(tensor(torch, "Float", "0", size, (0, 0)), numbers))


@pytest.mark.parametrize("count", [5, 7, 10**9])
def test_a_storage_has_the_size_that_is_said(torch, write, count):
    path = write(tensor(torch, "Float", "0", (3,), (1,), count=count), [np.arange(6, dtype="<f4")])
    with pytest.raises(InputError, match=r"has 6 numbers, and its tensors say|would become more"):
        read_torch_file(path)


def test_members_are_stored(torch, write):
    path = write(tensor(torch, "Float", "0", (3,), (1,)), [np.arange(6, dtype="<f4")])
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="a member of the archive is compressed, expected none"):
        read_torch_file(path)


def old_file(*parts, storages=(), end=b""):
    """A file of PyTorch before 1.6: pickles, and each storage after its size."""
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, *parts]
    pickles = [part if isinstance(part, bytes) else pickle.dumps(part, 2) for part in head]
    sizes = [len(storage).to_bytes(8, "little") + storage.tobytes() for storage in storages]
    return b"".join([*pickles, *sizes, end])


def old_tensor(torch, key, count, size, stride):
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, 2)
    pickler.persistent_id = lambda value: tuple(value) if isinstance(value, StorageReference) else None
    reference = StorageReference(("storage", torch.FloatStorage, key, "cpu", count, None))
    pickler.dump(Call(torch.rebuild, reference, 0, size, stride, False, collections.OrderedDict()))
    return buffer.getvalue()


def test_files_before_1_6(torch, tmp_path):
    path, numbers = tmp_path / "old.pt", np.arange(6, dtype="<f4")
    path.write_bytes(old_file(old_tensor(torch, "94", 6, (2, 3), (3, 1)), ["94"], storages=[numbers]))
    assert read_torch_file(path).tolist() == [[0, 1, 2], [3, 4, 5]]
    tensor_of_six = old_tensor(torch, "94", 6, (2, 3), (3, 1))
    for content, message in (
        (old_file(old_tensor(torch, "94", 10**9, (4,), (1,)), ["94"], storages=[numbers[:1]]), "would become more"),
        (old_file(tensor_of_six, ["94"], storages=[numbers[:5]]), "a storage has 5 numbers, and its tensors say 6"),
        (old_file(tensor_of_six, ["94"], storages=[numbers])[:-4], "a storage has 5 numbers"),
        (old_file(tensor_of_six, ["94"], storages=[numbers], end=b"more"), "goes on after its end"),
        (old_file(tensor_of_six, ["95"], storages=[numbers]), "other storages than its tensors refer to"),
        (old_file(tensor_of_six, [], storages=[]), "other storages than its tensors refer to"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_torch_file(path)


@pytest.mark.parametrize("name", ["oob_read", "legacy_broadcast", "legacy_silent", "memo_bomb"])
def test_the_faults_that_were_found(shared, name):
    if not (path := shared / "faults" / f"{name}.pth").is_file():
        pytest.skip(f"needs {path}")
    with pytest.raises(InputError, match="can't be read"):
        read_torch_file(path)


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


def test_objects_of_classes_stay_opaque(write, monkeypatch):
    module = types.ModuleType("graphs")
    module.__dict__["Graph"] = type("Graph", (), {"__module__": "graphs"})
    monkeypatch.setitem(sys.modules, "graphs", module)
    graph = module.__dict__["Graph"]()
    vars(graph)["name"] = "g"
    found = read_torch_file(write({"g": [graph, Call(type(graph))], "acc": [1.0]}))
    assert found["acc"] == [1.0]
    assert [one.name for one in found["g"]] == ["graphs.Graph"] * 2
    assert found["g"][0].state == {"name": "g"}


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
