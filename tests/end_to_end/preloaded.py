"""A server that runs `python -m experiments.main` in forks of itself: imports and the default table are paid for once.

Each line of its stdin is a request in JSON, each line of its stdout the answer:

    {"start": arguments, "cwd": folder, "env": changes, "stdout": file, "stderr": file}  ->  {"pid": number}
    {"wait": pid, "timeout": seconds}  ->  {"status": exit status, negative for a signal, null if it still runs}

A fork starts before any device is opened, so it behaves as a fresh process does.
"""

import functools
import gc
import json
import os
import runpy
import sys
import time

from absl import app  # noqa: F401 (imported for the forks, as the two below)
from ml_collections import config_flags  # noqa: F401

import experiments.runs  # noqa: F401
from nag_jax.evaluators import analog_nasbench

analog_nasbench.read_records = functools.cache(analog_nasbench.read_records)


def serve() -> list[str] | None:
    """Answers requests; returns the arguments of a command in a fork, and None in the server at the end."""
    analog_nasbench.read_records(analog_nasbench.find_file())
    gc.freeze()  # forks then don't look through what was imported, nor copy it
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = {"status": wait(request["wait"], request["timeout"])}
        else:
            pid = os.fork()
            if not pid:
                become(request)
                return request["start"]
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)
    return None


def become(request: dict) -> None:
    """Gives this fork the files, the folder and the environment of the request."""
    for stream, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, request["stdout"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, request["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        file = os.open(name, flags, 0o644)
        os.dup2(file, stream)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.update(request["env"])


def wait(pid: int, timeout: float) -> int | None:
    """The exit status of a fork, or None if it still runs after so many seconds."""
    end = time.monotonic() + timeout
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            return None
        time.sleep(0.005)


if __name__ == "__main__":
    arguments = serve()
    if arguments is not None:
        sys.argv = ["main.py", *arguments]
        runpy.run_module("experiments.main", run_name="__main__", alter_sys=True)
