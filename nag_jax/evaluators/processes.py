"""Processes of shell commands: some at a time, each with a time limit and killed with all that it started."""

import json
import os
import re
import shlex
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from nag_jax.system.errors import InputError, shown

WORKER_VARIABLE = "NAG_JAX_WORKER"
"""The environment variable that tells a command which of the parallel workers runs it, from 0: to choose a GPU by."""
_LONGEST = 2**20
"""Bytes that are read of an output's end, whatever a command prints: metrics take hundreds, a gigabyte would count."""


_BROKEN = {126: "can't be executed", 127: "isn't found"}
"""Exit statuses by which a shell says that the command, not its input, is at fault."""
TAIL = 300
"""Characters of what a command printed that messages show."""


class Ended(NamedTuple):
    """A command that has ended.

    Attributes:
        status: its exit status, negative for a signal.
        in_time: whether it ended by itself.
        output: what it wrote to stdout, or the end of it.
        errors: the same of stderr.

    Example:
        >>> Ended(0, True, "1.5", "").status
        0
    """

    status: int
    in_time: bool
    output: str
    errors: str


class StoppedError(Exception):
    """A command was killed because the whole evaluation was stopped, so its status means nothing."""


class Processes:
    """Runs shell commands, each in a process group of its own.

    A command is over when the shell that runs it has ended. What it has left running by then, as the server of a
    tracking library, is killed and not waited for, although it may hold the command's stdout.

    Args:
        workers: threads that call `run` at the same time, at most.
        owner: what messages call the command.

    Attributes:
        stopped: set by `stop`.

    Example:
        >>> Processes(1, "a command").run("read name; printf $name", "cell", timeout=None)
        Ended(status=0, in_time=True, output='cell', errors='')
    """

    def __init__(self, workers: int, owner: str):
        self._owner = owner
        self._lock = threading.RLock()
        self._running: set[subprocess.Popen] = set()
        self._free = deque(range(workers))
        self.stopped = threading.Event()

    def run(self, command: str, request: str, timeout: float | None) -> Ended:
        """Runs a command to its end, with a line of input.

        Args:
            command: the command for the POSIX shell.
            request: what it reads from stdin.
            timeout: seconds until it is killed; None for no limit.

        Raises:
            InputError: no process can be made of it.
            StoppedError: `stop` was called.
        """
        worker = self._free.popleft()
        try:
            with ExitStack() as stack:
                try:
                    # Files, since a pipe lasts until the last process that holds it has ended.
                    files = [stack.enter_context(TemporaryFile()) for _ in range(3)]
                    os.pwrite(files[0].fileno(), f"{request}\n".encode(), 0)
                    process = self._start(command, worker, files)
                except (OSError, ValueError) as error:
                    raise InputError(
                        f"{self._owner} can't be started ({error}): correct it, or make room for it"
                    ) from error
                try:
                    in_time = _ends(process, timeout)
                    output, errors = (_end_of(file) for file in files[1:])
                finally:
                    self._end(process)
                return Ended(process.returncode, in_time, output, errors)
        finally:
            self._free.append(worker)

    def stop(self) -> None:
        """Kills what is running; nothing starts any more."""
        with self._lock:
            self.stopped.set()
            for process in self._running:
                _kill(process)

    def _start(self, command: str, worker: int, files: Sequence[IO[bytes]]) -> subprocess.Popen:
        stdin, stdout, stderr = files
        with self._lock:
            if self.stopped.is_set():
                raise StoppedError
            process = subprocess.Popen(
                command,
                shell=True,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, WORKER_VARIABLE: str(worker)},
                start_new_session=True,
            )
            self._running.add(process)
            return process

    def _end(self, process: subprocess.Popen) -> None:
        with self._lock:
            self._running.remove(process)
            _kill(process)
        process.wait()


def _kill(process: subprocess.Popen) -> None:
    """Kills what is left of a process's group, whose number nobody else gets while it has members."""
    with suppress(ProcessLookupError, PermissionError):  # systems differ about a group whose members have all ended
        os.killpg(process.pid, signal.SIGKILL)


def _ends(process: subprocess.Popen, timeout: float | None) -> bool:
    """Waits until the shell has ended; whether it did in time."""
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end_of(file: IO[bytes]) -> str:
    """The last megabyte of a file that may still be written, from its place in which nothing is changed."""
    size = os.fstat(file.fileno()).st_size
    start = max(0, size - _LONGEST)
    return os.pread(file.fileno(), size - start, start).decode(errors="replace")


def check_command(command: str, owner: str) -> None:
    """Checks a command without running it.

    Args:
        command: the command for the POSIX shell.
        owner: what messages call it.

    Raises:
        InputError: the shell couldn't read it, or wouldn't find the program that it begins with.

    Example:
        >>> check_command("echo 1", "a command")
    """
    try:
        read = subprocess.run(["/bin/sh", "-n", "-c", command], capture_output=True, check=False, text=True)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{owner} of {len(command):,} characters can't be run ({error}): write what it does into "
            "a script, and name that"
        ) from error
    try:
        words = [word for word in shlex.split(command) if not re.match(r"\w+=", word)]
    except ValueError as error:
        raise InputError(f"{owner} {command!r} can't be read ({error}): correct its quotes") from error
    if not words:
        raise InputError(f"{owner} is empty: name one, as 'python train.py'")
    if read.returncode:
        raise InputError(f"{owner} {command!r} can't be read ({tail(read.stderr)}): correct it")
    if not re.fullmatch(r"[\w./+-]+", words[0]):
        return  # the shell's own syntax, which only running it would check
    found = subprocess.run(["/bin/sh", "-c", 'command -v "$1"', "sh", words[0]], capture_output=True, check=False)
    if found.returncode:
        raise InputError(
            f"{owner} {command!r}: there is no program {words[0]!r} (looked for on PATH and in "
            f"{os.getcwd()}): install it, or correct the command"
        )


def failure(ended: Ended, command: str, owner: str) -> str:
    """Why a command ended with another status than 0, in one line.

    Raises:
        InputError: it is the command that is at fault, which the shell couldn't find or execute.

    Example:
        >>> failure(Ended(1, True, "", "no room"), "train", "a command")
        'exit status 1: no room'
    """
    said = tail(ended.errors)
    if (broken := _BROKEN.get(ended.status)) is not None:
        raise InputError(f"{owner} {command!r} {broken}: {said or 'correct it'} (tried in {os.getcwd()})")
    return ": ".join(filter(None, [f"exit status {ended.status}", said]))


def last_json(output: str) -> object:
    """The JSON value that an output, or else its last line, is; None where neither is one.

    Example:
        >>> last_json('{"accuracy": 93}')
        {'accuracy': 93.0}
    """
    for text in (output, (output.strip().splitlines() or [""])[-1]):
        with suppress(ValueError, RecursionError):  # of brackets by the thousand
            return json.loads(text, parse_int=float)  # as a float, whatever the digits
    return None


def tail(text: str) -> str:
    """The end of what a command printed, in one line."""
    words = " ".join(text.split())
    return shown(words if len(words) <= TAIL else f"...{words[-TAIL:]}")
