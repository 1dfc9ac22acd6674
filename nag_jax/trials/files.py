"""The ledger's file: connections, write transactions, and the lock of whoever pays."""

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from nag_jax.system import interrupts
from nag_jax.system.errors import InputError
from nag_jax.trials.read_only import readable

_POLL_SECONDS = 0.05
_SAY_SECONDS = 1.0
"""How long a lock is waited for in silence: somebody may be asking a study, which takes that long."""
_OF_THE_MACHINE = (
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
)
"""Errors that say something of the machine, and nothing of what is stored."""
_Read = TypeVar("_Read")

_log = logging.getLogger(__name__)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """A connection whose commits are on disk before they return; makes the file if it isn't there."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        patiently(lambda: connection.execute("PRAGMA journal_mode = WAL"))
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def read_only(path: Path, read: Callable[[sqlite3.Connection], _Read]) -> _Read:
    """What `read` makes of the file, which it can't change.

    Raises:
        InputError: it isn't a database, or `read` raises ValueError, or TypeError.
    """
    has_log = path.with_name(path.name + "-wal").exists()
    mode = "mode=ro" if has_log else "mode=ro&immutable=1"  # immutable: leaves no files beside it
    try:
        with readable(path) as copy:
            uri = f"{copy.resolve().as_uri()}?{mode}"
            with closing(sqlite3.connect(uri, uri=True, timeout=0)) as connection:
                return patiently(lambda: read(connection))
    except InputError:
        raise
    except (sqlite3.DatabaseError, ValueError, TypeError, OSError) as error:
        if isinstance(error, OSError) or _code(error) in _OF_THE_MACHINE:
            raise InputError(
                f"{path} can't be read here ({error}), which says nothing against its labels: check its permissions "
                "and its disk, or copy it with its -wal to another one"
            ) from error
        raise InputError(
            f"{path} is no readable ledger ({error}): restore a copy of it, or move it away to start a new "
            "one, which pays for its labels again"
        ) from error


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction: committed to disk at the end, rolled back by an exception."""
    patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
    try:
        yield
        patiently(lambda: connection.execute("COMMIT"))
    except BaseException:
        connection.rollback()
        raise


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Waits until no other handle is in here with the same lock file; the lock dies with its process.

    It is no lock of SQLite's, for those end with every commit.

    Raises:
        InputError: the file can't be made or locked.
    """
    try:
        file = _locked(path)
    except OSError as error:
        raise InputError(f"{path} can't be locked ({error}): use a folder that can be written, on a disk") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def _locked(path: Path) -> int:
    """The descriptor of a locked file of that path; Ctrl-C works meanwhile."""
    began, said = time.monotonic(), False
    while True:
        interrupts.check()
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_file(file, path):  # the one before us removes it as it leaves
                return file
        except BlockingIOError:
            if not said and time.monotonic() - began > _SAY_SECONDS:
                _log.warning("%s is held by another search or process: waiting until it ends", path)
                said = True
        except BaseException:
            os.close(file)
            raise
        os.close(file)
        time.sleep(_POLL_SECONDS)


def _is_file(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def patiently(action: Callable[[], _Read]) -> _Read:
    """Does it once no other handle has the file locked, however long that takes; Ctrl-C works meanwhile."""
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if _code(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
        with interrupts.let_through():
            time.sleep(_POLL_SECONDS)


def _code(error: Exception) -> int:
    """SQLite's primary code of an error; what else it has in the bits above refines it."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
