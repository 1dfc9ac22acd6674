"""Opening ledgers: examined before anything is written, converted where they are old, or only read."""

import sqlite3
from pathlib import Path

from nag_jax.evaluators.base import Evaluator
from nag_jax.trials import files, format1, schema
from nag_jax.trials.trial import Trial


def read_trials(path: str | Path, evaluator: Evaluator | None = None) -> list[Trial]:
    """All trials of a ledger in the order of payment, be it in format 2 or 1; writes nothing.

    Args:
        path: the SQLite file.
        evaluator: the evaluator whose ledger it must be, or still empty; None takes anybody's.

    Raises:
        InputError: the file is no readable ledger, or another evaluator's.

    Example:
        >>> from nag_jax import evaluators
        >>> evaluator = evaluators.make("analog_nasbench")
        >>> from nag_jax.trials import Ledger
        >>> with Ledger.open("trials.db", evaluator) as ledger:
        ...     _ = ledger.label(evaluator.space.from_index([4242]), "an example")
        >>> [trial.purpose for trial in read_trials("trials.db")]
        ['an example']
    """
    path = Path(path)
    return files.read_only(path, lambda connection: examined(connection, path, evaluator))


def read_identity(path: Path) -> dict[str, str]:
    """What makes a ledger somebody's: its format, space, evaluator, metrics and fingerprint; writes nothing.

    Raises:
        InputError: the file is no readable database, or no ledger.
    """
    return files.read_only(path, lambda connection: dict(connection.execute("SELECT name, value FROM meta")))


def examined(connection: sqlite3.Connection, path: Path, evaluator: Evaluator | None) -> list[Trial]:
    """The trials of a sound ledger of the evaluator, or of anybody; none of a file that is still empty."""
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise ValueError(" ".join(verdict.split()))
    if evaluator is not None and not schema.has_tables(connection):
        return []
    found = schema.format_of(connection)
    if evaluator is not None:
        known = found if found == format1.FORMAT else schema.FORMAT
        schema.check_identity(connection, path, evaluator, expected_format=known)
    elif found not in (format1.FORMAT, schema.FORMAT):
        raise ValueError(f"its format is {found!r}")
    return format1.read_all(connection) if found == format1.FORMAT else schema.read_all(connection)


def connect(path: Path, evaluator: Evaluator) -> sqlite3.Connection:
    """Opens the file for writing and makes it the evaluator's ledger if it is empty."""
    connection = files.open_for_writing(path)
    try:
        with files.writing(connection):
            if not schema.has_tables(connection):
                schema.create(connection, evaluator)
            elif schema.format_of(connection) == format1.FORMAT:
                format1.convert(connection, path)
        schema.check_identity(connection, path, evaluator)
    except BaseException:
        connection.close()
        raise
    return connection
