import shutil
import sqlite3

import numpy as np
import pytest

from nag_jax import evaluators
from nag_jax.evaluators import table_file
from nag_jax.system.errors import InputError
from nag_jax.trials import Ledger, read_trials


@pytest.fixture
def table(table_path):
    return table_file.load(path=table_path, metric="valid_acc")


@pytest.fixture
def other(write_csv, cells):
    """A table with the same metrics and other labels."""
    return table_file.load(
        path=write_csv("arch,valid_acc,latency", f"{cells[0]},1,2", name="other.csv"), metric="valid_acc"
    )


@pytest.fixture
def path(tmp_path, table):
    """A closed ledger with four trials."""
    folder = tmp_path / "run"
    folder.mkdir()
    with Ledger.open(folder / "trials.db", table) as ledger:
        ledger.label(table.architectures(), "test")
    return folder / "trials.db"


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def check_refused(path, evaluator, message):
    before = contents(path.parent)
    with pytest.raises(InputError, match=message) as caught:
        Ledger.open(path, evaluator)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert contents(path.parent) == before


def test_trials_are_read_without_the_evaluator_and_without_a_trace(path, table):
    before = contents(path.parent)
    found = read_trials(path)
    assert contents(path.parent) == before
    with Ledger.open(path, table) as ledger:
        ledger.label(table.architectures(), "again")
        assert found == read_trials(path) == ledger.trials()
    assert len(found) == 4
    path.write_text("no ledger")
    with pytest.raises(InputError, match="is no readable ledger"):
        read_trials(path)


def test_a_closed_ledger_is_one_file(path):
    assert list(contents(path.parent)) == ["trials.db"]


def test_a_file_that_is_no_database_is_refused_untouched(path, table):
    path.write_text("accuracy,cell\n" * 1000)
    check_refused(path, table, "is no readable ledger .*not a database.*move it away")


@pytest.mark.parametrize("keep", [50, 1000, 4096, 9000])
def test_a_truncated_ledger_is_refused_untouched(path, table, keep):
    path.write_bytes(path.read_bytes()[:keep])
    check_refused(path, table, "is no readable ledger .*move it away")


def test_overwritten_pages_are_refused_untouched(path, table):
    content = bytearray(path.read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 64] = b"\xaa" * 64
    path.write_bytes(content)
    check_refused(path, table, "is no readable ledger")


def test_a_label_with_one_changed_digit_is_refused_untouched(path, table):
    content = path.read_bytes()
    assert content.count(b'"valid_acc": 93.5') == 1
    path.write_bytes(content.replace(b'"valid_acc": 93.5', b'"valid_acc": 98.5'))
    check_refused(path, table, "trial 1 differs from its digest")


def test_a_label_that_is_no_text_any_more_is_refused_untouched(path, table):
    path.write_bytes(path.read_bytes().replace(b'"valid_acc": 93.5', b'"valid_acc"\xff\xfe93.5'))
    check_refused(path, table, "is no readable ledger")


def test_every_damaged_byte_is_refused_or_harmless(path, table):
    sound = path.read_bytes()
    with Ledger.open(path, table) as ledger:
        expected = ledger.trials()
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(sound), 300):
        content = bytearray(sound)
        content[position] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        try:
            ledger = Ledger.open(path, table)
        except InputError:
            assert path.read_bytes() == content
        else:
            with ledger:
                assert ledger.trials() == expected
        for leftover in path.parent.glob("trials.db-*"):
            leftover.unlink()


def test_another_database_is_refused_untouched(path, table):
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE experiments (name TEXT)")
    connection.close()
    check_refused(path, table, r"is an SQLite database but no ledger \(tables: \['experiments'\]\)")


def test_a_ledger_of_other_labels_is_refused_untouched(path, other):
    check_refused(path, other, "a ledger of another table or other source of labels.*another workdir")


def test_a_ledger_of_other_metrics_is_refused_untouched(path, table_path):
    other = evaluators.make("table", path=table_path, metric="measured_late", allow_failed=True)
    check_refused(path, other, "a ledger of another set of metrics .*measured_late")


def test_a_ledger_of_another_evaluator_is_refused_untouched(path):
    other = evaluators.make("analog_nasbench")
    check_refused(path, other, "a ledger of another evaluator .*expected analog_nasbench, found table")


def test_a_ledger_of_another_space_is_refused_untouched(path, table, monkeypatch, space):
    other = type("Other", (type(space),), {"name": "mobilenet_v3"})()
    monkeypatch.setattr(table, "space", other)
    check_refused(path, table, "a ledger of another space .*expected mobilenet_v3, found nasbench201")


def test_the_metric_searched_by_does_not_matter(path, table_path):
    other = evaluators.make("table", path=table_path, metric="latency")
    with Ledger.open(path, other) as ledger:
        assert ledger.num_paid == 4


def test_a_ledger_left_by_a_killed_process_is_refused_untouched_too(path, table, other):
    killed = path.parent.parent / "killed"
    path.unlink()
    with Ledger.open(path, table) as ledger:
        ledger.label(table.architectures(), "test")
        shutil.copytree(path.parent, killed)
    assert (killed / "trials.db-wal").stat().st_size > 0
    before = contents(killed)
    with pytest.raises(InputError, match="another table"):
        Ledger.open(killed / "trials.db", other)
    after = contents(killed)
    assert after["trials.db"] == before["trials.db"]
    assert after["trials.db-wal"] == before["trials.db-wal"]
    with Ledger.open(killed / "trials.db", table) as ledger:
        assert ledger.num_paid == 4


@pytest.mark.parametrize("pragma", [None, "journal_mode = WAL"])
def test_what_a_kill_during_creation_leaves_is_an_empty_ledger(tmp_path, table, pragma):
    path = tmp_path / "trials.db"
    path.touch()
    if pragma:
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA {pragma}")
        connection.close()
        assert path.stat().st_size
    with Ledger.open(path, table) as ledger:
        ledger.label(table.architectures(), "test")
        assert ledger.num_paid == 4


def test_a_path_that_cannot_be_a_file_is_refused(tmp_path, table):
    with pytest.raises(InputError, match="can't be a ledger"):
        Ledger.open(tmp_path, table)
    with pytest.raises(InputError, match="can't be a ledger"):
        Ledger.open(tmp_path / "absent" / "trials.db", table)


def test_a_file_that_cannot_be_written_is_refused(tmp_path, table):
    path = tmp_path / "trials.db"
    path.symlink_to(tmp_path / "absent" / "trials.db")
    with pytest.raises(InputError, match=r"trials\.db can't be written \(unable to open"):
        Ledger.open(path, table)


def test_a_path_with_odd_characters_works(tmp_path, table):
    path = tmp_path / "a run? 100%#1.db"
    for _ in range(2):
        with Ledger.open(path, table) as ledger:
            ledger.label(table.architectures(), "test")
            assert ledger.num_paid == 4
    assert path.is_file()


def test_trials_are_read_for_their_own_evaluator_only(path, table, other, tmp_path):
    assert len(read_trials(path, table)) == 4
    with pytest.raises(InputError, match="is a ledger of another table"):
        read_trials(path, other)
    (tmp_path / "empty.db").touch()
    assert read_trials(tmp_path / "empty.db", table) == []
