"""What the campaign knows of a reader of foreign bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

UNSEALED = "the format has no checksum of its content: another number is a number, and its integrity is its user's"
TEXT = "text has no checksum: another word or number that is one is taken for it"
CELLS = [
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|nor_conv_1x1~0|nor_conv_1x1~1|nor_conv_1x1~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|",
]


class Reader(NamedTuple):
    """One reader of foreign bytes.

    Attributes:
        make: writes a file that it takes, and what belongs beside it, into an empty folder; gives that file.
        read: reads the file and gives what is compared; raises InputError.
        why: why it may take changed bytes for another content.
        attacks: files made to attack it, from the one that it takes.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    why: str
    attacks: Callable[[bytes], list[bytes]] = lambda data: []


def file(name: str, content: bytes | str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


def text(content: str, read: Callable[[str], Any]) -> Reader:
    """A reader of strings, as of flags."""
    return Reader(file("text", content), lambda path: read(path.read_bytes().decode("utf-8", "replace")), TEXT)
