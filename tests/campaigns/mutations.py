"""Changed files: bits, bytes, slices and numbers, also inside of archives and images, with their checksums mended."""

import io
import re
import struct
import zipfile
import zlib

import numpy as np

_NUMBERS = (
    b"0",
    b"-1",
    b"1e999",
    b"-1e999",
    b"NaN",
    b"9" * 25,
    b"9" * 500,
    b"0.5",
    b"4294967296",
    b"9223372036854775808",
)
_WORDS = (0, 1, -1, 2**7, 2**15, 2**31 - 1, 2**31, 2**32, 2**40, 2**63 - 1)
_PIECES = (
    *(b"\0", b"\x1b[31m", b"\r", b"\n", b'"', b"{", b"}", b",", b"&", b"%s"),
    *(b"[" * 200, b"[" * 100_000, b"<script>x</script>"),
)
_PNG = b"\x89PNG\r\n\x1a\n"


def mutate(rng: np.random.Generator, data: bytes) -> bytes:
    """One to three changes of a file; most of those of an archive are changes of a member."""
    if data[:2] == b"PK" and rng.random() < 0.7:
        return _in_member(rng, data)
    for _ in range(rng.integers(1, 4)):
        data = _CHANGES[rng.integers(len(_CHANGES))](rng, data) if data else b"\0"
    return _mended(data) if data.startswith(_PNG) and rng.random() < 0.7 else data


def _place(rng, data: bytes) -> int:
    return int(rng.integers(len(data)))


def _span(rng, data: bytes) -> tuple[int, int]:
    start = _place(rng, data)
    return start, start + int(rng.integers(1, 2 ** int(rng.integers(1, 10))))


def _bit(rng, data: bytes) -> bytes:
    i = _place(rng, data)
    return data[:i] + bytes([data[i] ^ 1 << int(rng.integers(8))]) + data[i + 1 :]


def _byte(rng, data: bytes) -> bytes:
    i = _place(rng, data)
    return data[:i] + bytes([int(rng.integers(256))]) + data[i + 1 :]


def _word(rng, data: bytes) -> bytes:
    i, width = _place(rng, data), int(rng.choice([2, 4, 8]))
    value = _WORDS[rng.integers(len(_WORDS))] % 256**width
    return data[:i] + value.to_bytes(width, str(rng.choice(["little", "big"]))) + data[i + width :]  # type: ignore[arg-type]


def _cut(rng, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _twice(rng, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:end] + data[start:]


def _moved(rng, data: bytes) -> bytes:
    start, end = _span(rng, data)
    i = _place(rng, data)
    return data[:i] + data[start:end] + data[i + end - start :]


def _ended(rng, data: bytes) -> bytes:
    return data[: _place(rng, data)]


def _inserted(rng, data: bytes) -> bytes:
    i = _place(rng, data)
    return data[:i] + _PIECES[rng.integers(len(_PIECES))] + data[i:]


def _number(rng, data: bytes) -> bytes:
    found = list(re.finditer(rb"\d+", data[:100_000]))
    if not found:
        return _byte(rng, data)
    start, end = found[rng.integers(len(found))].span()
    return data[:start] + _NUMBERS[rng.integers(len(_NUMBERS))] + data[end:]


_CHANGES = (_bit, _bit, _byte, _byte, _word, _cut, _twice, _moved, _ended, _inserted, _number, _number)


def _in_member(rng, data: bytes) -> bytes:
    """An archive with one member changed, now and then deflated, and right checksums."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    changed = list(members)[rng.integers(len(members))]
    for _ in range(rng.integers(1, 4)):
        members[changed] = _CHANGES[rng.integers(len(_CHANGES))](rng, members[changed]) if members[changed] else b"\0"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if rng.random() < 0.1 else zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def with_pickle(data: bytes, pickled: bytes) -> bytes:
    """A PyTorch file with another pickle in the place of its own."""
    if data[:2] != b"PK":
        return data[:21] + pickled if data.startswith(b"\x80\x02\x8a\x0a") else pickled
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, pickled if name.endswith("data.pkl") else old.read(name))
    return file.getvalue()


def _mended(png: bytes) -> bytes:
    """A PNG file whose chunks have right checksums."""
    out, at = [_PNG], len(_PNG)
    while at + 12 <= len(png):
        size = min(struct.unpack(">I", png[at : at + 4])[0], len(png) - at - 12)
        body = png[at + 4 : at + 8 + size]
        out += [struct.pack(">I", size), body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + size
    return b"".join([*out, png[at:]])
