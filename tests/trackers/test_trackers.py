"""Trackers: what each is told of a run."""

import importlib.util
import sys
import time
import types

import pytest

from nag_jax import trackers
from nag_jax.system.errors import InputError
from nag_jax.system.events import Event

RUN = [
    Event("phase", "predictor", {}, 1.0),
    Event("progress", "predictor", {"done": 20, "total": 40, "loss": 0.5}, 2.0),
    Event("progress", "predictor", {"done": 40, "total": 40, "loss": float("nan")}, 3.0),
    Event("end", "predictor", {"seconds": 2.0}, 3.0),
    Event("trial", "search", {"ledger": "bo/0", "values": {"accuracy": 93.5, "latency": float("nan")}}, 4.0),
    Event("trial", "search", {"ledger": "bo/0", "values": {"accuracy": 94.0, "latency": 2.0}}, 5.0),
]
EXPECTED = [
    ("predictor/loss", 0.5, 20),
    ("seconds/predictor", 2.0, 0),
    ("bo/0/accuracy", 93.5, 1),
    ("bo/0/accuracy", 94.0, 2),
    ("bo/0/latency", 2.0, 2),
]


@pytest.fixture
def fake(monkeypatch):
    """Puts a package of that name in the place of the real one, which may not be installed."""

    def put(name, **members):
        module = types.ModuleType(name)
        module.__spec__ = importlib.util.spec_from_loader(name, None)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)

    return put


def tell(name, folder):
    listen = trackers.make(name, "nb201", folder)
    for event in RUN:
        listen(event)


def test_tensorboard_files_hold_every_number(tmp_path):
    pytest.importorskip("tensorboardX")
    tell("tensorboard", tmp_path)
    (file,) = (tmp_path / "tensorboard").iterdir()
    end = time.monotonic() + 20
    while not all(name.encode() in file.read_bytes() for name, _, _ in EXPECTED):
        assert time.monotonic() < end, "a thread writes once a second"
        time.sleep(0.05)


def test_mlflow_is_told_every_number(fake, tmp_path):
    logged, started = [], {}

    class Client:
        def log_metric(self, run_id, name, value, time, step):
            assert (run_id, time >= 2000) == ("the id", True)
            logged.append((name, value, step))

    def start_run(**options):
        started.update(options)
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id="the id"))

    fake("mlflow", start_run=start_run, MlflowClient=Client)
    tell("mlflow", tmp_path)
    assert logged == EXPECTED
    assert started == {"run_name": "nb201", "tags": {"workdir": str(tmp_path)}}


def test_wandb_is_told_every_number(fake, tmp_path):
    logged, started = [], {}

    def init(**options):
        started.update(options)
        return types.SimpleNamespace(log=logged.append)

    fake("wandb", init=init)
    tell("wandb", tmp_path / "run")
    assert logged == [{name: value, f"{name} (step)": step} for name, value, step in EXPECTED]
    assert (started["name"], started["dir"]) == ("nb201", str(tmp_path / "run"))


@pytest.mark.parametrize("name", sorted(trackers.REGISTRY))
def test_a_missing_package_is_one_line_that_names_the_extra(name, monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(InputError, match=rf"the tracker {name} needs the package .*'nag-jax\[{name}\]'"):
        trackers.make(name, "nb201", tmp_path)


def test_an_unknown_tracker_is_refused(tmp_path):
    with pytest.raises(InputError, match="unknown tracker 'aim': use one of"):
        trackers.make("aim", "nb201", tmp_path)
