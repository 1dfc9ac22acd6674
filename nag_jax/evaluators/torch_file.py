"""Arrays from files of weights: npz, safetensors, and PyTorch's own, read without PyTorch and without trusting pickles.

PyTorch's formats are in its documentation of `torch.save` and in the source of `torch/serialization.py`: since 1.6 a
ZIP archive of `data.pkl` and one raw file a storage, before that pickles and storages on end.
"""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from nag_jax.errors import InputError
from nag_jax.packaged import Function, RestrictedUnpickler

_DTYPES = {
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
_SAFETENSORS = {"F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1", "U8": "u1"}
_LEGACY_MAGIC, _LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_WRAPPER = "state_dict"
"""Under which name checkpoints keep the weights where they keep more beside them."""


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Reads named arrays from an npz, safetensors or PyTorch file, whichever its content is.

    Of a PyTorch file, the arrays of its dictionary, or of the dictionary under `state_dict` in it; what else the file
    holds beside arrays is left out.

    Raises:
        InputError: the file is missing, of none of the formats or damaged, or its pickle asks for more than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: expected a file of weights, found {'a folder' if path.exists() else 'nothing'}")
    try:
        with path.open("rb") as file:
            found = _read(file)
        if isinstance(found.get(_WRAPPER), dict):
            found = found[_WRAPPER]
        arrays = {str(name): value for name, value in found.items() if isinstance(value, np.ndarray)}
        if not arrays:
            raise ValueError("it holds no arrays by name")
    except Exception as error:  # a damaged pickle or archive may raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path} can't be read as npz, safetensors or PyTorch weights ({reason}): get an intact copy of it"
        ) from error
    return arrays


def _read(file: IO[bytes]) -> dict[str, Any]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            pickles = [name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"]
            return _read_zip(archive, pickles[0]) if pickles else _read_npz(file)
    file.seek(0)
    head = file.read(9)
    file.seek(0)
    return _read_safetensors(file) if head[8:] == b"{" else _read_legacy(file)


def _read_npz(file: IO[bytes]) -> dict[str, Any]:
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _read_zip(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    folder = name.removesuffix("data.pkl")
    order = archive.read(f"{folder}byteorder").decode() if f"{folder}byteorder" in archive.namelist() else "little"

    def load(dtype, key, size):
        values = np.frombuffer(archive.read(f"{folder}data/{key}"), f"{'>' if order == 'big' else '<'}{dtype}")
        return _Storage(values[:size].astype(dtype))

    return _Unpickler(io.BytesIO(archive.read(name)), load).load_dictionary()


def _read_legacy(file: IO[bytes]) -> dict[str, Any]:
    """Magic number, version, system, the dictionary, the keys of the storages; then the storages in that order."""
    storages: dict[str, _Storage] = {}
    dtypes: dict[str, str] = {}

    def load(dtype, key, size):
        dtypes[key] = dtype
        return storages.setdefault(key, _Storage(np.zeros(size, dtype)))

    def next_pickle():
        return _Unpickler(file, load).load()

    if next_pickle() != _LEGACY_MAGIC or next_pickle() != _LEGACY_PROTOCOL:
        raise ValueError("it doesn't begin as any of them")
    order = "<" if next_pickle().get("little_endian", True) else ">"
    found = _Unpickler(file, load).load_dictionary()
    for key in next_pickle():
        size = int(np.frombuffer(file.read(8), f"{order}i8")[0])
        content = file.read(size * np.dtype(dtypes[key]).itemsize)
        storages[key].values[:] = np.frombuffer(content, f"{order}{dtypes[key]}")  # tensors are views of it
    return found


class _Storage(NamedTuple):
    values: np.ndarray


class _Unpickler(RestrictedUnpickler):
    """Of dictionaries of tensors. `load_storage`: (dtype, key, size) -> storage."""

    def __init__(self, file: IO[bytes], load_storage: Callable[[str, str, int], _Storage]):
        names: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): _Dictionary,
            ("torch._utils", "_rebuild_tensor_v2"): Function(_rebuild_tensor),
            ("torch._utils", "_rebuild_parameter"): Function(lambda data, *_: data),
        }
        for storage, dtype in _DTYPES.items():
            names["torch", storage] = _StorageType(dtype)
        super().__init__(file, names)
        self._load_storage = load_storage

    def persistent_load(self, pid: Any) -> _Storage:
        """The storage of ("storage", its type, key, device, size, ...)."""
        kind, storage_type, key, _, size = pid[:5]
        if kind != "storage" or not isinstance(storage_type, _StorageType):
            raise pickle.UnpicklingError(f"it refers to {kind!r}, expected storages of plain numbers")
        return self._load_storage(storage_type.dtype, str(key), int(size))

    def load_dictionary(self) -> dict[str, Any]:
        """The pickled dictionary."""
        found = self.load()
        if not isinstance(found, dict):
            raise ValueError("it holds no dictionary")
        return found


class _Dictionary(dict):
    """Stands in for `OrderedDict`, which a pickle makes, fills and gives metadata that don't count."""

    def __setstate__(self, state):
        pass


class _StorageType:
    """Stands in for a class of storages, which a pickle only names."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: str):
        self.dtype = dtype

    def __setstate__(self, state):
        raise pickle.UnpicklingError("it alters a storage type, which no weights need")


def _rebuild_tensor(storage: _Storage, offset: int, shape: tuple, strides: tuple, *_) -> np.ndarray:
    """A view of the storage, checked to lie within it."""
    shape, strides = tuple(map(int, shape)), tuple(map(int, strides))
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if min((offset, *shape, *strides)) < 0 or (0 not in shape and last >= len(storage.values)):
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    itemsize = storage.values.itemsize
    start = storage.values[offset:]
    return np.lib.stride_tricks.as_strided(start, shape, [stride * itemsize for stride in strides])


def _read_safetensors(file: IO[bytes]) -> dict[str, Any]:
    """The header's length, the header as JSON, the content."""
    header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    content = file.read()
    arrays = {}
    for name, about in header.items():
        if name != "__metadata__":
            start, end = about["data_offsets"]
            values = np.frombuffer(content[start:end], f"<{_SAFETENSORS[about['dtype']]}")
            arrays[name] = values.reshape(about["shape"])
    return arrays
