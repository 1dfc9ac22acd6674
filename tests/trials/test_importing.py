"""Old labels as trials, from files, frames and the command line."""

import sys

import numpy as np
import pandas as pd
import pytest

from experiments import convert
from nag_jax import evaluators
from nag_jax.evaluators.function import from_function
from nag_jax.system.errors import InputError
from nag_jax.trials import FULL, Ledger, import_labels, read_trials


def unpaid(arch):
    raise AssertionError("paid again")


@pytest.fixture
def mine(space):
    return from_function(unpaid, space=space, metric="valid_acc", further=("latency",), fingerprint="v1")


def test_a_file_becomes_trials_that_are_not_paid_again(tmp_path, mine, table_path, cells, space):
    with Ledger.open(tmp_path / "trials.db", mine) as ledger:
        assert import_labels(ledger, table_path) == (4, 0)
        assert import_labels(ledger, str(table_path), origin="again") == (0, 4)
        labels = ledger.label(space.from_native(list(cells)), "new")
        assert ledger.paid_by_purpose() == {"imported": 4}
    assert labels["valid_acc"].tolist() == [93.5, 89.5, 50.25, 10.0]
    assert labels["latency"].tolist() == [9.35, 8.95, 5.025, 1.0]
    for trial, cell in zip(read_trials(tmp_path / "trials.db", mine), cells, strict=True):
        assert (trial.architecture, trial.origin, trial.status) == (cell, "table.csv", "done")
        assert (trial.fidelity, trial.seed, trial.cost, trial.worker) == (FULL, 0, None, "")


def test_a_frame_says_fidelity_seed_and_cost(mine, cells):
    frame = pd.DataFrame(
        {
            "arch": [cells[0], cells[0], cells[1], cells[0]],
            "valid_acc": [1.0, 2.0, np.nan, 3.0],
            "latency": [1.0, 2.0, 3.0, 4.0],
            "fidelity": ["full", "half", None, "full"],
            "seed": [0, 0, 7, 0],
            "cost": [10.0, np.nan, 3.5, 1.0],
        }
    )
    with Ledger.open(None, mine) as ledger:
        assert import_labels(ledger, frame.set_index("arch"), origin="a sheet") == (3, 1)
        found = [(t.fidelity, t.seed, t.cost, t.status, t.origin) for t in ledger.trials()]
    assert found == [
        ("full", 0, 10.0, "done", "a sheet"),
        ("half", 0, None, "done", "a sheet"),
        ("full", 7, 3.5, "failed", "a sheet"),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("arch,valid_acc", "{},1"), r"has no column for \['latency'\]"),
        (("arch,valid_acc,latency", "{},high,2"), "line 2: the column 'valid_acc' must hold numbers, found 'high'"),
        (("arch,valid_acc,latency", "|no~0|,1,2"), "line 2"),
        (("arch,valid_acc,latency,seed", "{},1,2,0.5"), "line 2: expected a whole number in the column 'seed'"),
        (("arch,valid_acc,latency,cost", "{},1,2,-3"), "line 2: expected seconds in the column 'cost', found -3"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_and_nothing_is_stored(mine, write_csv, cells, lines, message):
    path = write_csv(*(line.format(cells[0]) for line in lines))
    with Ledger.open(None, mine) as ledger:
        with pytest.raises(InputError, match=message):
            import_labels(ledger, path)
        assert ledger.num_paid == 0


def test_the_command(tmp_path, monkeypatch, write_csv, capsys, space):
    evaluator = evaluators.make("analog_nasbench")
    tokens = space.from_index([0, 15624])
    values = evaluator(tokens)
    frame = pd.DataFrame({"arch": space.to_native(tokens), **values})
    frame.to_parquet(tmp_path / "old.parquet")
    flags = ["labels", str(tmp_path / "old.parquet"), "--config=configs/nb201.py:smoke"]
    for more in (["--ledger", str(tmp_path / "mine.db"), "--origin=2019"], [f"--workdir={tmp_path / 'run'}"]):
        monkeypatch.setattr(sys, "argv", ["convert", *flags, *more])
        convert.main([*flags, *more])
    assert [trial.origin for trial in read_trials(tmp_path / "mine.db", evaluator)] == ["2019", "2019"]
    found = read_trials(tmp_path / "run" / "trials.db", evaluator)
    assert [trial.values["baseline"] for trial in found] == values["baseline"].tolist()
    assert (tmp_path / "run" / "config.json").exists()
    assert f"stored 2 labels in {tmp_path / 'mine.db'}" in capsys.readouterr().out
