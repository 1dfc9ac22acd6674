"""Numbers in pickles: NumPy's scalars and arrays of an allow-list of dtypes and exact sizes, and lists of numbers."""

import math
from typing import Any

import numpy as np

from nag_jax.system.errors import InputError
from nag_jax.system.foreign import Budget
from nag_jax.system.inert_pickle import Function, Opaque, Unfinished

_DTYPES = {f"{kind}{size}" for kind in "fiu" for size in (2, 4, 8)} | {"i1", "u1", "b1"}
_DEEPEST = 8
"""Axes that nested lists of numbers may have."""


def numbers(content: Any, budget: Budget) -> np.ndarray:
    """The numbers of nested lists, or of an array, as an array.

    Raises:
        InputError: there is something else, or the lists are ragged, or together too large.
    """
    budget.take(8 * _count(content, {}, 0))
    try:
        array = np.asarray(content)
    except (ValueError, OverflowError) as error:
        raise InputError(f"its numbers form no array ({error})") from error
    if array.dtype.kind not in "iuf":
        raise InputError(f"expected numbers, found {'other values' if array.dtype.kind == 'O' else array.dtype}")
    return array


def _count(content: Any, counted: dict[int, int], depth: int) -> int:
    """How many numbers there are; a list that is there twice is counted twice, but gone through once."""
    if isinstance(content, np.ndarray):
        return content.size
    if isinstance(content, Opaque):
        raise InputError(f"expected numbers, found {content!r}")
    if not isinstance(content, list | tuple):
        return 1
    if depth == _DEEPEST:
        raise InputError(f"lists of numbers are nested more than {_DEEPEST} times")
    if id(content) not in counted:
        counted[id(content)] = sum(_count(item, counted, depth + 1) for item in content)
    return counted[id(content)]


class _Dtype(Unfinished):
    """A dtype in the making; its byte order comes as its state."""

    __slots__ = ("found",)

    def __init__(self, code: str):
        super().__init__()
        self.found = np.dtype(code)

    def build(self, state: Any, budget: Budget) -> "_Dtype":
        match state:
            case (int(), "<" | ">" | "|" | "=" as order, None, None, None, *_):
                self.found = self.found.newbyteorder("<" if order in "|=" else order)
                return self
        raise InputError("the pickle has a dtype with parts, expected plain ones")


class _Array(Unfinished):
    """An array in the making; its content comes as its state."""

    __slots__ = ()

    def build(self, state: Any, budget: Budget) -> np.ndarray | Opaque:
        """A read-only array, of exactly the bytes that its shape needs."""
        match state:
            case (_, tuple() as shape, _Dtype() as dtype, bool() | int() as by_column, content):
                raw = _raw(content)
            case _:
                return Opaque("numpy.ndarray", made=True)
        if any(type(n) is not int or n < 0 for n in shape) or math.prod(shape) * dtype.found.itemsize != len(raw):
            raise InputError(f"an array of {dtype.found} has {len(raw):,} bytes, and its shape needs others")
        array = np.frombuffer(raw, dtype.found)
        if not array.dtype.isnative:
            budget.take(len(raw))
            array = array.astype(array.dtype.newbyteorder("="))
        array = array.reshape(shape, order="F" if by_column else "C")
        array.flags.writeable = False
        return array


def _dtype(code, *_, budget: Budget) -> _Dtype | None:
    return _Dtype(code) if type(code) is str and code in _DTYPES else None


def _scalar(dtype, content=None, *_, budget: Budget) -> Any:
    if type(dtype) is not _Dtype:
        return None
    raw = _raw(content)
    if len(raw) != dtype.found.itemsize:
        raise InputError(f"a number of {dtype.found} has {len(raw)} bytes")
    return np.frombuffer(raw, dtype.found).astype(dtype.found.newbyteorder("="))[0]


def _raw(content: Any) -> bytes:
    """An array's bytes, which Python 2 wrote as text."""
    if type(content) is str:
        return content.encode("latin1")
    if type(content) is not bytes:
        raise InputError("an array's content is no bytes")
    return content


def _encode(text, encoding="", *, budget: Budget) -> bytes | None:
    """How Python 3 writes bytes for Python 2."""
    if type(text) is not str or encoding != "latin1":
        return None
    budget.take(len(text))
    return text.encode("latin1")


def _no_bytes(*content, budget: Budget) -> bytes | None:
    """How Python 3 writes no bytes for Python 2."""
    return None if content else b""


FUNCTIONS: dict[str, Function] = {
    "_codecs.encode": _encode,
    "builtins.bytes": _no_bytes,
    "__builtin__.bytes": _no_bytes,
    "numpy.dtype": _dtype,
}
"""What makes them, by the names that NumPy before 2 and since then gives, for `inert_pickle.load`."""
for _package in ("numpy.core", "numpy._core"):
    FUNCTIONS[f"{_package}.multiarray.scalar"] = _scalar
    FUNCTIONS[f"{_package}.multiarray._reconstruct"] = lambda *_, budget: _Array()
