# pyright: reportArgumentType=false
"""A ledger while a signal comes, a disk is full, or nothing can be written beside it: no label is given up."""

import contextlib
import os
import shutil
import signal
import sqlite3

import numpy as np
import pytest

from nag_jax.evaluators import Metric
from nag_jax.system.errors import InputError
from nag_jax.trials import Ledger, read_only, read_trials, schema


class Indexed:
    """Labels a cell with its index, two at a time, after doing what a test wants."""

    name, fingerprint, batch_size = "indexed", "v1", 2

    def __init__(self, space, act=lambda: None):
        self.space, self.act = space, act
        self.metrics = {"index": Metric("index")}
        self.asked = 0

    def __call__(self, tokens):
        self.asked += len(tokens)
        self.act()
        return {"index": self.space.to_index(tokens).astype(float)}


@pytest.fixture
def tokens(space):
    """Six cells that compute different things."""
    everything = space.from_index(np.arange(space.size))
    return everything[np.unique(space.canonical(everything), return_index=True)[1][:6]]


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_while_labels_are_stored_waits_until_they_are(space, tokens, tmp_path, listening, monkeypatch):
    evaluator = Indexed(space)
    with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
        insert, once = schema.insert, iter([interrupt])
        monkeypatch.setattr(schema, "insert", lambda *row: [insert(*row), next(once, lambda: None)()])
        with pytest.raises(KeyboardInterrupt):
            ledger.label(tokens, "test")
        assert (ledger.num_paid, evaluator.asked) == (2, 2)


def test_a_signal_while_something_is_evaluated_ends_that(space, tokens, tmp_path, listening):
    evaluator = Indexed(space, interrupt)
    with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
        with pytest.raises(KeyboardInterrupt):
            ledger.label(tokens, "test")
        assert (ledger.num_paid, evaluator.asked) == (0, 2)


def test_nothing_is_paid_for_after_a_signal_that_got_lost(space, tokens, tmp_path, listening):
    def swallow():
        with contextlib.suppress(KeyboardInterrupt):
            interrupt()

    evaluator = Indexed(space, swallow)
    with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
        with pytest.raises(KeyboardInterrupt):
            ledger.label(tokens, "test")
        assert (ledger.num_paid, evaluator.asked) == (2, 2)
        with pytest.raises(KeyboardInterrupt):
            ledger.label(tokens, "test")
        assert evaluator.asked == 2


@pytest.fixture
def with_log(space, tokens, tmp_path):
    """The files of a ledger with all of its six trials in its write-ahead log, as a kill leaves them."""
    (tmp_path / "archive").mkdir()
    with Ledger.open(tmp_path / "trials.db", Indexed(space)) as ledger:
        ledger.label(tokens, "test")
        for name in ("trials.db", "trials.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / "archive" / name)
    return tmp_path / "archive" / "trials.db"


def test_with_a_log_where_nothing_can_be_written_it_is_read(with_log, space, monkeypatch):
    monkeypatch.setattr(read_only.os, "access", lambda *_: False)
    before = {path.name: path.read_bytes() for path in with_log.parent.iterdir()}
    assert len(read_trials(with_log, Indexed(space))) == 6
    assert {path.name: path.read_bytes() for path in with_log.parent.iterdir()} == before


TROUBLE = {
    "unable to open database file": sqlite3.SQLITE_CANTOPEN,
    "disk I/O error": sqlite3.SQLITE_IOERR | 10 << 8,
    "attempt to write a readonly database": sqlite3.SQLITE_READONLY,
}


@pytest.mark.parametrize("words", TROUBLE)
def test_trouble_with_the_machine_is_no_reason_to_move_it_away(words, with_log, space, monkeypatch):
    def connect(*_, **__):
        error = sqlite3.OperationalError(words)
        error.sqlite_errorcode = TROUBLE[words]
        raise error

    monkeypatch.setattr(sqlite3, "connect", connect)
    with pytest.raises(InputError, match=f"can't be read here .{words}., which says nothing against") as caught:
        read_trials(with_log)
    assert "move" not in str(caught.value)


def test_a_file_that_cannot_be_copied_is_no_reason_either(with_log, monkeypatch):
    monkeypatch.setattr(read_only.os, "access", lambda *_: False)
    monkeypatch.setattr(read_only.tempfile, "tempdir", "/nowhere/at/all")
    with pytest.raises(InputError, match=r"can't be read here .*No such file"):
        read_trials(with_log)
