"""Ledger format 1, which had one trial per architecture: read as it is, and converted where it is to be written.

Its checksums cover no ids and no neighbours, so what they can't tell is told by what a table that only ever grows looks
like: its ids are 1 to n, and within a page each row lies before the one that was added before it.
"""

import itertools
import json
import os
import sqlite3
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from nag_jax.trials import digest, schema
from nag_jax.trials.trial import Trial, read_values

FORMAT = "nag_jax ledger 1"
_COLUMNS = "id, key, architecture, purpose, time, labels, checksum"
_LEAF, _INTERIOR = 13, 5
"""Kinds of a table's pages, in SQLite's file format, section 1.6."""


def read_all(connection: sqlite3.Connection) -> list[Trial]:
    """All trials of a ledger in format 1, in the order of payment.

    Raises:
        ValueError: one isn't what was stored, or some were swapped or deleted.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    reasons = {}
    if "failures" in tables:
        reasons = dict(connection.execute("SELECT trial, reason FROM failures").fetchall())
    rows = connection.execute(f"SELECT {_COLUMNS} FROM trials ORDER BY id").fetchall()
    trials = [_decode(row, reasons.get(row[0], "")) for row in rows]
    for expected, trial in enumerate(trials, start=1):
        if trial.id != expected:
            raise ValueError(f"trial {expected} is missing")
    _check_order(connection)
    return trials


def convert(connection: sqlite3.Connection, path: Path) -> None:
    """Makes format 2 of format 1, within a write transaction, after a copy of the file is on disk beside it.

    The copy's name is that of the ledger with `.format1` behind it.

    Raises:
        ValueError: see `read_all`.
        OSError: the copy can't be written.
    """
    trials = read_all(connection)
    _keep(connection.serialize(), path.with_name(f"{path.name}.format1"))
    connection.execute("DROP TABLE trials")
    connection.execute("DROP TABLE IF EXISTS failures")
    connection.execute(schema.TRIALS)
    connection.execute("UPDATE meta SET value = ? WHERE name = 'format'", (schema.FORMAT,))
    schema.keep_head(connection, digest.EMPTY)
    for trial in trials:
        schema.insert(connection, trial)


def _keep(content: bytes, path: Path) -> None:
    """Writes a file that is whole or absent, whenever the process is killed."""
    partial = path.with_name(f".partial-{path.name}")
    with open(partial, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _decode(row: tuple, reason: str) -> Trial:
    number, *fields, checksum = row
    if checksum != zlib.crc32(json.dumps(fields).encode()):
        raise ValueError(f"trial {number} differs from its checksum")
    key, architecture, purpose, time, labels = fields
    return Trial(
        id=number,
        key=key,
        architecture=architecture,
        values=read_values(labels),
        purpose=purpose,
        time=time,
        reason=reason,
    )


def _check_order(connection: sqlite3.Connection) -> None:
    """Raises ValueError where a row was moved after it was stored."""
    for offsets in _leaves(connection):
        if any(after >= before for before, after in itertools.pairwise(offsets)):
            raise ValueError("trials were changed or swapped after they were stored")


def _leaves(connection: sqlite3.Connection) -> Iterator[tuple[int, ...]]:
    """Where the rows lie in each page of the table of trials, in the order of their ids."""
    image = connection.serialize()
    size = int.from_bytes(image[16:18], "big")
    size = 65536 if size == 1 else size
    (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'trials'").fetchone()
    numbers = [root]
    while numbers:
        number = numbers.pop()
        page = image[(number - 1) * size : number * size]
        kind, (count,) = page[0], struct.unpack_from(">H", page, 3)
        if kind == _LEAF:
            yield struct.unpack_from(f">{count}H", page, 8)
        elif kind == _INTERIOR:
            cells = struct.unpack_from(f">{count}H", page, 12)
            numbers += [struct.unpack_from(">I", page, place)[0] for place in (8, *cells)]
        else:
            raise ValueError(f"page {number} is none of a table")
