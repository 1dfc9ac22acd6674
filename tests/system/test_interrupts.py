"""Signals: none is lost, wherever it arrives, and what was paid for is stored first."""

import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nag_jax.system import interrupts

ROOT = Path(__file__).resolve().parents[2]
SIGNALS = [signal.SIGINT, signal.SIGTERM]


def run(code, *arguments):
    """Runs code in a process of its own, as a command line does."""
    head = "import gc, os, signal, sys, weakref\nfrom experiments import command_line\nnumber = int(sys.argv[1])\n"
    return subprocess.run(
        [sys.executable, "-c", head + code, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


CALLBACKS = {
    "of the garbage collector": "gc.callbacks.append(lambda phase, info: send())\nact = gc.collect",
    "of a weak reference": "class Thing: pass\nthing = Thing()\nkeep = weakref.ref(thing, lambda _: send())\n"
    "def act():\n    global thing\n    thing = None",
    "of a destructor": "class Thing:\n    def __del__(self): send()\nthing = Thing()\n"
    "def act():\n    global thing\n    thing = None",
}
"""Where Python can't pass on an exception."""
SEND = "sent = []\ndef send():\n    if not sent:\n        sent.append(1)\n        os.kill(os.getpid(), number)\n"
GOES_ON = "with command_line.ending('x'):\n    act()\n    for i in range(3):\n        print('still running')\n"


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("callback", CALLBACKS)
def test_a_signal_in_a_callback_ends_the_run(callback, number):
    job = run(SEND + CALLBACKS[callback] + "\n" + GOES_ON, number)
    assert (job.returncode, job.stdout) == (130, "")
    assert "Traceback" not in job.stderr
    assert "ignored" not in job.stderr
    assert job.stderr.splitlines()[-1] == f"    python -m x {int(number)}"


@pytest.mark.parametrize("number", SIGNALS)
def test_the_signal_of_the_field_report_is_not_lost(number, shared):
    script = shared / "faults" / "lost_interrupt.py"
    if not script.exists():
        pytest.skip(f"needs {script}")
    job = subprocess.run(
        [sys.executable, script, str(int(number))], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (job.returncode, job.stdout) == (130, "")


SWALLOWED = """
from nag_jax.system.progress import Phases
with command_line.ending('x'):
    with Phases()('counting') as progress:
        for i in range(3):
            try:
                os.kill(os.getpid(), number) if not i else None
            except BaseException:
                pass  # as a library may
            print('step', i)
            progress(i, 3)
"""


def test_what_a_library_swallows_is_raised_by_the_next_progress_update():
    job = run(SWALLOWED, signal.SIGTERM)
    assert (job.returncode, job.stdout) == (130, "step 0\n")


def test_swallowed_for_good_it_still_counts_at_the_end():
    job = run(
        "with command_line.ending('x'):\n    try:\n        os.kill(os.getpid(), number)\n    except BaseException:\n"
        "        sys.exit(0)\n",
        signal.SIGINT,
    )
    assert job.returncode == 130
    assert "interrupted: " in job.stderr


def test_another_exception_made_of_it_counts_as_the_signal():
    job = run(
        "from nag_jax.system.errors import InputError\nwith command_line.ending('x'):\n    try:\n"
        "        os.kill(os.getpid(), number)\n    except BaseException as error:\n"
        "        raise InputError('cannot be read') from error\n",
        signal.SIGINT,
    )
    assert job.returncode == 130
    assert "cannot be read" not in job.stderr


def test_without_listening_nothing_is_installed():
    job = run(
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "from nag_jax.system import interrupts, progress\n"
        "print(signal.getsignal(signal.SIGINT) is signal.default_int_handler,\n"
        "      signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, sys.unraisablehook is sys.__unraisablehook__)\n"
        "try:\n    with interrupts.held():\n        os.kill(os.getpid(), number)\n        print('held')\n"
        "except KeyboardInterrupt:\n    interrupts.check()\n    print('as Python does')\n",
        signal.SIGINT,
    )
    assert job.stdout == "True True True\nas Python does\n"


def test_it_is_raised_once_and_remembered(listening):
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    assert interrupts.arrived()
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()
    assert [signal.getsignal(number) for number in SIGNALS] == [signal.SIG_DFL] * 2


def test_held_it_is_raised_at_the_end(listening):
    done = []

    def store():
        with interrupts.held():
            with interrupts.held():
                os.kill(os.getpid(), signal.SIGINT)
                interrupts.check()
            done.append("stored")
        done.append("not reached")

    with pytest.raises(KeyboardInterrupt):
        store()
    assert done == ["stored"]


def test_what_is_waited_for_within_is_interrupted(listening):
    def wait():
        with interrupts.held(), interrupts.let_through():
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        wait()


def test_a_thread_that_holds_does_not_keep_the_main_one(listening):
    inside, over = threading.Event(), threading.Event()

    def hold():
        with interrupts.held():
            inside.set()
            over.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(60)
    try:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        interrupts._state.arrived = False  # which the thread would raise
        over.set()
        thread.join()


def test_a_sudden_end_stops_what_is_registered(tmp_path):
    """Here a command, which would go on without its run."""
    command = shlex.join(["sh", "-c", f"echo $$ > {tmp_path}/pid; sleep 1000"])
    code = f"""
import time
from pathlib import Path
from nag_jax import evaluators
evaluator = evaluators.make("command", command={command!r}, metric="acc")
def end(phase, info):
    if Path({str(tmp_path)!r}, "pid").exists() and Path({str(tmp_path)!r}, "pid").read_text():
        os.kill(os.getpid(), number)
def collect(*_):
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    gc.collect()
signal.signal(signal.SIGALRM, collect)
with command_line.ending("x"):
    gc.callbacks.append(end)
    collect()
    evaluator(evaluator.space.all_tokens()[:1])
"""
    job = run(code, signal.SIGTERM)
    assert job.returncode == 130, job.stderr
    assert "Traceback" not in job.stderr
    pid = int((tmp_path / "pid").read_text())
    stat = Path(f"/proc/{pid}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
