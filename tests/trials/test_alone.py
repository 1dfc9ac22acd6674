# pyright: reportArgumentType=false
"""The lock of whoever pays: held by one handle at a time, for as long as it likes."""

import threading

import pytest

from nag_jax.evaluators import Metric
from nag_jax.system.errors import InputError
from nag_jax.trials import Ledger, files


class Counting:
    name, fingerprint, batch_size = "counting", "v1", 1

    def __init__(self, space):
        self.space = space
        self.metrics = {"index": Metric("index")}

    def __call__(self, tokens):
        return {"index": self.space.to_index(tokens)}


def test_others_pay_after_whoever_is_alone(tmp_path, space, caplog, monkeypatch):
    monkeypatch.setattr(files, "_SAY_SECONDS", 0.1)
    path, tokens = tmp_path / "trials.db", space.from_index([0, 100, 7000, 15624])
    waiting = threading.Event()

    def other():
        with Ledger.open(path, Counting(space)) as ledger:
            waiting.set()
            ledger.label(tokens, "other")

    thread = threading.Thread(target=other)
    with Ledger.open(path, Counting(space)) as ledger, ledger.alone(), ledger.alone():
        ledger.label(tokens[:1], "alone")
        thread.start()
        assert waiting.wait(30)
        thread.join(0.3)
        ledger.label(tokens[1:2], "alone")
        assert ledger.paid_by_purpose() == {"alone": 2}
    thread.join(30)
    with Ledger.open(path, Counting(space)) as ledger:
        assert [trial.purpose for trial in ledger.trials()] == ["alone", "alone", *["other"] * (ledger.num_paid - 2)]
        assert ledger.num_paid == len(set(space.canonical(tokens).tolist()))
    assert "waiting until it ends" in caplog.text
    assert [file.name for file in tmp_path.iterdir()] == ["trials.db"]


def test_many_hands_hold_it_one_at_a_time(tmp_path):
    inside, most = [], []

    def work():
        for _ in range(5):
            with files.alone(tmp_path / "lock"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == [1] * 30
    assert not list(tmp_path.iterdir())


def test_a_lock_that_cannot_be_made_is_one_line(tmp_path):
    with pytest.raises(InputError, match="can't be locked"), files.alone(tmp_path / "absent" / "lock"):
        pass
