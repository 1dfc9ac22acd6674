"""The ledger: every label that was paid for, in one SQLite file, stored before anything uses it."""

import fcntl
import json
import sqlite3
import time
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar, cast

import numpy as np

from nag_jax.evaluators.base import Evaluator, StreamingEvaluator
from nag_jax.objectives.metric import Metric
from nag_jax.spaces import Space
from nag_jax.system.errors import InputError

FORMAT = "nag_jax ledger 1"

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE trials (
    id INTEGER PRIMARY KEY,
    key INTEGER NOT NULL UNIQUE,
    architecture TEXT NOT NULL,
    purpose TEXT NOT NULL,
    time TEXT NOT NULL,
    labels TEXT NOT NULL,
    checksum INTEGER NOT NULL
);
"""
_FAILURES = "CREATE TABLE IF NOT EXISTS failures (trial INTEGER PRIMARY KEY, reason TEXT NOT NULL)"
_INSERT = """
INSERT INTO trials (key, architecture, purpose, time, labels, checksum) VALUES (?, ?, ?, ?, ?, ?)
"""
_TRIAL_COLUMNS = "id, key, architecture, purpose, time, labels, checksum"
_LOCK_POLL_SECONDS = 0.05
_Read = TypeVar("_Read")
_MEMORY = Path(":memory:")


@dataclass(frozen=True)
class Trial:
    """One paid label.

    Attributes:
        id: counts from 1 in the order of payment.
        key: the space's canonical key, which no other trial has.
        architecture: native string of the architecture that was evaluated.
        purpose: what it was paid for, as the caller of `Ledger.label` said.
        time: when it was stored, ISO 8601 in UTC.
        labels: value of each metric in its unit; NaN where the evaluator gave none.

    Example:
        >>> Trial(1, 7, "a cell", "training", "2026-01-01T00:00:00.000+00:00", {"accuracy": float("nan")}).failed
        True
    """

    id: int
    key: int | str
    architecture: str
    purpose: str
    time: str
    labels: dict[str, float]

    @property
    def failed(self) -> bool:
        """Whether the evaluator gave no finite value for some metric."""
        return any(np.isnan(value) for value in self.labels.values())


class Ledger:
    """The only route from an evaluator to anybody else. Made by `Ledger.open`; a context manager.

    Architectures that compute the same thing (equal canonical keys) are one: the first that is asked for is
    evaluated and its labels hold for all of them. What is stored stays: nothing updates or deletes a trial.

    Several handles, in one process or in many, may share a file. A handle holds SQLite's write lock from the
    moment it finds that an architecture has no trial until its labels are stored, so that nobody pays for the
    same one meanwhile; the others wait. The lock dies with its process, and every commit is on disk before it
    returns (WAL, synchronous=FULL), so a process killed at any moment loses at most the call it was in.

    What a `StreamingEvaluator` finds out is stored one by one, as it comes. Its handles keep each other out by a lock
    on a file beside the ledger instead, for SQLite's ends with every commit.

    Attributes:
        path: of the file; None for a ledger in memory.

    Example:
        >>> from nag_jax import evaluators
        >>> evaluator = evaluators.make("analog_nasbench")
        >>> tokens = evaluator.space.all_tokens()[:3]
        >>> with Ledger.open(None, evaluator) as ledger:
        ...     labels = ledger.label(tokens, "predictor")["baseline"]
        ...     ledger.label(tokens, "again")["baseline"].tolist() == labels.tolist(), ledger.paid_by_purpose()
        (True, {'predictor': 3})
    """

    def __init__(self, connection: sqlite3.Connection, path: Path | None, evaluator: Evaluator):
        self._connection = connection
        self._evaluator = evaluator
        self.path = path

    @classmethod
    def open(cls, path: str | Path | None, evaluator: Evaluator) -> Self:
        """Opens the ledger of an evaluator, and makes it if the file isn't there.

        An existing file is examined read-only first, and is left as it is if anything is wrong with it.

        Args:
            path: the SQLite file; its folder must exist. None keeps the ledger in memory, until it is closed.
            evaluator: pays for the labels that aren't there yet.

        Raises:
            InputError: there is no such folder, or the file is no ledger, or a damaged one, or the ledger of
                another evaluator, space or source of labels, or it can't be written.
        """
        if path is None:
            return cls(_connect(_MEMORY, evaluator), None, evaluator)
        path = Path(path)
        if path.is_dir() or not path.parent.is_dir():
            raise InputError(f"{path} can't be a ledger: expected a file's name in a folder that exists")
        if path.exists() and path.stat().st_size:
            _examine(path, evaluator)
        try:
            connection = _connect(path, evaluator)
        except sqlite3.OperationalError as error:
            raise InputError(
                f"{path} can't be written ({error}): check its permissions and the space on its disk"
            ) from error
        return cls(connection, path, evaluator)

    def label(self, tokens, purpose: str, progress: Callable[[int, int], None] | None = None) -> dict[str, np.ndarray]:
        """Returns labels, paying for those that nobody has paid for yet.

        Pays in calls of the evaluator's `batch_size`, and stores each call's labels before the next, or stores each
        label as it comes from a `StreamingEvaluator`.

        Args:
            tokens: `[B, N]`, in any order and with any repetitions.
            purpose: what the new labels are paid for, as `paid_by_purpose` will count them.
            progress: called after each payment with the number of labels paid for so far and in all.

        Returns:
            float64 `[B]` for each metric, in its unit; NaN for a trial that failed, which is not asked again.
        """
        tokens = np.asarray(tokens, np.int32)
        keys = self.space.canonical(tokens)
        new = self._first_unpaid(keys)
        pay = self._pay_as_they_come if hasattr(self._evaluator, "outcomes") else self._pay_in_batches
        with closing(pay(tokens[new], keys[new], purpose)) as payments:
            for done in payments:
                if progress is not None:
                    progress(done, len(new))
        stored = self._stored(keys)
        rows = [stored[key] for key in keys.tolist()]
        return {metric: np.array([row[metric] for row in rows], np.float64) for metric in self.metrics}

    def is_paid(self, tokens) -> np.ndarray:
        """Bool `[B]`: whether tokens `[B, N]` have a trial, so that their labels cost nothing more."""
        return self._is_stored(self.space.canonical(np.asarray(tokens, np.int32)))

    def num_new(self, tokens) -> int:
        """How many labels `label` would pay for, given tokens `[B, N]`."""
        return len(self._first_unpaid(self.space.canonical(np.asarray(tokens, np.int32))))

    def trials(self, *, after: int = 0) -> list[Trial]:
        """All paid labels, in the order of payment, from the one after the trial of that id on."""
        rows = self._connection.execute(f"SELECT {_TRIAL_COLUMNS} FROM trials WHERE id > ? ORDER BY id", (after,))
        return [_decode_trial(row) for row in rows]

    def reasons(self) -> dict[int, str]:
        """Why trials failed, by their ids, where the evaluator said so."""
        return dict(self._connection.execute("SELECT trial, reason FROM failures ORDER BY trial").fetchall())

    def paid_by_purpose(self) -> dict[str, int]:
        """How many labels were paid for each purpose, failed ones included, in the order of first payment."""
        query = "SELECT purpose, count(*) FROM trials GROUP BY purpose ORDER BY min(id)"
        return dict(self._connection.execute(query).fetchall())

    @property
    def num_paid(self) -> int:
        """How many labels were paid for, failed ones included."""
        return self._connection.execute("SELECT count(*) FROM trials").fetchone()[0]

    @property
    def num_failed(self) -> int:
        """How many of the trials failed."""
        return sum(trial.failed for trial in self.trials())

    @property
    def space(self) -> Space:
        """The space of the evaluator."""
        return self._evaluator.space

    @property
    def metrics(self) -> dict[str, Metric]:
        """What `label` returns, by name."""
        return self._evaluator.metrics

    def close(self) -> None:
        """Closes the file; the ledger can't be used any more."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _pay_in_batches(self, tokens: np.ndarray, keys: np.ndarray, purpose: str) -> Generator[int]:
        """Evaluates and stores distinct architectures batch by batch; yields how many are paid for so far."""
        for start in range(0, len(tokens), self._evaluator.batch_size):
            batch = slice(start, start + self._evaluator.batch_size)
            self._pay(tokens[batch], keys[batch], purpose)
            yield min(start + self._evaluator.batch_size, len(tokens))

    def _pay(self, tokens: np.ndarray, keys: np.ndarray, purpose: str) -> None:
        """Evaluates and stores those of distinct architectures that have no trial yet."""
        with _writing(self._connection):
            new = ~self._is_stored(keys)  # another handle may have paid since we looked
            if not new.any():
                return
            labels = _evaluate(self._evaluator, tokens[new])
            natives = self.space.to_native(tokens[new])
            for i, (key, native) in enumerate(zip(keys[new].tolist(), natives, strict=True)):
                self._store(key, native, purpose, {name: float(column[i]) for name, column in labels.items()})

    def _pay_as_they_come(self, tokens: np.ndarray, keys: np.ndarray, purpose: str) -> Generator[int]:
        """Has distinct architectures evaluated and stores each outcome as it comes; yields how many are paid for."""
        if not len(tokens):
            return
        evaluator = cast(StreamingEvaluator, self._evaluator)
        with _alone(self.path.with_name(f"{self.path.name}.lock")) if self.path else nullcontext():
            rows = np.nonzero(~self._is_stored(keys))[0]  # another handle may have paid since we looked
            natives = self.space.to_native(tokens[rows])
            with closing(evaluator.outcomes(tokens[rows])) as outcomes:
                for done, (i, labels, reason) in enumerate(outcomes, start=1 + len(keys) - len(rows)):
                    values = {name: labels[name] if np.isfinite(labels[name]) else np.nan for name in self.metrics}
                    with _writing(self._connection):
                        trial = self._store(keys[rows[i]].item(), natives[i], purpose, values)
                        if reason:
                            self._connection.execute("INSERT INTO failures VALUES (?, ?)", (trial, reason))
                    yield done

    def _store(self, key: int | str, native: str, purpose: str, labels: dict[str, float]) -> int | None:
        """Adds a trial within a write transaction; returns its id."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return self._connection.execute(_INSERT, _encode_trial(key, native, purpose, now, labels)).lastrowid

    def _first_unpaid(self, keys: np.ndarray) -> np.ndarray:
        """Where each key without a trial comes first, in increasing order."""
        first = np.sort(np.unique(keys, return_index=True)[1])
        return first[~self._is_stored(keys[first])]

    def _is_stored(self, keys: np.ndarray) -> np.ndarray:
        query = "SELECT key FROM trials WHERE key IN (SELECT value FROM json_each(?))"
        stored = {key for (key,) in self._connection.execute(query, (json.dumps(keys.tolist()),))}
        return np.array([key in stored for key in keys.tolist()], bool)

    def _stored(self, keys: np.ndarray) -> dict[int | str, dict[str, float]]:
        query = f"SELECT {_TRIAL_COLUMNS} FROM trials WHERE key IN (SELECT value FROM json_each(?))"
        rows = self._connection.execute(query, (json.dumps(keys.tolist()),))
        return {trial.key: trial.labels for trial in map(_decode_trial, rows)}


def _connect(path: Path, evaluator: Evaluator) -> sqlite3.Connection:
    """Opens the file for writing and makes it the evaluator's ledger if it is empty."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        _patiently(lambda: connection.execute("PRAGMA journal_mode = WAL"))
        connection.execute("PRAGMA synchronous = FULL")
        with _writing(connection):
            if not _has_tables(connection):
                _create(connection, evaluator)
            connection.execute(_FAILURES)
        _check_meta(connection, path, evaluator)
    except BaseException:
        connection.close()
        raise
    return connection


def _evaluate(evaluator: Evaluator, tokens: np.ndarray) -> dict[str, np.ndarray]:
    """One call of the evaluator, held to its contract; what isn't finite is NaN afterwards."""
    labels = {name: np.asarray(values, np.float64) for name, values in evaluator(tokens).items()}
    shapes = {name: values.shape for name, values in labels.items()}
    if shapes != dict.fromkeys(evaluator.metrics, (len(tokens),)):
        raise TypeError(
            f"the evaluator {evaluator.name!r} must return {len(tokens)} values for each of "
            f"{list(evaluator.metrics)}, returned {shapes}"
        )
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in labels.items()}


def _encode_trial(key: int | str, architecture: str, purpose: str, now: str, labels: dict[str, float]) -> tuple:
    text = json.dumps({name: None if np.isnan(value) else value for name, value in labels.items()})
    return key, architecture, purpose, now, text, _checksum(key, architecture, purpose, now, text)


def _decode_trial(row: tuple) -> Trial:
    """The trial of a row of `_TRIAL_COLUMNS`; raises ValueError if the row isn't what was stored."""
    number, key, architecture, purpose, stored_at, text, checksum = row
    if checksum != _checksum(key, architecture, purpose, stored_at, text):
        raise ValueError(f"trial {number} differs from its checksum")
    labels = {name: np.nan if value is None else value for name, value in json.loads(text).items()}
    return Trial(number, key, architecture, purpose, stored_at, labels)


def _checksum(*fields) -> int:
    return zlib.crc32(json.dumps(fields).encode())


def read_trials(path: str | Path, evaluator: Evaluator | None = None) -> list[Trial]:
    """All trials of a ledger in the order of payment; writes nothing.

    Args:
        path: the SQLite file.
        evaluator: whose ledger it must be, or still empty; None takes anybody's.

    Raises:
        InputError: the file is no readable ledger, or another evaluator's.

    Example:
        >>> from nag_jax import evaluators
        >>> evaluator = evaluators.make("analog_nasbench")
        >>> with Ledger.open("trials.db", evaluator) as ledger:
        ...     _ = ledger.label(evaluator.space.from_index([4242]), "an example")
        >>> [trial.purpose for trial in read_trials("trials.db")]
        ['an example']
    """
    path, query = Path(path), f"SELECT {_TRIAL_COLUMNS} FROM trials ORDER BY id"

    def read(connection: sqlite3.Connection) -> list[Trial]:
        if evaluator is not None:
            _examine_content(connection, path, evaluator)
            if not _has_tables(connection):
                return []
        return [_decode_trial(row) for row in connection.execute(query)]

    return _read_only(path, read)


def _examine(path: Path, evaluator: Evaluator) -> None:
    """Raises InputError unless the file is a sound ledger of the evaluator or empty; writes nothing."""
    _read_only(path, lambda connection: _examine_content(connection, path, evaluator))


def _read_only(path: Path, read: Callable[[sqlite3.Connection], _Read]) -> _Read:
    """What `read` makes of the file, which it can't change."""
    has_log = path.with_name(path.name + "-wal").exists()
    mode = "mode=ro" if has_log else "mode=ro&immutable=1"  # immutable: leaves no files beside it
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, timeout=0)
        try:
            return _patiently(lambda: read(connection))
        finally:
            connection.close()
    except InputError:
        raise
    except (sqlite3.DatabaseError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} is no readable ledger ({error}): restore a copy of it, or move it away to start a new "
            "one, which pays for its labels again"
        ) from error


def _examine_content(connection: sqlite3.Connection, path: Path, evaluator: Evaluator) -> None:
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise ValueError(" ".join(verdict.split()))
    if not _has_tables(connection):
        return
    _check_meta(connection, path, evaluator)
    for row in connection.execute(f"SELECT {_TRIAL_COLUMNS} FROM trials"):
        _decode_trial(row)


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0


def _create(connection: sqlite3.Connection, evaluator: Evaluator) -> None:
    for statement in filter(str.strip, _SCHEMA.split(";")):
        connection.execute(statement)
    connection.executemany("INSERT INTO meta VALUES (?, ?)", _meta(evaluator).items())


def _meta(evaluator: Evaluator) -> dict[str, str]:
    """What makes a ledger this evaluator's."""
    return {
        "format": FORMAT,
        "space": evaluator.space.fingerprint,
        "evaluator": evaluator.name,
        "metrics": json.dumps(sorted(evaluator.metrics)),
        "fingerprint": evaluator.fingerprint,
    }


_IN_WORDS = {
    "format": "format",
    "space": "space",
    "evaluator": "evaluator",
    "metrics": "set of metrics",
    "fingerprint": "table or other source of labels, by its fingerprint",
}


def _check_meta(connection: sqlite3.Connection, path: Path, evaluator: Evaluator) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"meta", "trials"} <= tables:
        raise InputError(f"{path} is an SQLite database but no ledger (tables: {sorted(tables)}): use another workdir")
    found = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    for name, expected in _meta(evaluator).items():
        if found.get(name) != expected:
            raise InputError(
                f"{path} is a ledger of another {_IN_WORDS[name]} (expected {expected[:60]}, found "
                f"{str(found.get(name))[:60]}): use the evaluator that it was made with, or another workdir"
            )


@contextmanager
def _writing(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction: committed to disk at the end, rolled back by an exception."""
    _patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
    try:
        yield
        _patiently(lambda: connection.execute("COMMIT"))
    except BaseException:
        connection.rollback()
        raise


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Waits until no other handle is in here with the same file; the lock dies with its process."""
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _patiently(action: Callable[[], _Read]) -> _Read:
    """Does it once no other handle has the file locked, however long that takes; Ctrl-C works meanwhile."""
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            if code & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # the rest refines these
                raise
        time.sleep(_LOCK_POLL_SECONDS)
