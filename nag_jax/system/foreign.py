"""Foreign files: the bound on what may be made from one, and archives, npz and JSON read within it.

Whoever reads a file that somebody else wrote asks here, so that no small file becomes gigabytes: a file of n bytes may
become 256 MB and eight times itself. A reader that makes its content piece by piece takes each from a `Budget`.
"""

import io
import json
import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from nag_jax.system.errors import InputError

_FREE = 2**28
"""What a file of any size may become: a plain image, or a column of one value, is small as a file."""
_FACTOR = 8
"""A number takes two bytes or more in a file, and 8 to 32 in memory."""
_LONGEST_JSON = 2**26
"""As JSON, `[],` takes 3 bytes, and 64 in memory."""
_KINDS = "biufUS"
"""Kinds of dtypes that files of arrays may have."""


def most_bytes(size: int) -> int:
    """How many bytes may be made from a file of `size` bytes."""
    return _FREE + _FACTOR * size


class Budget:
    """What may still be made from one file.

    Args:
        size: the file's bytes.
        name: what the file is called in the message.
    """

    __slots__ = ("_left", "_name", "_size")

    def __init__(self, size: int, name: object = "it"):
        self._name = name
        self._size = size
        self._left = most_bytes(size)

    def take(self, count: int) -> None:
        """Counts bytes that are about to be made.

        Raises:
            InputError: they are more than is left.
        """
        self._left -= count
        if self._left < 0:
            most = most_bytes(self._size)
            raise InputError(
                f"{self._name} has {self._size:,} bytes and would become more than the {most:,} that it may"
            )


class Archive:
    """A zip archive, whose members are as large as they say.

    Args:
        file: it, at any position.
        compressed: whether members may be deflated; PyTorch stores them.

    Raises:
        InputError: two members share a name, or bytes, or one is compressed otherwise, or all are too large together.
    """

    def __init__(self, file: IO[bytes], *, compressed: bool):
        size = file.seek(0, io.SEEK_END)
        self._zip = zipfile.ZipFile(file)
        self._members = {info.filename: info for info in self._zip.infolist()}
        if len(self._members) < len(self._zip.infolist()):
            raise InputError("two members of the archive have one name")
        known = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} if compressed else {zipfile.ZIP_STORED}
        if not {info.compress_type for info in self._members.values()} <= known:
            raise InputError(f"a member of the archive is compressed, expected {'deflate' if compressed else 'none'}")
        # Members that are stored can't be larger than the file together, unless they share bytes.
        if sum(info.file_size for info in self._members.values()) > (most_bytes(size) if compressed else size):
            raise InputError("the members of the archive are larger together than such a file may become")

    @property
    def names(self) -> list[str]:
        """The members' names."""
        return list(self._members)

    def size(self, name: str) -> int:
        """How many bytes a member has; raises InputError where there is none of the name."""
        return self._member(name).file_size

    def read(self, name: str) -> bytes:
        """A member's bytes.

        Raises:
            InputError: there is none of the name, or it has another size than it says.
            zipfile.BadZipFile: its checksum is another.
        """
        info = self._member(name)
        with self._zip.open(info) as member:
            content = member.read(info.file_size)  # without a size, a whole bomb is inflated before it is cut
            if len(content) != info.file_size or member.read(1):
                raise InputError(f"the member {name!r} of the archive isn't of the size that it says")
        return content

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            raise InputError(f"the archive has no member {name!r}")
        return self._members[name]


def is_archive(file: IO[bytes]) -> bool:
    """Whether a file begins as a zip archive that has members; leaves it at its beginning."""
    file.seek(0)
    head = file.read(4)
    file.seek(0)
    return head == b"PK\x03\x04"


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file by name: booleans, numbers and text.

    Raises:
        Exception: nearly any, where the file is damaged; InputError where it holds, or would become, something else.
    """
    with Path(path).open("rb") as file:
        archive = Archive(file, compressed=True)
        return {name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.names}


def _array(content: bytes) -> np.ndarray:
    """The array of an npy file, read-only, which must hold exactly what its header says."""
    file = io.BytesIO(content)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, by_column, dtype = read_header[np.lib.format.read_magic(file)](file)
    if dtype.kind not in _KINDS:
        raise InputError(f"an array of {dtype} isn't one of numbers or text")
    size = len(content) - file.tell()
    if not dtype.itemsize or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != size:
        raise InputError(f"an array of {dtype} and the shape {list(shape)} has another number of bytes")
    if math.prod(n for n in shape if n) > most_bytes(len(content)):  # an axis beside an empty one
        raise InputError(f"an array has the impossible shape {list(shape)}")
    numbers = np.frombuffer(content, dtype, offset=file.tell())
    return numbers.reshape(shape, order="F" if by_column else "C")


def load_json(text: str | bytes) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: it isn't JSON, or is nested too deeply, or too long.
    """
    if len(text) > _LONGEST_JSON:
        raise ValueError(f"it has {len(text):,} bytes, expected at most {_LONGEST_JSON:,}")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
