"""Files of the make that others publish, byte by byte: PyTorch's formats, safetensors, and pickles that attack."""

import io
import json
import os
import pickle
import sys
import types
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

CANARY = "canary"
"""What the pickles that attack make a folder of, in the working directory."""
_STORAGES = {"f4": "FloatStorage", "f8": "DoubleStorage", "i8": "LongStorage"}


class _Call:
    def __init__(self, function: Any, *arguments: Any, state: Any = None):
        self._reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self._reduced


class _Reference(tuple):
    """A storage, as PyTorch's pickles refer to it."""


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        return tuple(obj) if isinstance(obj, _Reference) else None


@contextmanager
def named(*names: str) -> Iterator[list[Any]]:
    """Stand-ins by names of packages that needn't be installed, for pickles to refer to."""
    before = dict(sys.modules)
    found, added = [], set[str]()
    try:
        for full in names:
            module, _, name = full.rpartition(".")
            for end in [i for i, char in enumerate(f"{module}.") if char == "."]:
                if module[:end] not in added:
                    added.add(module[:end])
                    sys.modules[module[:end]] = types.ModuleType(module[:end])
            one = type(name, (), {"__module__": module, "__init__": lambda *_: None})
            setattr(sys.modules[module], name, one)
            found.append(one)
        yield found
    finally:
        sys.modules.clear()
        sys.modules.update(before)


def torch_pickle(build: Callable[[Callable, Callable], Any]) -> tuple[bytes, dict[str, np.ndarray]]:
    """A pickle as `torch.save` writes it, and its storages by key.

    Args:
        build: gives the content, from `tensor(array)` and `graph()`, which make what is pickled in their places.
    """
    storages: dict[str, np.ndarray] = {}
    names = ["torch._utils._rebuild_tensor_v2", "igraph.Graph", *(f"torch.{name}" for name in _STORAGES.values())]
    with named(*names) as (rebuild, graph, *types_of):
        kinds = dict(zip(_STORAGES, types_of, strict=True))

        def tensor(array):
            key = str(len(storages))
            storages[key] = array = np.ascontiguousarray(array)
            reference = _Reference(("storage", kinds[array.dtype.str[1:]], key, "cpu", array.size))
            strides = tuple(step // array.itemsize for step in array.strides)
            return _Call(rebuild, reference, 0, array.shape, strides, False, {})

        file = io.BytesIO()
        edges = [(0, 1), (1, 2)]
        _Pickler(file, 2).dump(build(tensor, lambda: _Call(graph, 3, edges, True, {}, {"type": [0, 2, 1]}, state={})))
    return file.getvalue(), storages


def torch_zip(pickled: bytes, storages: Mapping[str, np.ndarray]) -> bytes:
    """A file of PyTorch since 1.6."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        for key, array in storages.items():
            archive.writestr(f"archive/data/{key}", array.tobytes())
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


def torch_old(pickled: bytes, storages: Mapping[str, np.ndarray]) -> bytes:
    """A file of PyTorch before 1.6."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, system)]
    content = [array.size.to_bytes(8, "little") + array.tobytes() for array in storages.values()]
    return b"".join([*head, pickled, pickle.dumps(list(storages), 2), *content])


def safetensors(tensors: Mapping[str, tuple[str, list[int], bytes]]) -> bytes:
    """A safetensors file, of (type, shape, bytes) by name."""
    header, at = {}, 0
    for name, (kind, shape, content) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + len(content)]}
        at += len(content)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(content for _, _, content in tensors.values())


def npz(**arrays: np.ndarray) -> bytes:
    """An npz file."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def attacks() -> list[bytes]:
    """Pickles that an ordinary reader would run, or be ended or filled by."""
    runs = [
        _Call(os.mkdir, CANARY),
        {"acc": _Call(os.mkdir, CANARY)},
        [_Call(os.system, f"mkdir {CANARY}")],
        _Call(exec, f"import os; os.mkdir({CANARY!r})"),
        _Call(eval, f"__import__('os').mkdir({CANARY!r})"),
    ]
    pickles = [pickle.dumps(one, protocol) for one in runs for protocol in (0, 2, 4)]
    deep = b"\x80\x02})" + b"\x85" * 300_000 + b"Ns."
    doubled = b"\x80\x02]q\x00K\x01a" + b"".join(
        b"]q" + bytes([i]) + (b"h" + bytes([i - 1]) + b"a") * 2 for i in range(1, 60)
    )
    bombs = [
        b"\x80\x02Nr\x00\xc2\xeb\x0b.",
        b"\x80\x05\x96" + (2**36).to_bytes(8, "little") + b".",
        b"\x80\x04\x8e" + (2**36).to_bytes(8, "little") + b".",
        b"\x80\x04" + b"\x8f" * 3_000_000 + b".",
        deep,
        doubled + b".",
        b"(" * 1_000_000,
        b"\x80\x02" + b"]" * 1_000_000 + b"a" * 999_999 + b".",
        b"c__builtin__\nbytes\n(L1000000000000L\ntR.",
        b"\x80\x02c__builtin__\nbytes\n\x8a\x05\x00\x00\x00\x00\x10\x85R.",
    ]
    return pickles + bombs
