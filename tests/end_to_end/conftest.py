"""Ways to run the command line, as a user does or in process, and to look at what it left."""

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pandas as pd
import pytest
from absl import logging
from absl.testing import flagsaver

from experiments import command_line as endings
from experiments import main

ROOT = Path(__file__).resolve().parents[2]
SMOKE = f"--config={ROOT / 'configs' / 'nb201.py'}:smoke"
TIMEOUT = 400.0
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "XLA_FLAGS"},
    "PYTHONPATH": str(ROOT),
    "JAX_PLATFORMS": "cpu",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # compiling, where the cache is cold, takes two thirds of a smoke run
}


@dataclasses.dataclass
class Job:
    """One call of the command line.

    Attributes:
        pid: of its process.
        folder: holds what it wrote to stdout and stderr.
        status: its exit status once it has ended; negative for a signal.
    """

    pid: int
    folder: Path
    status: int | None = None

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()


class Ended(NamedTuple):
    """A call of the command line in process: its exit status, and what it wrote to stdout and stderr."""

    status: int
    stdout: str
    stderr: str


def call(*arguments: str, cwd: Path = ROOT) -> Ended:
    """Calls the command line in this process, which takes no second import; what it sets is set back."""
    out, err = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    hook, verbosity, status = sys.unraisablehook, logging.get_verbosity(), 0
    try:
        with (
            flagsaver.flagsaver(),
            mock.patch.object(sys, "argv", ["main.py", *arguments]),
            contextlib.chdir(cwd),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            endings.ending("experiments.main"),
        ):
            main.main(main.parse_flags(sys.argv))
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(bool(end.code))
    finally:
        logging.set_verbosity(verbosity)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook
    return Ended(status, out.getvalue(), err.getvalue())


class CommandLine:
    """Runs `python -m experiments.main` in forks of a server that has imported everything (see preloaded.py)."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._jobs = 0
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("preloaded.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            start_new_session=True,
        )

    def start(self, *arguments: str, cwd: Path = ROOT, **environment: str) -> Job:
        """Starts the command with these arguments and changes of the environment."""
        self._jobs += 1
        folder = self._folder / str(self._jobs)
        folder.mkdir()
        (folder / "stdout").touch()
        (folder / "stderr").touch()
        request = {
            "start": arguments,
            "cwd": str(cwd),
            "env": environment,
            "stdout": str(folder / "stdout"),
            "stderr": str(folder / "stderr"),
        }
        return Job(self._ask(request)["pid"], folder)

    def ended(self, job: Job, timeout: float) -> bool:
        """Whether the job ends within so many seconds."""
        job.status = self._ask({"wait": job.pid, "timeout": timeout})["status"]
        return job.status is not None

    def wait(self, job: Job) -> Job:
        """Waits until the job has ended; kills it and fails if it takes too long."""
        if not self.ended(job, TIMEOUT):
            self.kill(job)
            pytest.fail(f"still running after {TIMEOUT} s:\n{job.stderr[-2000:]}")
        return job

    def kill(self, job: Job) -> Job:
        """Kills the job with SIGKILL."""
        os.kill(job.pid, signal.SIGKILL)
        assert self.ended(job, TIMEOUT)
        assert job.status == -signal.SIGKILL
        return job

    def kill_when(self, job: Job, moment: Callable[[], bool]) -> Job:
        """Kills the job as soon as `moment()` holds; fails if the job ends or a long time passes before."""
        self._await(job, moment)
        return self.kill(job)

    def interrupt(self, job: Job, moment: Callable[[], bool], number: int) -> list[str]:
        """Sends the job a signal as soon as `moment()` holds; returns the command that, it says, goes on."""
        self._await(job, moment)
        os.kill(job.pid, number)
        self.wait(job)
        assert job.status == 130, job.stderr[-3000:]
        assert "Traceback" not in job.stderr
        *_, advice, command = job.stderr.splitlines()
        assert advice.startswith("interrupted: ")
        return shlex.split(command)

    def __call__(self, *arguments: str, cwd: Path = ROOT, **environment: str) -> Job:
        """Runs the command to its end."""
        return self.wait(self.start(*arguments, cwd=cwd, **environment))

    def close(self) -> None:
        """Ends the server and whatever still runs in it."""
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.communicate()

    def _await(self, job: Job, moment: Callable[[], bool]) -> None:
        end = time.monotonic() + TIMEOUT
        while not moment():
            if self.ended(job, 0) or time.monotonic() > end:
                pytest.fail(f"status {job.status} before the moment came:\n{job.stderr[-2000:]}")
            time.sleep(0.002)

    def _ask(self, request: dict) -> dict:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())


@dataclasses.dataclass(frozen=True)
class Run:
    """A workdir, and how to read it without touching it."""

    path: Path

    @property
    def results(self) -> dict:
        return json.loads((self.path / "results.json").read_text())

    @property
    def architectures(self) -> bytes:
        return (self.path / "architectures.csv").read_bytes()

    def listing(self) -> Any:
        """`architectures.csv` as a data frame."""
        return pd.read_csv(self.path / "architectures.csv")

    def trials(self) -> list[tuple]:
        """All rows of the ledger, as SQLite stores them; read from a copy, for a reader may leave files behind."""
        if not (self.path / "trials.db").exists():
            return []
        copy = self.path.with_name(f"{self.path.name}.ledger")
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for name in ("trials.db", "trials.db-wal"):
            if (self.path / name).exists():
                shutil.copy(self.path / name, copy / name)
        connection = sqlite3.connect(copy / "trials.db")
        try:
            tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'trials'").fetchone()[0]
            columns = 'id, key, architecture, purpose, time, "values", digest'
            return connection.execute(f"SELECT {columns} FROM trials ORDER BY id").fetchall() if tables else []
        finally:
            connection.close()
            shutil.rmtree(copy)

    def content(self) -> dict[str, str]:
        """Every file and folder below (or the file itself), with the SHA-256 of its content."""
        return {
            str(path.relative_to(self.path)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            for path in [self.path, *self.path.rglob("*")]
            if path.exists()
        }

    def copy(self, path: Path) -> "Run":
        shutil.copytree(self.path, path)
        return Run(path)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def smoke_flag() -> str:
    """The flag that names the smoke config from any folder."""
    return SMOKE


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment of commands: the CPU, and compiled programs kept between sessions."""
    return dict(ENVIRONMENT)


@pytest.fixture(scope="session")
def command_line(tmp_path_factory):
    """Calls the command line with any arguments."""
    server = CommandLine(tmp_path_factory.mktemp("jobs"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def open_run() -> type[Run]:
    """`Run`, which tests can't import."""
    return Run


@pytest.fixture(scope="session")
def in_process() -> Callable[..., Ended]:
    """Calls the command line with any arguments in this process: seconds less than in one of its own."""
    return call


def check_refused(call, path, says, *arguments, config=SMOKE) -> str:
    """A call must be refused at once: the only line on the terminal has all words of `says`.

    The workdir is left as it is, or is not made where there is none.
    """
    run = Run(path)
    before = run.content()
    job = call(config, f"--workdir={path}", *arguments)
    assert job.status == 2, job.stderr[-2000:]
    assert job.stderr.startswith("error: ")
    assert job.stderr.count("\n") == 1, job.stderr
    assert job.stdout == ""
    assert [word for word in says if word not in job.stderr] == [], job.stderr
    assert run.content() == before
    return job.stderr


@pytest.fixture
def refused(tmp_path):
    """Calls the smoke config in process, which must be refused as `check_refused` says."""

    def run(*arguments: str, says: tuple[str, ...], workdir: Path | None = None, config: str = SMOKE) -> str:
        return check_refused(call, workdir or tmp_path / "refused", says, *arguments, config=config)

    return run


@pytest.fixture
def refused_at_the_terminal(command_line, tmp_path):
    """Runs the smoke config in a process of its own, which must be refused likewise."""

    def run(*arguments: str, says: tuple[str, ...], workdir: Path | None = None) -> str:
        return check_refused(command_line, workdir or tmp_path / "refused", says, *arguments)

    return run


@pytest.fixture
def smoke(command_line, tmp_path):
    """Starts the smoke config in a workdir: (overrides, workdir) -> job and run."""

    def start(*overrides: str, workdir: Path | None = None, **environment: str) -> tuple[Job, Run]:
        workdir = workdir or tmp_path / "run"
        return command_line.start(SMOKE, f"--workdir={workdir}", *overrides, **environment), Run(workdir)

    return start


@pytest.fixture(scope="session")
def first_job(built_once) -> subprocess.CompletedProcess:
    """The smoke config as a user's first command, in a fresh folder, into the default workdir; run once for all."""

    def build(folder):
        (folder / "user").mkdir()
        with (folder / "stdout").open("w") as stdout, (folder / "stderr").open("w") as stderr:
            job = subprocess.run(
                [sys.executable, "-m", "experiments.main", SMOKE],
                cwd=folder / "user",
                env=ENVIRONMENT,
                stdout=stdout,
                stderr=stderr,
                timeout=TIMEOUT,
                check=False,
            )
        (folder / "status").write_text(str(job.returncode))

    folder = built_once("first_job", build)
    status, stdout, stderr = ((folder / name).read_text() for name in ("status", "stdout", "stderr"))
    return subprocess.CompletedProcess(folder / "user", int(status), stdout, stderr)


@pytest.fixture(scope="session")
def undisturbed(first_job) -> Run:
    """The run of `first_job`. Tests must not change it; they copy it."""
    assert first_job.returncode == 0, first_job.stderr[-3000:]
    return Run(first_job.args / "runs" / "nb201-smoke")
