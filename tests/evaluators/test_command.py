"""Evaluating by a shell command: what goes in and out, what fails and how, and what is stored when."""

import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from nag_jax import evaluators
from nag_jax.evaluators import Metric
from nag_jax.evaluators import command as by_command
from nag_jax.evaluators.command import read_labels
from nag_jax.objectives.metric import parse_metrics
from nag_jax.system.errors import InputError
from nag_jax.trials import Ledger

PATIENCE = 60.0
"""Seconds after which a test that waits for something has failed."""


def wait_until(holds):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it didn't happen"
        time.sleep(0.01)


def is_running(pid):
    """Whether a process is there and no zombie, as one is whose parent is slow to look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def cells(space):
    """Cells that differ, whose first operations count up: tokens `[5, 8]`."""
    tokens = space.from_ops([[n, 3, 3, 3, 3, 3] for n in range(5)])
    assert len(np.unique(space.canonical(tokens))) == 5
    return tokens


@pytest.fixture
def make(tmp_path, space):
    """(body of a script, **options) -> its evaluator. The script's `n` is the first operation, `here` its folder."""

    def make(body, **options):
        script = tmp_path / "evaluate.py"
        script.write_text(
            "import json, math, os, pathlib, sys, time\n"
            f"here = pathlib.Path({str(tmp_path)!r})\n"
            "n = json.load(sys.stdin)['tokens'][1] - 2\n" + body
        )
        command = shlex.join([sys.executable, "-S", str(script)])
        return evaluators.make("command", space=space, command=command, **{"metric": "acc", **options})

    return make


def test_what_else_is_printed_does_not_matter(make, cells):
    evaluator = make("print('epoch 1'); print('{'); print(json.dumps({'acc': n / 2, 'other': 'x'}))")
    assert evaluator(cells)["acc"].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sys.exit('no memory\\nat all')", "exit status 1: no memory at all"),
        ("sys.exit(7)", "exit status 7"),
        ("os.kill(os.getpid(), 9)", "exit status (-9|137: Killed)"),
        ("print('done')", "expected a JSON object on stdout or on its last line, found 'done'"),
        ("pass", "expected a JSON object on stdout or on its last line, found ''"),
        ("print(json.dumps([1.0]))", r"expected a JSON object .* found '\[1.0\]'"),
        ("print(json.dumps({'accuracy': 1.0}))", "no 'acc' among its metrics, 'accuracy'"),
        ("print(json.dumps({}))", "no 'acc' among its metrics, of which there is none"),
        ("print(json.dumps({'acc': math.nan}))", "'acc' is nan, expected a finite number"),
        ("print(json.dumps({'acc': '93'}))", "'acc' is '93', expected a finite number"),
        ("print(json.dumps({'acc': True}))", "'acc' is True, expected a finite number"),
        ("print('{\"acc\": ' + '9' * 400 + '}')", "'acc' is inf, expected a finite number"),
        ("print('{\"acc\": ' + '9' * 5000 + '}')", "'acc' is inf, expected a finite number"),
        ("print('{\"acc\": 1e999}')", "'acc' is inf, expected a finite number"),
        ("print('{\"acc\": ' + '[' * 100_000)", "expected a JSON object on stdout or on its last line, found .*"),
        ("print('[' * 100_000 + ']' * 100_000)", "expected a JSON object on stdout or on its last line, found .*"),
        ("os.write(1, bytes(range(256)))", "expected a JSON object on stdout or on its last line, found .*"),
        ("print(json.dumps({'acc': 1.0, 'x': 'y' * 2**20}))", "expected a JSON object on stdout .*"),
        ("time.sleep(100)", r"it took more than 3 s and was stopped"),
    ],
)
def test_failures_are_recorded_with_their_reason(body, reason, make, cells, tmp_path, caplog):
    """Of the third cell; the others are as they should be."""
    evaluator = make(f"if n == 2:\n    {body}\nelse:\n    print(json.dumps({{'acc': n}}))", timeout=3.0, workers=3)
    with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
        labels = ledger.label(cells, "test")["acc"]
        np.testing.assert_array_equal(labels, [0, 1, np.nan, 3, 4])
        assert all(trial.cost and 0 < trial.cost < PATIENCE for trial in ledger.trials())
        assert (ledger.num_paid, ledger.num_failed) == (5, 1)
        (failed,) = [trial for trial in ledger.trials() if trial.failed]
        assert failed.architecture == evaluator.space.to_native(cells[2:3])[0]
        assert [trial.id for trial in ledger.trials() if trial.reason] == [failed.id]
        assert re.fullmatch(reason, failed.reason)
        np.testing.assert_array_equal(ledger.label(cells, "again")["acc"], labels)
        assert ledger.num_paid == 5
    assert f"the trial of {failed.architecture} failed: {failed.reason}" in caplog.text


def test_metrics_that_are_there_are_kept(make, cells, tmp_path):
    evaluator = make("print(json.dumps({'acc': n}))", metrics="latency:min:ms")
    with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
        labels = ledger.label(cells, "test")
        assert ledger.num_failed == 5
        assert ledger.trials()[0].reason == "no 'latency' among its metrics, 'acc'"
    assert sorted(labels["acc"].tolist()) == [0, 1, 2, 3, 4]
    assert np.isnan(labels["latency"]).all()


COUNTED = """
tries = here / f'{n}.tries'
tries.open('a').write('x')
if len(tries.read_text()) <= n:
    sys.exit('not yet')
print(json.dumps({'acc': n}))
"""


def test_failures_are_tried_again(make, cells, tmp_path):
    """The cell of operation n works at its attempt n + 1."""
    evaluator = make(COUNTED, retries=2)
    outcomes = {outcome.row: outcome for outcome in evaluator.outcomes(cells)}
    assert [outcomes[row].labels["acc"] for row in range(3)] == [0, 1, 2]
    assert [len((tmp_path / f"{n}.tries").read_text()) for n in range(5)] == [1, 2, 3, 3, 3]
    assert outcomes[3].reason == outcomes[4].reason == "exit status 1: not yet (attempt 3 of 3)"


def test_every_label_is_stored_before_the_rest_are_there(make, cells, tmp_path):
    """The first cell ends only after another connection has seen the labels of all others in the ledger's file."""
    evaluator = make(
        "while n == 0 and not (here / 'go').exists():\n    time.sleep(0.01)\nprint(json.dumps({'acc': n}))", workers=2
    )
    seen = []

    def look(done, total):
        with sqlite3.connect(tmp_path / "trials.db") as other:
            seen.append((done, total, other.execute("SELECT count(*) FROM trials").fetchone()[0]))
        if done == 4:
            (tmp_path / "go").touch()

    with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
        labels = ledger.label(cells, "test", look)["acc"]
        assert ledger.trials()[-1].values == {"acc": 0.0}
        assert [trial.id for trial in ledger.trials(after=3)] == [4, 5]
    assert labels.tolist() == [0, 1, 2, 3, 4]
    assert seen == [(n, 5, n) for n in range(1, 6)]


def test_workers_have_numbers_of_their_own(make, cells, tmp_path):
    """Two at a time wait for each other, so both have to run."""
    body = """
worker = os.environ['NAG_JAX_WORKER']
(here / f'{worker} is here').touch()
while len(list(here.glob('* is here'))) < 2:
    time.sleep(0.01)
print(json.dumps({'acc': int(worker)}))
"""
    assert set(make(body, workers=2)(cells)["acc"]) == {0.0, 1.0}


SLEEPER = "(here / f'{n}.pid').write_text(str(os.getpid()))\ntime.sleep(1000)"


def pids(folder):
    return [int(text) for file in folder.glob("*.pid") if (text := file.read_text())]


def test_what_runs_is_killed_where_the_run_stops(make, cells, tmp_path):
    evaluator = make(f"if n:\n    exec({SLEEPER!r})\nprint(json.dumps({{'acc': n}}))", workers=3)
    outcomes = evaluator.outcomes(cells)
    assert next(outcomes).row == 0
    wait_until(lambda: len(pids(tmp_path)) >= 2)
    outcomes.close()
    started = pids(tmp_path)
    wait_until(lambda: not any(map(is_running, started)))
    assert len(pids(tmp_path)) <= 3, "nothing starts any more"


def test_what_had_ended_is_stored_where_the_run_stops(make, cells, tmp_path, listening):
    """And what was killed then is no failed trial: it is asked again."""
    evaluator = make(
        f"if n == 2:\n    exec({SLEEPER!r})\nprint(json.dumps({{'acc': n}}))\n(here / f'{{n}}.done').touch()", workers=3
    )

    def stop(done, total):
        wait_until(lambda: len(list(tmp_path.glob("*.done"))) == 2 and pids(tmp_path))
        time.sleep(0.5)  # for the two to end, of which one is stored so far
        os.kill(os.getpid(), signal.SIGTERM)

    with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
        with pytest.raises(KeyboardInterrupt):
            ledger.label(cells[:3], "test", stop)
        assert sorted(trial.values["acc"] for trial in ledger.trials()) == [0.0, 1.0]
    (pid,) = pids(tmp_path)
    wait_until(lambda: not is_running(pid))


def test_all_that_had_ended_is_told_of_however_often_it_is_interrupted(make, cells, tmp_path):
    evaluator = make("print(json.dumps({'acc': n}))\n(here / f'{n}.done').touch()", workers=3)
    outcomes = evaluator.outcomes(cells[:3])
    rows = [next(outcomes).row]
    wait_until(lambda: len(list(tmp_path.glob("*.done"))) == 3)
    time.sleep(0.5)  # for the processes to end
    rows += [outcomes.throw(KeyboardInterrupt()).row, outcomes.throw(KeyboardInterrupt()).row]
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)
    assert sorted(rows) == [0, 1, 2]


def test_what_had_ended_is_stored_where_another_command_is_broken(make, cells, tmp_path):
    evaluator = make(
        "if n == 1:\n    while not (here / 'go').exists():\n        time.sleep(0.01)\n    sys.exit(127)\n"
        "print(json.dumps({'acc': n}))",
        workers=3,
    )

    def go_on(done, total):
        if done == 1:
            time.sleep(0.5)
            (tmp_path / "go").touch()
            time.sleep(0.5)

    with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
        with pytest.raises(InputError, match="isn't found"):
            ledger.label(cells[:3], "test", go_on)
        assert sorted(trial.values["acc"] for trial in ledger.trials()) == [0.0, 2.0]


def test_a_signal_to_the_whole_job_is_no_failure_of_the_command(make, cells, tmp_path, listening):
    """As of Slurm, which the command may get first."""
    evaluator = make(f"import signal\nos.kill({os.getpid()}, 15) if n else time.sleep(0.1)\nos.kill(os.getpid(), 15)")
    with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
        with pytest.raises(KeyboardInterrupt):
            ledger.label(cells[1:3], "test")
        assert ledger.num_paid == 0


def test_a_timeout_kills_what_the_command_started(make, cells, tmp_path, space):
    script = make(SLEEPER)._command
    evaluator = evaluators.make("command", space=space, command=f"{script}; true", metric="acc", timeout=1.0)
    assert np.isnan(evaluator(cells[:1])["acc"]).all()
    (pid,) = pids(tmp_path)
    wait_until(lambda: not is_running(pid))


DAEMON = """
import subprocess
child = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(1000)"
subprocess.Popen([sys.executable, "-S", "-c", child, str(here / f"{n}.pid")])
while not (here / f"{n}.pid").exists() or not (here / f"{n}.pid").read_text():
    time.sleep(0.01)
"""
"""Leaves a process behind that holds stdout and stderr."""


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_what_a_command_leaves_running_is_not_waited_for_and_killed(timeout, make, cells, tmp_path):
    start = time.monotonic()
    assert make(DAEMON + "print(json.dumps({'acc': n}))", timeout=timeout)(cells[:2])["acc"].tolist() == [0, 1]
    assert time.monotonic() - start < 50
    assert len(pids(tmp_path)) == 2
    wait_until(lambda: not any(map(is_running, pids(tmp_path))))


def test_what_a_failed_command_leaves_running_is_killed(make, cells, tmp_path):
    assert np.isnan(make(DAEMON + "sys.exit(1)")(cells[:1])["acc"]).all()
    wait_until(lambda: not any(map(is_running, pids(tmp_path))))


def test_the_shell_may_end_before_what_it_started(cells, tmp_path, space):
    """And is what the time counts for; the rest is killed."""
    command = f"sleep 1000 & echo $! > {tmp_path}/0.pid; echo '{{\"acc\": 1}}'"
    evaluator = evaluators.make("command", space=space, command=command, metric="acc", timeout=60.0)
    assert evaluator(cells[:1])["acc"].tolist() == [1.0]
    wait_until(lambda: not any(map(is_running, pids(tmp_path))))


def test_a_hundred_megabytes_of_output_cost_nothing(make, cells):
    body = "for _ in range(100):\n    print('x' * 2**20); print('y' * 2**20, file=sys.stderr)\n"
    evaluator = make(body + "print(json.dumps({'acc': n}))")
    tracemalloc.start()
    assert evaluator(cells[1:2])["acc"].tolist() == [1.0]
    assert tracemalloc.get_traced_memory()[1] < 30e6
    tracemalloc.stop()


@pytest.mark.parametrize(("status", "message"), [(127, "isn't found"), (126, "can't be executed")])
def test_a_broken_command_stops_before_anything_is_stored(status, message, make, cells, tmp_path):
    evaluator = make(f"print('no such thing', file=sys.stderr); sys.exit({status})", retries=3)
    with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
        with pytest.raises(InputError, match=f"{message}: no such thing"):
            ledger.label(cells, "test")
        assert ledger.num_paid == 0


def test_what_never_began_is_not_waited_for(make, cells, monkeypatch):
    """`wait` takes a future that is cancelled before it begins for one that may still end."""
    waited, wait = [], by_command.wait

    def noted(futures, *rest):
        waited.append([future.cancelled() for future in futures])
        return wait(futures, *rest)

    monkeypatch.setattr(by_command, "wait", noted)
    with pytest.raises(InputError, match="isn't found"):
        make("sys.exit(127)")(cells)
    assert not any(waited[-1])


def test_two_handles_never_run_the_same_twice(make, cells, tmp_path):
    evaluator = make("(here / f'{n}.runs').open('a').write('x'); time.sleep(0.05); print(json.dumps({'acc': n}))")
    found = []

    def label(order):
        with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
            found.append(ledger.label(cells[order], "test")["acc"].tolist())

    threads = [threading.Thread(target=label, args=(order,)) for order in ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[0, 1, 2, 3, 4]] * 2
    assert [(tmp_path / f"{n}.runs").read_text() for n in range(5)] == ["x"] * 5


WORKER = """
import sys
from nag_jax import evaluators, spaces, trials

database, command = sys.argv[1:]
space = spaces.make("nasbench201")
evaluator = evaluators.make("command", space=space, command=command, metric="acc", workers=2)
with trials.Ledger.open(database, evaluator) as ledger:
    print(ledger.label(space.from_ops([[n, 3, 3, 3, 3, 3] for n in range(5)]), "test")["acc"].tolist())
"""


def test_a_kill_loses_only_what_was_running(make, tmp_path):
    """Killed while the second cell waits for a file: all others have their labels, and only the second is run again."""
    evaluator = make(
        "(here / f'{n}.runs').open('a').write('x')\n"
        "deadline = time.monotonic() + 60\n"
        "while n == 1 and not (here / 'go').exists() and time.monotonic() < deadline:\n    time.sleep(0.01)\n"
        "print(json.dumps({'acc': n}))"
    )
    database = tmp_path / "trials.db"
    program = [sys.executable, "-c", WORKER, str(database), evaluator._command]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "JAX_PLATFORMS": "cpu"}

    def stored():
        if not database.exists():
            return 0
        with Ledger.open(database, evaluator) as ledger:
            return ledger.num_paid

    process = subprocess.Popen(program, env=environment)
    wait_until(lambda: stored() == 4)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert stored() == 4
    (tmp_path / "go").touch()
    out = subprocess.run(program, env=environment, capture_output=True, text=True, check=True).stdout
    assert out == "[0.0, 1.0, 2.0, 3.0, 4.0]\n"
    assert [(tmp_path / f"{n}.runs").read_text() for n in range(5)] == ["x", "xx", "x", "x", "x"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"command": "no-such-program train.py"}, "there is no program 'no-such-program' .*install it, or correct"),
        ({"command": "A=1 ./train.sh"}, "there is no program './train.sh'"),
        ({"command": "python 'train.py"}, "can't be read .No closing quotation.: correct its quotes"),
        ({"command": " "}, "is empty: name one"),
        ({"command": "true; (true"}, "can't be read .*expect.*: correct it"),
        ({"command": "true \0"}, "of 6 characters can't be run .embedded null byte.: write what it does into a script"),
        ({"command": f"true {'x' * 200_000}"}, "of 200,005 characters can't be run .*too long.*: write what it does"),
        ({"command": "true", "timeout": -1.0}, "timeout must be more than 0, found -1.0"),
        ({"command": "true", "retries": -1}, "retries must be at least 0, found -1"),
        ({"command": "true", "workers": 0}, "workers must be at least 1, found 0"),
        ({"command": "true", "metrics": "a:min, a"}, "a metric comes twice in .'a', 'a'.: name it once"),
        ({"command": "true", "metrics": "a:min:ms:test:x"}, "metric 'a:min:ms:test:x' isn't understood"),
        ({"command": "true", "metrics": ":min"}, "metric ':min' isn't understood"),
        ({"command": "true", "metrics": "a:most"}, "unknown direction of the metric 'a' 'most'"),
        ({"command": "true", "metrics": "a:min::tset"}, "unknown split of the metric 'a' 'tset': did you mean 'test'"),
        ({"command": "true", "directions": {"b": "min"}}, "unknown metric of the command 'b'"),
    ],
)
def test_what_is_wrong_is_named_before_anything_runs(options, message, space):
    with pytest.raises(InputError, match=message) as caught:
        evaluators.make("command", space=space, **{"metric": "acc", **options})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("command", ["true", "A=1 B='x y' true", "(true)", "cd / && true", "for i in 1; do true; done"])
def test_what_a_shell_understands_is_accepted(command, space):
    assert evaluators.make("command", space=space, command=command, metric="acc").name == "command"


def test_the_objective_comes_first_and_fields_describe_it(space):
    found = evaluators.make(
        "command",
        space=space,
        command="true",
        metric="val_loss",
        directions={"val_loss": "min"},
        metrics=[Metric("params", "M", "min"), Metric("val_loss", "?")],
    )
    assert list(found.metrics) == ["val_loss", "params"]
    assert found.metrics["val_loss"] == Metric("val_loss", "", "min", "validation")
    assert getattr(found, "objective", None) == "val_loss"


def test_metrics_in_words():
    assert parse_metrics("latency:min:ms, test_acc:max:%, x") == [
        Metric("latency", "ms", "min"),
        Metric("test_acc", "%", "max", "test"),
        Metric("x"),
    ]
    assert parse_metrics("") == []


def test_the_whole_output_may_be_one_object():
    labels, reason = read_labels('{\n "acc": 3\n}\n', {"acc": Metric("acc")})
    assert (labels, reason) == ({"acc": 3.0}, "")


def test_the_ledger_is_that_of_the_command(make, cells, tmp_path, space):
    evaluator = make("print(json.dumps({'acc': n}))")
    with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
        ledger.label(cells[:1], "test")
    other = evaluators.make("command", space=space, command=f"{evaluator._command} --epochs=3", metric="acc")
    with pytest.raises(InputError, match="is a ledger of another table or other source of labels"):
        Ledger.open(tmp_path / "trials.db", other)
    with Ledger.open(tmp_path / "trials.db", make("print(json.dumps({'acc': n}))", workers=3, retries=1)) as ledger:
        assert ledger.num_paid == 1
