"""Files that PyTorch wrote, read without PyTorch and without trusting them.

The formats are in PyTorch's documentation of `torch.save` and in the source of `torch/serialization.py`. Since 1.6 it
is a zip archive: `*/data.pkl` is a pickle in which every tensor is a call of a rebuild function on a persistent
reference to a storage, and `*/data/KEY` are the storages' raw bytes. Before, it was pickles and storages on end. What
isn't a tensor, a number, text or a plain container stays opaque; see `inert_pickle`.
"""

import math
import pickle
from pathlib import Path
from typing import IO, Any

import numpy as np

from nag_jax.system.errors import InputError
from nag_jax.system.foreign import Archive, Budget, is_archive
from nag_jax.system.inert_pickle import Function, Opaque, load, make_dictionary
from nag_jax.system.pickled_numbers import FUNCTIONS

_STORAGES = {
    "torch.DoubleStorage": "f8",
    "torch.FloatStorage": "f4",
    "torch.HalfStorage": "f2",
    "torch.LongStorage": "i8",
    "torch.IntStorage": "i4",
    "torch.ShortStorage": "i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
}
_BFLOAT16 = "torch.BFloat16Storage"
"""Numbers that NumPy lacks; they become float32."""
_OLD_MAGIC, _OLD_VERSION = 0x1950A86A20F9469CFC6C, 1001
_OLD_HEAD = pickle.dumps(_OLD_MAGIC, 2)


class _Storage:
    """A storage: only references make one, so that no tensor can pass for it.

    Attributes:
        kind: PyTorch's name of its class.
        filled: its numbers, zero until the file's are written into them.
        numbers: the same memory, read-only, for tensors to be views of.
    """

    __slots__ = ("filled", "kind", "numbers")

    def __init__(self, kind: str, size: int):
        self.kind = kind
        self.filled = np.zeros(size, _STORAGES.get(kind, "f4"))
        self.numbers = self.filled.view()
        self.numbers.flags.writeable = False

    @property
    def width(self) -> int:
        """Bytes of a number in the file."""
        return 2 if self.kind == _BFLOAT16 else self.filled.itemsize

    def fill(self, content: bytes, order: str) -> None:
        """Writes a storage's content, of exactly its size, into it."""
        stored = np.frombuffer(content, f"{order}{_STORAGES.get(self.kind, 'u2')}")
        if stored.size != self.filled.size:
            raise InputError(f"a storage has {stored.size:,} numbers, and its tensors say {self.filled.size:,}")
        self.filled[:] = widened(stored) if self.kind == _BFLOAT16 else stored


def read_torch_file(path: str | Path) -> Any:
    """What `torch.save` wrote, with tensors as read-only arrays, which share memory where the tensors did.

    Objects of classes are `inert_pickle.Opaque`.

    Raises:
        InputError: the file is missing or damaged, or a tensor isn't inside its storage, or its content would become
            larger than `foreign.most_bytes`.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no PyTorch file {path}: correct the path")
    try:
        with path.open("rb") as file:
            return _read_archive(file) if is_archive(file) else _read_old(file.read())
    except Exception as error:  # a damaged file may raise nearly anything
        raise InputError(
            f"{path} can't be read ({str(error) or type(error).__name__}): expected a file of tensors, numbers, "
            "strings, lists and dicts that torch.save wrote"
        ) from error


def is_torch_file(path: str | Path) -> bool:
    """Whether the file begins as `torch.save` writes it."""
    with Path(path).open("rb") as file:
        if is_archive(file):
            return _pickle_of(Archive(file, compressed=True)) is not None
        return file.read(len(_OLD_HEAD)) == _OLD_HEAD


def _pickle_of(archive: Archive) -> str | None:
    """The name of the archive's pickle, or None where it has none, or several."""
    names = [name for name in archive.names if name.rpartition("/")[2] == "data.pkl"]
    return names[0] if len(names) == 1 else None


def _read_archive(file: IO[bytes]) -> Any:
    archive = Archive(file, compressed=False)
    pickled = _pickle_of(archive)
    if pickled is None:
        raise InputError("the archive has no data.pkl")
    folder = pickled.removesuffix("data.pkl")
    order = "<"
    if f"{folder}byteorder" in archive.names:
        order = {b"little": "<", b"big": ">"}[archive.read(f"{folder}byteorder")]
    tensors = _Tensors(Budget(file.seek(0, 2)))
    content, _ = load(archive.read(pickled), **tensors.readers)
    for key, storage in tensors.storages.items():
        storage.fill(archive.read(f"{folder}data/{key}"), order)
    return content


def _read_old(data: bytes) -> Any:
    """Magic number, version, system, the content, the keys of the storages; then the storages in that order."""
    tensors = _Tensors(Budget(len(data)))
    magic, at = load(data, **tensors.readers)
    version, at = load(data, start=at, **tensors.readers)
    if (magic, version) != (_OLD_MAGIC, _OLD_VERSION):
        raise InputError("it doesn't begin as one")
    system, at = load(data, start=at, **tensors.readers)
    content, at = load(data, start=at, **tensors.readers)
    keys, at = load(data, start=at, **tensors.readers)
    if sorted(keys) != sorted(tensors.storages):
        raise InputError("it has other storages than its tensors refer to")
    little = system.get("little_endian", True)
    for key in keys:
        storage = tensors.storages[key]
        size = int.from_bytes(data[at : at + 8], "little" if little else "big")
        end = at + 8 + size * storage.width
        storage.fill(data[at + 8 : end], "<" if little else ">")
        at = end
    if at != len(data):
        raise InputError("it ends too early" if at > len(data) else "it goes on after its end")
    return content


class _Tensors:
    """What pickles of one file make of its storages, which are filled when all of them are known.

    Attributes:
        storages: the storages by key.
    """

    def __init__(self, budget: Budget):
        self.storages: dict[str, _Storage] = {}
        self._budget = budget

    @property
    def readers(self) -> dict[str, Any]:
        """What `inert_pickle.load` takes."""
        functions: dict[str, Function] = {
            "torch._utils._rebuild_tensor_v2": _rebuild,
            "torch._utils._rebuild_parameter": lambda data, *_, budget: data,
            "collections.OrderedDict": make_dictionary,
        }
        return {"budget": self._budget, "functions": FUNCTIONS | functions, "persistent": self._refer}

    def _refer(self, reference: Any) -> _Storage | Opaque:
        """The storage of a reference: `("storage", its type, key, device, size)`, older ones with None."""
        match reference:
            case ("storage", Opaque(made=False) as kind, str() as key, _, int() as size, *view) if not any(view):
                return self._storage(kind.name, key, size)
        raise InputError("it refers to something of another form, expected a storage of numbers")

    def _storage(self, kind: str, key: str, size: int) -> _Storage | Opaque:
        if kind not in _STORAGES and kind != _BFLOAT16:
            return Opaque(kind, made=True)
        if key not in self.storages:
            self._budget.take(max(size, 0) * np.dtype(_STORAGES.get(kind, "f4")).itemsize)
            self.storages[key] = _Storage(kind, size)
        storage = self.storages[key]
        if (storage.kind, storage.filled.size) != (kind, size):
            raise InputError(f"two tensors disagree on the type or the size of the storage {key!r}")
        return storage


def widened(bfloat16: np.ndarray) -> np.ndarray:
    """Numbers of bfloat16, given as uint16, as float32: these are the same bits, and 16 zeros."""
    return (bfloat16.astype(np.uint32) << 16).view(np.float32)


def _rebuild(storage, offset, size, stride, _requires_grad, _hooks, *_, budget: Budget) -> np.ndarray | None:
    """A tensor as a view of its storage. The bounds are checked, since NumPy would read beyond the storage."""
    if isinstance(storage, Opaque):
        return None
    if type(size) is not tuple or type(stride) is not tuple or len(size) != len(stride):
        raise InputError("a tensor has an impossible shape")
    if type(storage) is not _Storage or any(type(n) is not int or n < 0 for n in (offset, *size, *stride)):
        raise InputError("a tensor has an impossible shape")
    numbers = storage.numbers
    # PyTorch's expand() gives all of an axis one number, and an axis beside an empty one costs nothing.
    budget.take(numbers.itemsize * math.prod(n for n in size if n))
    if 0 in size:
        return np.zeros(size, numbers.dtype)
    if offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) >= numbers.size:
        raise InputError(f"a tensor of the shape {list(size)} is larger than its storage")
    strides = [step * numbers.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(numbers[offset:], size, strides, writeable=False)
