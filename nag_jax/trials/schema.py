"""Ledger format 2: its tables, what makes a ledger an evaluator's, and its rows as trials."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nag_jax.evaluators.base import Evaluator
from nag_jax.system.errors import InputError
from nag_jax.trials import digest
from nag_jax.trials.trial import Trial, read_curve, read_values, write_curve, write_values

FORMAT = "nag_jax ledger 2"

# A key has no declared type, since SQLite makes numbers of strings that look like some in a column of integers.
# A pending trial counts from -1 down, so that the ids of the others go on counting payments; it has a lease, the time
# until which nobody else may begin it, and no digest, since it changes. Once it is over it is stored anew, at the end.
TRIALS = """
CREATE TABLE trials (
    id INTEGER PRIMARY KEY,
    key NOT NULL,
    architecture TEXT NOT NULL,
    fidelity TEXT NOT NULL,
    seed INTEGER NOT NULL,
    "values" TEXT NOT NULL,
    curve TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    cost REAL,
    worker TEXT NOT NULL,
    origin TEXT NOT NULL,
    purpose TEXT NOT NULL,
    time TEXT NOT NULL,
    lease TEXT,
    digest TEXT,
    UNIQUE (key, fidelity, seed)
)
"""
_META = "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
_FIELDS = """
id, key, architecture, fidelity, seed, "values", curve, status, reason, cost, worker, origin, purpose, time, digest
"""
_BEFORE = "(SELECT digest FROM trials AS earlier WHERE earlier.id < trials.id ORDER BY earlier.id DESC LIMIT 1)"
_PLACES = ", ".join("?" * (_FIELDS.count(",") + 1))
_INSERT = f"INSERT INTO trials ({_FIELDS}) VALUES ({_PLACES})"
_RESERVE = f"INSERT INTO trials ({_FIELDS}, lease) VALUES ({_PLACES}, ?)"
_SAME = "key = ? AND fidelity = ? AND seed = ?"
_KEEP_HEAD = "INSERT OR REPLACE INTO meta VALUES ('digest', ?)"


def has_tables(connection: sqlite3.Connection) -> bool:
    """Whether there is anything in the file."""
    return connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0


def create(connection: sqlite3.Connection, evaluator: Evaluator) -> None:
    """Makes an empty ledger of the evaluator, within a write transaction."""
    connection.execute(_META)
    connection.execute(TRIALS)
    connection.executemany("INSERT INTO meta VALUES (?, ?)", _identity(evaluator).items())
    keep_head(connection, digest.EMPTY)


def insert(connection: sqlite3.Connection, trial: Trial) -> None:
    """Adds a trial behind the others, within a write transaction; its id is given to it, and it is pending no more."""
    release(connection, trial)
    (last,) = connection.execute("SELECT max(id) FROM trials WHERE id > 0").fetchone()
    row = _encode(replace(trial, id=(last or 0) + 1))
    found = digest.link(_head(connection), row)
    connection.execute(_INSERT, (*row, found))
    keep_head(connection, found)


def reserve(connection: sqlite3.Connection, trial: Trial) -> None:
    """Adds a pending trial, or changes it, within a write transaction."""
    (first,) = connection.execute("SELECT min(id) FROM trials").fetchone()
    known = connection.execute(f"SELECT id FROM trials WHERE id < 0 AND {_SAME}", _place(trial)).fetchone()
    row = _encode(replace(trial, id=known[0] if known else min(first or 0, 0) - 1))
    release(connection, trial)
    connection.execute(_RESERVE, (*row, None, trial.lease))


def release(connection: sqlite3.Connection, trial: Trial) -> None:
    """Removes a pending trial, if it is one, within a write transaction."""
    connection.execute(f"DELETE FROM trials WHERE id < 0 AND {_SAME}", _place(trial))


def keep_head(connection: sqlite3.Connection, found: str) -> None:
    """Stores the digest of the last row."""
    connection.execute(_KEEP_HEAD, (found,))


def read(connection: sqlite3.Connection, condition: str = "true", parameters: tuple = ()) -> Iterator[Trial]:
    """The trials that an SQL condition holds for, in the order of payment.

    Raises:
        ValueError: one isn't what was stored.
    """
    query = (
        f"SELECT {_FIELDS}, coalesce({_BEFORE}, '{digest.EMPTY}') FROM trials WHERE id > 0 AND {condition} ORDER BY id"
    )
    for *row, found, before in connection.execute(query, parameters):
        if found != digest.link(before, row):
            raise ValueError(f"trial {row[0]} differs from its digest: it was changed, or one before it is missing")
        yield _decode(row)


def read_pending(connection: sqlite3.Connection, condition: str = "true", parameters: tuple = ()) -> list[Trial]:
    """The pending trials that an SQL condition holds for, those whose lease is over included, in their order."""
    query = f"SELECT {_FIELDS}, lease FROM trials WHERE id < 0 AND {condition} ORDER BY id DESC"
    return [replace(_decode(row), lease=lease) for *row, _, lease in connection.execute(query, parameters)]


def read_all(connection: sqlite3.Connection) -> list[Trial]:
    """All trials, in the order of payment.

    Raises:
        ValueError: one isn't what was stored, or the last ones are missing.
    """
    found = list(read(connection))
    last = connection.execute("SELECT digest FROM trials WHERE id > 0 ORDER BY id DESC LIMIT 1").fetchone()
    if _head(connection) != (last[0] if last else digest.EMPTY):
        raise ValueError(f"the trials after number {len(found)} are missing")
    return found


def format_of(connection: sqlite3.Connection) -> str | None:
    """What the file says that its format is; None where it doesn't say."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"meta", "trials"} <= tables:
        return None
    found = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
    return found[0] if found else None


_IN_WORDS = {
    "format": "format",
    "space": "space",
    "evaluator": "evaluator",
    "metrics": "set of metrics",
    "fingerprint": "table or other source of labels, by its fingerprint",
}


def check_identity(
    connection: sqlite3.Connection, path: Path, evaluator: Evaluator, *, expected_format: str = FORMAT
) -> None:
    """Raises InputError unless the file is a ledger of this evaluator, in this format."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"meta", "trials"} <= tables:
        raise InputError(f"{path} is an SQLite database but no ledger (tables: {sorted(tables)}): use another workdir")
    found = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    for name, expected in (_identity(evaluator) | {"format": expected_format}).items():
        if found.get(name) != expected:
            raise InputError(
                f"{path} is a ledger of another {_IN_WORDS[name]} (expected {expected[:60]}, found "
                f"{str(found.get(name))[:60]}): use the evaluator that it was made with, or another workdir"
            )


def _identity(evaluator: Evaluator) -> dict[str, str]:
    """What makes a ledger this evaluator's."""
    return {
        "format": FORMAT,
        "space": evaluator.space.fingerprint,
        "evaluator": evaluator.name,
        "metrics": json.dumps(sorted(evaluator.metrics)),
        "fingerprint": evaluator.fingerprint,
    }


def _head(connection: sqlite3.Connection) -> str:
    found = connection.execute("SELECT value FROM meta WHERE name = 'digest'").fetchone()
    if found is None:
        raise ValueError("the digest of its last trial is missing")
    return found[0]


def _place(trial: Trial) -> tuple:
    """What no other trial has."""
    return trial.key, trial.fidelity, trial.seed


def _encode(trial: Trial) -> tuple:
    return (
        trial.id,
        trial.key,
        trial.architecture,
        trial.fidelity,
        trial.seed,
        write_values(trial.values),
        write_curve(trial.curve),
        trial.status,
        trial.reason,
        None if trial.cost is None else float(trial.cost),
        trial.worker,
        trial.origin,
        trial.purpose,
        trial.time,
    )


def _decode(row: list) -> Trial:
    number, key, architecture, fidelity, seed, values, curve, status, reason, cost, worker, origin, purpose, time = row
    return Trial(
        id=number,
        key=key,
        architecture=architecture,
        values=read_values(values),
        purpose=purpose,
        time=time,
        fidelity=fidelity,
        seed=seed,
        status=status,
        reason=reason,
        cost=cost,
        worker=worker,
        origin=origin,
        curve=read_curve(curve),
    )
