"""Files that PyTorch wrote, read without PyTorch and without trusting them.

Since PyTorch 1.6 `torch.save` writes a zip archive: `*/data.pkl` is a pickle in which every tensor is a call of a
rebuild function on a persistent reference to a storage, and `*/data/KEY` are the storages' raw bytes. Only tensors,
plain values and plain containers are read; see `packaged.RestrictedUnpickler`.
"""

import collections
import io
import math
import pickle
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from nag_jax.errors import InputError
from nag_jax.packaged import Function, RestrictedUnpickler

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


def read_torch_file(path: str | Path, *, ignored: Iterable[tuple[str, str]] = ()) -> Any:
    """What `torch.save` wrote, with tensors as arrays.

    Args:
        path: of the file.
        ignored: (module, name) of classes whose instances may be there; empty stand-ins take their places.

    Raises:
        InputError: the file is missing, damaged or of PyTorch's format before 1.6, or holds anything but tensors, plain
            values and plain containers.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no PyTorch file {path}: correct the path")
    try:
        with zipfile.ZipFile(path) as archive:
            (pickled,) = (name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl")
            folder = pickled.removesuffix("data.pkl")
            order = archive.read(f"{folder}byteorder") if f"{folder}byteorder" in archive.namelist() else b"little"
            read = _StorageReader(archive, folder, "<" if order.strip() == b"little" else ">")
            return _TorchUnpickler(io.BytesIO(archive.read(pickled)), read, ignored).load()
    except Exception as error:  # a damaged pickle may raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path} can't be read ({reason}): expected a file of tensors, numbers, strings, lists and dicts that "
            "torch.save of PyTorch 1.6 or later wrote"
        ) from error


class _StorageReader:
    """Reads each storage of an archive once."""

    def __init__(self, archive: zipfile.ZipFile, folder: str, order: str):
        self._archive, self._folder, self._order = archive, folder, order
        self._storages: dict[tuple[str, str], np.ndarray] = {}

    def __call__(self, key: str, dtype: str) -> np.ndarray:
        if (key, dtype) not in self._storages:
            content = self._archive.read(f"{self._folder}data/{key}")
            self._storages[key, dtype] = np.frombuffer(content, f"{self._order}{dtype}")
        return self._storages[key, dtype]


class _TorchUnpickler(RestrictedUnpickler):
    def __init__(self, file: io.BytesIO, read: Callable[[str, str], np.ndarray], ignored: Iterable[tuple[str, str]]):
        names: dict[tuple[str, str], Any] = {("torch", name): _StorageType(dtype) for name, dtype in _STORAGES.items()}
        names["torch._utils", "_rebuild_tensor_v2"] = Function(_rebuild)
        names["collections", "OrderedDict"] = Function(_ordered)
        names |= dict.fromkeys(ignored, _Ignored)
        super().__init__(file, names)
        self._read = read

    def persistent_load(self, pid):
        """The storage that a reference stands for."""
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage" or not isinstance(pid[1], _StorageType):
            raise pickle.UnpicklingError(f"it refers to {pid!r}, expected a storage of numbers")
        return self._read(str(pid[2]), pid[1].dtype)


class _StorageType:
    """Stands in for PyTorch's classes of storages."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: str):
        self.dtype = dtype

    def __setstate__(self, state):
        raise pickle.UnpicklingError("it alters a type, which no table needs")


class _Ignored:
    """Takes and forgets whatever a pickle gives the instance that it stands for."""

    __slots__ = ()

    def __new__(cls, *_, **__):
        return object.__new__(cls)

    def __setstate__(self, state):
        pass


def _ordered(*pairs) -> collections.OrderedDict:
    return collections.OrderedDict(*pairs)


def _rebuild(storage, offset, size, stride, *_) -> np.ndarray:
    """A tensor from its storage. The bounds are checked, since NumPy would read beyond the storage."""
    size, stride = tuple(map(int, size)), tuple(map(int, stride))
    if not isinstance(storage, np.ndarray) or len(size) != len(stride) or min((offset, *size, *stride), default=0) < 0:
        raise pickle.UnpicklingError("a tensor has an impossible shape")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if math.prod(size) and last >= len(storage):
        raise pickle.UnpicklingError(f"a tensor of the shape {list(size)} is larger than its storage")
    if not math.prod(size):
        return np.zeros(size, storage.dtype)
    view = np.lib.stride_tricks.as_strided(storage[offset:], size, [step * storage.itemsize for step in stride])
    return view.astype(storage.dtype.newbyteorder("="))  # a copy, of the machine's own byte order
