"""Checks of tables before they are read: columns whose names differ, and cells that fit into memory."""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from nag_jax.system.errors import InputError, quoted
from nag_jax.system.foreign import Budget

_MOST_COLUMNS = 10_000
"""pandas takes a minute for a million, and no benchmark has a hundred."""
_CELL = 64
"""Bytes of a cell of text in memory, which may take two in the file."""
_CHUNK = 2**20


def check_distinct(names: Iterable[str], source: object, what: str = "column") -> None:
    """Raises InputError where a name comes twice, since nobody can know which of the two was meant.

    Args:
        names: the names as they stand in the table, before a reader renames or drops some of them.
        source: the file or data frame, for the message.
        what: what they are names of.
    """
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(f"{source} has the {what} {quoted(name)} {count} times: rename or remove the others")


def check_csv(path: Path, separator: str = ",") -> list[str]:
    """Raises InputError where a column of a CSV file comes twice, or where its cells may become too large.

    Args:
        path: the file, in UTF-8; its first line names the columns.
        separator: what separates columns, one ASCII character.

    Returns:
        The names of the columns; empty for those that have none.
    """
    cells = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            cells += chunk.count(separator.encode()) + chunk.count(b"\n")
    Budget(path.stat().st_size, path).take(_CELL * cells)
    with path.open(newline="", encoding="utf-8-sig") as file:
        names = next(csv.reader(file, delimiter=separator), [])
    if len(names) > _MOST_COLUMNS:
        raise InputError(f"{path} has {len(names):,} columns, expected at most {_MOST_COLUMNS:,}: leave some out")
    check_distinct(filter(None, names), path)
    return names
