"""Files that PyTorch wrote, read without PyTorch and without trusting them.

The formats are in PyTorch's documentation of `torch.save` and in the source of `torch/serialization.py`. Since 1.6 it
is a zip archive: `*/data.pkl` is a pickle in which every tensor is a call of a rebuild function on a persistent
reference to a storage, and `*/data/KEY` are the storages' raw bytes. Before, it was pickles and storages on end. Only
tensors, plain values and plain containers are read; see `packaged.RestrictedUnpickler`.
"""

import functools
import io
import math
import pickle
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np

from nag_jax.system.errors import InputError
from nag_jax.system.packaged import Function, RestrictedUnpickler

_STORAGES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_OLD_MAGIC, _OLD_VERSION = 0x1950A86A20F9469CFC6C, 1001
_OLD_HEAD = pickle.dumps(_OLD_MAGIC, 2)

LoadStorage = Callable[[str, str, int], np.ndarray]
"""(key, dtype, size) -> the numbers of a storage."""


def read_torch_file(path: str | Path, *, ignored: Iterable[tuple[str, str]] = ()) -> Any:
    """What `torch.save` wrote, with tensors as arrays, which share memory where the tensors did.

    Args:
        path: of the file.
        ignored: (module, name) of classes whose instances may be there; empty stand-ins take their places.

    Raises:
        InputError: the file is missing or damaged, or holds anything but tensors, plain values and plain containers.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no PyTorch file {path}: correct the path")
    try:
        with path.open("rb") as file:
            return _read_archive(file, ignored) if zipfile.is_zipfile(file) else _read_old(file, ignored)
    except Exception as error:  # a damaged pickle may raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path} can't be read ({reason}): expected a file of tensors, numbers, strings, lists and dicts that "
            "torch.save wrote"
        ) from error


def is_torch_file(path: str | Path) -> bool:
    """Whether the file begins as `torch.save` writes it."""
    with Path(path).open("rb") as file:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                return any(name.rpartition("/")[2] == "data.pkl" for name in archive.namelist())
        file.seek(0)
        return file.read(len(_OLD_HEAD)) == _OLD_HEAD


def _read_archive(file: IO[bytes], ignored: Iterable[tuple[str, str]]) -> Any:
    with zipfile.ZipFile(file) as archive:
        (pickled,) = (name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl")
        folder = pickled.removesuffix("data.pkl")
        named = f"{folder}byteorder" in archive.namelist()
        order = ">" if named and archive.read(f"{folder}byteorder").strip() == b"big" else "<"

        @functools.cache
        def load(key, dtype, _):
            return np.frombuffer(archive.read(f"{folder}data/{key}"), f"{order}{dtype}").astype(dtype)

        return _TorchUnpickler(io.BytesIO(archive.read(pickled)), load, ignored).load()


def _read_old(file: IO[bytes], ignored: Iterable[tuple[str, str]]) -> Any:
    """Magic number, version, system, the content, the keys of the storages; then the storages in that order."""
    storages: dict[str, np.ndarray] = {}

    def load(key, dtype, size):
        return storages.setdefault(key, np.zeros(size, dtype))

    def next_pickle():
        return _TorchUnpickler(file, load, ignored).load()

    file.seek(0)
    if next_pickle() != _OLD_MAGIC or next_pickle() != _OLD_VERSION:
        raise ValueError("it doesn't begin as one")
    order = "<" if next_pickle().get("little_endian", True) else ">"
    content = next_pickle()
    for key in next_pickle():
        storage = storages[key]
        size = int(np.frombuffer(file.read(8), f"{order}i8")[0])
        stored = np.frombuffer(file.read(size * storage.itemsize), storage.dtype.newbyteorder(order))
        storage[:] = stored  # tensors are views of it
    return content


class _TorchUnpickler(RestrictedUnpickler):
    def __init__(self, file: IO[bytes], load: LoadStorage, ignored: Iterable[tuple[str, str]]):
        names: dict[tuple[str, str], Any] = {("torch", name): _StorageType(dtype) for name, dtype in _STORAGES.items()}
        names["torch._utils", "_rebuild_tensor_v2"] = Function(_rebuild)
        names["torch._utils", "_rebuild_parameter"] = Function(lambda data, *_: data)
        names["collections", "OrderedDict"] = _Dictionary
        names |= dict.fromkeys(ignored, _Ignored)
        super().__init__(file, names)
        self._load = load

    def persistent_load(self, pid):
        """The storage that a reference stands for: `("storage", its type, key, device, size)`, older ones with None."""
        match pid:
            case ("storage", _StorageType() as kind, key, _, size, *view) if not any(view):
                return self._load(str(key), kind.dtype, int(size))
        raise pickle.UnpicklingError(f"it refers to {pid!r}, expected a storage of numbers")


class _StorageType:
    """Stands in for PyTorch's classes of storages."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: str):
        self.dtype = dtype

    def __setstate__(self, state):
        raise pickle.UnpicklingError("it alters a type, which no table needs")


class _Dictionary(dict):
    """Stands in for `OrderedDict`, which a pickle makes, fills and gives metadata that don't count."""

    def __setstate__(self, state):
        pass


class _Ignored:
    """Takes and forgets whatever a pickle gives the instance that it stands for."""

    __slots__ = ()

    def __new__(cls, *_, **__):
        return object.__new__(cls)

    def __setstate__(self, state):
        pass


def _rebuild(storage, offset, size, stride, *_) -> np.ndarray:
    """A tensor as a view of its storage. The bounds are checked, since NumPy would read beyond the storage."""
    size, stride = tuple(map(int, size)), tuple(map(int, stride))
    if not isinstance(storage, np.ndarray) or len(size) != len(stride) or min((offset, *size, *stride), default=0) < 0:
        raise pickle.UnpicklingError("a tensor has an impossible shape")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if math.prod(size) and last >= len(storage):
        raise pickle.UnpicklingError(f"a tensor of the shape {list(size)} is larger than its storage")
    if not math.prod(size):
        return np.zeros(size, storage.dtype)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, [step * storage.itemsize for step in stride])
