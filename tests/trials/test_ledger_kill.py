# pyright: reportArgumentType=false
"""A process that pays for labels is killed with SIGKILL; the ledger goes on from what was stored."""

import multiprocessing
import runpy
import signal
import time

import numpy as np
import pytest

from nag_jax.evaluators import Metric
from nag_jax.trials import Ledger

NUM_CELLS = 60

WORKER = """
import os, signal, time
import numpy as np
from nag_jax import spaces
from nag_jax.evaluators import Metric
from nag_jax.trials import Ledger

space = spaces.make("nasbench201")

def die_at(here):
    if here == moment:
        os.kill(os.getpid(), signal.SIGKILL)

class Training:
    name, fingerprint, batch_size = "training", "v1", 2
    metrics = {"acc": Metric("acc")}
    space = space
    calls = 0

    def __call__(self, tokens):
        self.calls += 1
        die_at(f"call {self.calls}")
        with open(log, "a") as file:
            for index in space.to_index(tokens):
                file.write(f"{index}\\n")
            file.flush()
            os.fsync(file.fileno())
        time.sleep(0.01)
        die_at(f"end of call {self.calls}")
        return {"acc": space.to_index(tokens) / 3}

evaluator = Training()
with Ledger.open(database, evaluator) as ledger:
    die_at("open")
    tokens = space.from_index(np.load(database + ".npy"))
    ledger.label(tokens, "test", progress=lambda done, total: die_at(f"stored {done}"))
"""

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["nag_jax.spaces", "nag_jax.trials"])  # imported once for all workers


class Worker:
    """Runs the script above in a folder; it may kill itself at a moment of its run, or be killed."""

    def __init__(self, folder, space):
        self.space = space
        self.script = folder / "worker.py"
        self.database = folder / "trials.db"
        self.log = folder / "asked.txt"
        self.script.write_text(WORKER)
        self.log.touch()
        keys = space.canonical(space.from_index(np.arange(space.size)))
        self.cells = np.unique(keys, return_index=True)[1][:NUM_CELLS].tolist()
        np.save(f"{self.database}.npy", self.cells)

    def start(self, moment="never"):
        given = {"database": str(self.database), "log": str(self.log), "moment": moment}
        process = FORKS.Process(target=runpy.run_path, args=(str(self.script), given))
        process.start()
        return process

    def run(self, moment="never"):
        """The exit status of a run."""
        process = self.start(moment)
        process.join(120)
        return process.exitcode

    def asked(self):
        return [int(line) for line in self.log.read_text().split()]

    def open(self):
        return Ledger.open(self.database, Stored(self.space))


class Stored:
    """The worker's evaluator seen from outside: it may be asked for nothing."""

    name, fingerprint, batch_size = "training", "v1", 2

    def __init__(self, space):
        self.space = space
        self.metrics = {"acc": Metric("acc")}

    def __call__(self, tokens):
        raise AssertionError("a stored label was asked for again")


@pytest.fixture
def worker(tmp_path, space):
    return Worker(tmp_path, space)


def check_stored(worker, count):
    """The ledger holds the first `count` cells with their labels, and hands them out without payment."""
    cells = np.array(worker.cells[:count])
    with worker.open() as ledger:
        assert [trial.values["acc"] for trial in ledger.trials()] == (cells / 3).tolist()
        labels = ledger.label(worker.space.from_index(cells), "check")["acc"]
    np.testing.assert_array_equal(labels, cells / 3)


@pytest.mark.parametrize(
    ("moment", "stored"),
    [("open", 0), ("call 5", 8), ("end of call 5", 8), ("stored 10", 10)],
)
def test_killed_at_a_chosen_moment(worker, moment, stored):
    assert worker.run(moment) == -signal.SIGKILL
    check_stored(worker, stored)
    assert worker.run() == 0
    check_stored(worker, NUM_CELLS)
    lost = worker.cells[stored : stored + 2] if moment.startswith("end of call") else []
    assert sorted(worker.asked()) == sorted(worker.cells + lost)


def test_killed_again_and_again_from_outside(worker):
    rng = np.random.default_rng(0)
    kills = 0
    while True:
        process = worker.start()
        target = len(worker.asked()) + int(rng.integers(10, 20))
        while process.exitcode is None and len(worker.asked()) < target:
            time.sleep(0.001)
        time.sleep(float(rng.uniform(0, 0.02)))
        process.kill()
        process.join(120)
        if process.exitcode != -signal.SIGKILL:
            break
        kills += 1
        with worker.open() as ledger:
            paid = ledger.num_paid
        assert paid % 2 == 0, "the two labels of a call are stored together"
        check_stored(worker, paid)
    assert process.exitcode == 0
    assert kills >= 2
    check_stored(worker, NUM_CELLS)
    assert set(worker.asked()) == set(worker.cells)
    assert len(worker.asked()) <= NUM_CELLS + 2 * kills, "a kill loses at most the call that it interrupts"
