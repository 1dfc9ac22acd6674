# pyright: reportArgumentType=false, reportOptionalOperand=false, reportOperatorIssue=false
"""Ledgers of format 1 and 2: what is read, converted and noticed."""

import json
import shutil
import sqlite3
import zlib

import numpy as np
import pytest

from nag_jax import evaluators
from nag_jax.evaluators import Metric
from nag_jax.evaluators.base import Outcome
from nag_jax.system.errors import InputError
from nag_jax.trials import FULL, Ledger, Trial, files, format1, opening, read_trials

OLD_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE trials (id INTEGER PRIMARY KEY, key INTEGER NOT NULL UNIQUE, architecture TEXT NOT NULL, "
    "purpose TEXT NOT NULL, time TEXT NOT NULL, labels TEXT NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE failures (trial INTEGER PRIMARY KEY, reason TEXT NOT NULL)",
)
TIME = "2026-01-01T00:00:00.000+00:00"


class Free:
    """An evaluator that may be asked for nothing, or answers at any fidelity."""

    name, fingerprint, batch_size = "free", "v1", 4

    def __init__(self, space, fidelities=None):
        self.space = space
        self.metrics = {"acc": Metric("acc")}
        if fidelities:
            self.fidelities = fidelities

    def __call__(self, tokens, fidelity=FULL, seed=0):
        return {"acc": self.space.to_index(tokens) + len(fidelity) + 1000 * seed}


def write_old(path, space, tokens, a_commit=7):
    """A ledger of format 1 with a trial for each of tokens that differ; every fifth failed, with a reason."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    for statement in OLD_TABLES:
        connection.execute(statement)
    meta = {"format": format1.FORMAT, "space": space.fingerprint, "evaluator": "free", "metrics": '["acc"]'}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", {**meta, "fingerprint": "v1"}.items())
    keys, natives = space.canonical(tokens).tolist(), space.to_native(tokens)
    connection.execute("BEGIN")
    for i, (key, native) in enumerate(zip(keys, natives, strict=True)):
        labels = json.dumps({"acc": None if i % 5 == 3 else i / 3})
        row = (key, native, "purpose" * (i % 4), TIME, labels)
        query = "INSERT INTO trials (key, architecture, purpose, time, labels, checksum) VALUES (?, ?, ?, ?, ?, ?)"
        number = connection.execute(query, (*row, zlib.crc32(json.dumps(row).encode()))).lastrowid
        if i % 5 == 3:
            connection.execute("INSERT INTO failures VALUES (?, ?)", (number, f"it broke at {i}"))
        if i % a_commit == a_commit - 1:
            connection.execute("COMMIT")
            connection.execute("BEGIN")
    connection.execute("COMMIT")
    connection.close()


@pytest.fixture(scope="module")
def distinct(space):
    """Tokens `[n, 8]` of the first n cells that compute different things."""
    tokens = space.from_index(np.arange(space.size))
    first = np.unique(space.canonical(tokens), return_index=True)[1]
    return lambda n: tokens[first[:n]]


@pytest.fixture
def old(tmp_path, space, distinct):
    (tmp_path / "old").mkdir()
    write_old(tmp_path / "old" / "trials.db", space, distinct(12))
    return tmp_path / "old" / "trials.db"


def check_old(trials, space, tokens):
    assert [trial.id for trial in trials] == list(range(1, len(tokens) + 1))
    assert [trial.key for trial in trials] == space.canonical(tokens).tolist()
    assert [trial.architecture for trial in trials] == space.to_native(tokens)
    for i, trial in enumerate(trials):
        assert trial.failed == (i % 5 == 3)
        assert (trial.status, trial.reason) == (("failed", f"it broke at {i}") if i % 5 == 3 else ("done", ""))
        np.testing.assert_array_equal(trial.values["acc"], np.nan if i % 5 == 3 else i / 3)
        assert (trial.fidelity, trial.seed, trial.origin, trial.cost) == (FULL, 0, "evaluator", None)
        assert (trial.purpose, trial.time) == ("purpose" * (i % 4), TIME)


def test_format_1_is_read_without_writing(old, space, distinct):
    before = old.read_bytes()
    check_old(read_trials(old), space, distinct(12))
    check_old(read_trials(old, Free(space)), space, distinct(12))
    assert old.read_bytes() == before
    assert [path.name for path in old.parent.iterdir()] == ["trials.db"]


def test_format_1_is_converted_beside_a_copy(old, space, distinct):
    before = old.read_bytes()
    with Ledger.open(old, Free(space)) as ledger:
        check_old(ledger.trials(), space, distinct(12))
        assert ledger.label(distinct(14), "new")["acc"].tolist()[-1] == space.to_index(distinct(14)[-1:]) + len(FULL)
        assert ledger.num_paid == 14
    copy = old.with_name("trials.db.format1")
    assert copy.read_bytes() == before
    assert sorted(path.name for path in old.parent.iterdir()) == ["trials.db", copy.name]
    check_old(read_trials(old, Free(space))[:12], space, distinct(12))


def test_a_kill_at_any_statement_of_a_conversion_loses_nothing(old, space, distinct, tmp_path):
    moments, connection = [], files.open_for_writing(old)

    def keep(statement):
        moments.append(shutil.copytree(old.parent, tmp_path / f"killed {len(moments)}"))

    connection.set_trace_callback(keep)
    with files.writing(connection):
        format1.convert(connection, old)
    connection.close()
    assert len(moments) > 30
    for folder in [*moments[::7], moments[-1]]:
        (folder / "trials.db-shm").unlink(missing_ok=True)  # memory, which a kill takes with it
        with Ledger.open(folder / "trials.db", Free(space)) as ledger:
            check_old(ledger.trials(), space, distinct(12))
        check_old(read_trials(folder / "trials.db.format1"), space, distinct(12))


def test_many_pages_of_format_1_are_in_order(tmp_path, space, distinct):
    write_old(tmp_path / "trials.db", space, distinct(3000), a_commit=11)
    check_old(read_trials(tmp_path / "trials.db"), space, distinct(3000))
    connection = sqlite3.connect(tmp_path / "trials.db", isolation_level=None)
    connection.execute("VACUUM")
    connection.close()
    check_old(read_trials(tmp_path / "trials.db"), space, distinct(3000))


SWAP = (
    "UPDATE trials SET id = -1 WHERE id = 2",
    "UPDATE trials SET id = 2 WHERE id = 5",
    "UPDATE trials SET id = 5 WHERE id = -1",
)


@pytest.mark.parametrize(
    "statements", [SWAP, ("DELETE FROM trials WHERE id = 4",), ("DELETE FROM trials WHERE id = 1",)]
)
def test_format_1_with_swapped_or_deleted_rows_is_refused(old, space, statements):
    edit(old, *statements)
    before = old.read_bytes()
    with pytest.raises(InputError, match=r"is no readable ledger .*(swapped|is missing)"):
        read_trials(old)
    with pytest.raises(InputError, match="is no readable ledger"):
        Ledger.open(old, Free(space))
    assert old.read_bytes() == before


def test_the_swapped_ledger_from_the_field_is_refused(shared, tmp_path):
    path = shared / "faults" / "swapped_ids.db"
    if not path.exists():
        pytest.skip(f"needs {path}")
    shutil.copyfile(path, tmp_path / "trials.db")
    with pytest.raises(InputError, match="swapped"):
        read_trials(tmp_path / "trials.db")
    with pytest.raises(InputError, match="swapped"):
        Ledger.open(tmp_path / "trials.db", evaluators.make("analog_nasbench"))


def edit(path, *statements):
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    "statements",
    [
        SWAP,
        ("DELETE FROM trials WHERE id = 4",),
        ("DELETE FROM trials WHERE id = 1",),
        ("DELETE FROM trials WHERE id = 8",),
        ("DELETE FROM trials",),
        ("DELETE FROM meta WHERE name = 'digest'",),
        ("UPDATE trials SET id = 9 WHERE id = 8",),
        ("INSERT INTO trials SELECT 9, key + 1, architecture, fidelity, seed, \"values\", curve, status, reason, cost, "
         "worker, origin, purpose, time, lease, digest FROM trials WHERE id = 8",),
        *[(f'UPDATE trials SET "{name}" = {value} WHERE id = 3',) for name, value in {
            "key": 12345, "architecture": "'x'", "fidelity": "'half'", "seed": 1, "values": "'{\"acc\": 1.0}'",
            "curve": "'[{}]'", "status": "'failed'", "reason": "'x'", "cost": 1.5, "worker": "'x'", "origin": "'x'",
            "purpose": "'x'", "time": "'x'", "digest": "'x'"}.items()],
    ],
)  # fmt: skip
def test_a_changed_swapped_or_deleted_trial_is_refused(tmp_path, space, distinct, statements):
    path = tmp_path / "trials.db"
    with Ledger.open(path, Free(space)) as ledger:
        ledger.label(distinct(8), "test")
    edit(path, *statements)
    before = path.read_bytes()
    for read in (read_trials, lambda path: Ledger.open(path, Free(space))):
        with pytest.raises(InputError, match="is no readable ledger"):
            read(path)
    assert path.read_bytes() == before


def test_a_trial_is_one_of_its_fidelity_and_seed(tmp_path, space, distinct):
    with Ledger.open(tmp_path / "trials.db", Free(space, fidelities=(FULL, "half"))) as ledger:
        values = [
            ledger.label(distinct(2), "test", fidelity=fidelity, seed=seed)["acc"]
            for fidelity, seed in ((FULL, 0), ("half", 0), (FULL, 3), ("half", 0))
        ]
        assert [(trial.fidelity, trial.seed) for trial in ledger.trials()[::2]] == [(FULL, 0), ("half", 0), (FULL, 3)]
        assert ledger.num_paid == 6
        assert ledger.is_paid(distinct(3), seed=3).tolist() == [True, True, False]
        assert ledger.num_new(distinct(3), fidelity="half", seed=3) == 3
        with pytest.raises(InputError, match=r"has the fidelities \['full', 'half'\], asked for fidelity 'third'"):
            ledger.label(distinct(1), "test", fidelity="third")
    np.testing.assert_array_equal(values[2], space.to_index(distinct(2)) + 3004)
    np.testing.assert_array_equal(values[1], values[3])
    with (
        Ledger.open(None, Free(space)) as ledger,
        pytest.raises(InputError, match="has no fidelities and seeds"),
    ):
        ledger.label(distinct(1), "test", seed=1)


class Streaming(Free):
    def outcomes(self, tokens):
        yield Outcome(1, {"acc": np.inf}, "it diverged", cost=3.0, worker="node 7")
        yield Outcome(0, {"acc": 2.0}, curve=({"epoch": 1, "acc": 1.0}, {"epoch": 2, "acc": np.nan}))


def test_a_trial_says_what_it_cost_who_evaluated_it_and_how_it_went(tmp_path, space, distinct):
    with Ledger.open(tmp_path / "trials.db", Streaming(space)) as ledger:
        ledger.label(distinct(2), "test")
    failed, done = read_trials(tmp_path / "trials.db")
    assert (failed.status, failed.reason, failed.cost, failed.worker) == ("failed", "it diverged", 3.0, "node 7")
    assert (done.status, done.reason, done.cost) == ("done", "", None)
    assert done.worker
    assert failed.curve == ()
    assert done.curve[0] == {"epoch": 1, "acc": 1.0}
    assert np.isnan(done.curve[1]["acc"])
    with Ledger.open(None, Free(space)) as ledger:
        ledger.label(distinct(6), "test")
        assert all(0 <= trial.cost < 10 for trial in ledger.trials())


def test_strings_that_look_like_numbers_stay_keys(space):
    with Ledger.open(None, Free(space)) as ledger:
        for key in ("123", "1e5", "abc"):
            assert ledger.add([Trial(key=key, architecture="a", values={"acc": 1.0}, purpose="test")]) == 1
        assert [trial.key for trial in ledger.trials()] == ["123", "1e5", "abc"]


def test_added_trials_are_all_or_none_and_none_twice(tmp_path, space, distinct):
    def trial(i, **changes):
        return Trial(
            **{"key": i, "architecture": "a", "values": {"acc": 1.0}, "purpose": "old", "origin": "x"} | changes
        )

    def broken():
        yield trial(1)
        raise RuntimeError("the source broke")

    with Ledger.open(tmp_path / "trials.db", Free(space)) as ledger:
        with pytest.raises(RuntimeError, match="the source broke"):
            ledger.add(broken())
        assert ledger.num_paid == 0
        assert ledger.add([trial(1), trial(2), trial(1)]) == 2
        assert ledger.add([trial(2), trial(2, seed=1)]) == 1
        assert ledger.paid_by_purpose() == {"old": 3}


def test_an_unknown_format_is_refused(old, space):
    edit(old, "UPDATE meta SET value = 'nag_jax ledger 3' WHERE name = 'format'")
    with pytest.raises(InputError, match=r"a ledger of another format .*found nag_jax ledger 3"):
        Ledger.open(old, Free(space))
    with pytest.raises(InputError, match="its format is 'nag_jax ledger 3'"):
        read_trials(old)


def test_opening_leaves_nothing_open_where_it_fails(old, space, monkeypatch):
    def full(content, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(format1, "_keep", full)
    before = old.read_bytes()
    with pytest.raises(InputError, match=r"can't be written .*No space left"):
        Ledger.open(old, Free(space))
    assert old.read_bytes() == before
    assert len(opening.read_trials(old)) == 12
