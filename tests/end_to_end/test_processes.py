"""Two processes with two devices each: the results of one, and an end within a minute where one of them dies."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.slow

END = 60.0
"""Seconds within which the death of one process ends the others."""
TIMEOUT = 400.0


class Processes:
    """The processes of one run; what each wrote is in `says`."""

    def __init__(self, folder, environment: dict[str, str], arguments, count, devices):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._files = [folder / f"{port}.{i}" for i in range(count)]
        self.all = []
        for i, file in enumerate(self._files):
            joined = ["--distributed", f"--coordinator=127.0.0.1:{port}", f"--num_processes={count}"]
            with file.open("w") as output:
                self.all.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "experiments.main", *arguments, *joined, f"--process_id={i}"],
                        env={**environment, "JAX_NUM_CPU_DEVICES": str(devices)},
                        stdout=output,
                        stderr=output,
                    )
                )

    @property
    def says(self):
        return [file.read_text() for file in self._files]

    def wait(self, timeout=TIMEOUT):
        """Their exit statuses."""
        end = time.monotonic() + timeout
        return [process.wait(max(0.1, end - time.monotonic())) for process in self.all]

    def kill_when(self, which, moment):
        """Kills one of them, and waits for the others."""
        end = time.monotonic() + TIMEOUT
        while not moment():
            assert time.monotonic() < end, self.says
            assert [process.poll() for process in self.all] == [None] * len(self.all), self.says
            time.sleep(0.01)
        self.all[which].send_signal(signal.SIGKILL)
        return self.wait(END)


@pytest.fixture
def start(tmp_path, environment):
    """Starts a run on several processes: (arguments, processes, devices of each)."""
    started = []

    def run(*arguments, count=2, devices=2):
        started.append(Processes(tmp_path, environment, arguments, count, devices))
        return started[-1]

    yield run
    for process in (process for run in started for process in run.all):
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()


def rows(run) -> Any:
    files = sorted((run.path / "samples").glob("*.parquet"))
    frames = [pd.read_parquet(file) for file in files]
    return pd.concat(frames, ignore_index=True).astype({"architecture": object})


def test_the_main_job(start, smoke_flag, open_run, undisturbed, tmp_path):
    """From one score network; training adds up gradients over devices, so that it gives the same up to rounding."""
    one, two = open_run(tmp_path / "one"), open_run(tmp_path / "two")
    job = start(smoke_flag, f"--workdir={two.path}")
    assert job.wait() == [0, 0], job.says
    assert two.results["devices"]["count"] == 4
    assert "score network" in job.says[0]
    assert "score network" not in job.says[1]
    assert two.results["score_network"]["loss"] == pytest.approx(undisturbed.results["score_network"]["loss"], rel=1e-2)

    score = f"--config.score.checkpoint={two.path / 'score'}"
    job = start(smoke_flag, f"--workdir={one.path}", score, count=1, devices=1)
    assert job.wait() == [0], job.says
    discrete = ["pool", "arch", "times_generated", "label_baseline"]
    pd.testing.assert_frame_equal(two.listing()[discrete], one.listing()[discrete], check_exact=True)
    pd.testing.assert_series_equal(two.listing()["predicted"], one.listing()["predicted"], rtol=1e-3, atol=1e-3)
    assert [row[:4] for row in two.trials()] == [row[:4] for row in one.trials()]


@pytest.mark.parametrize("killed", [0, 1])
def test_a_stream_of_which_one_process_is_killed(killed, start, smoke_flag, open_run, tmp_path):
    """Its samples are those of one device, but for a few of thousands that lie on the edge between two classes."""
    n = 8_000
    two = open_run(tmp_path / "two")
    stream = (smoke_flag, "--config.mode=stream", f"--config.num_samples={n}")
    job = start(*stream, f"--workdir={two.path}")
    statuses = job.kill_when(killed, (two.path / "samples" / "00000003.parquet").exists)
    assert statuses[killed] == -signal.SIGKILL
    assert statuses[1 - killed] not in (0, -signal.SIGKILL)
    says = job.says[1 - killed]
    assert "a process of this run has ended" in says or "another task died" in says, says
    written = sorted((two.path / "samples").glob("*.parquet"))
    assert 4 <= len(written) < 200
    kept = {file: file.stat().st_mtime_ns for file in written}

    job = start(*stream, f"--workdir={two.path}", count=1, devices=2)
    assert job.wait() == [0], job.says
    assert {file: file.stat().st_mtime_ns for file in written} == kept
    assert two.results["samples"] == n
    one = two.copy(tmp_path / "one")
    shutil.rmtree(one.path / "samples")
    job = start(*stream, f"--workdir={one.path}", count=1, devices=1)
    assert job.wait() == [0], job.says
    found, expected = rows(two), rows(one)
    assert found["index"].tolist() == expected["index"].tolist() == list(range(n))
    same = found["architecture"] == expected["architecture"]
    assert same.mean() > 0.999
    np.testing.assert_allclose(found["predicted"][same], expected["predicted"][same], rtol=1e-3, atol=1e-3)


def test_a_search(start, root, open_run, tmp_path):
    one, two = open_run(tmp_path / "one"), open_run(tmp_path / "two")
    search = (f"--config={root / 'configs' / 'nb201_bo.py'}:smoke", "--config.run=('bo_nag','random_search')")
    job = start(*search, f"--workdir={two.path}")
    assert job.wait() == [0, 0], job.says
    score = f"--config.score.checkpoint={two.path / 'score'}"
    job = start(*search, f"--workdir={one.path}", score, count=1, devices=1)
    assert job.wait() == [0], job.says
    assert (two.path / "trajectories.csv").read_bytes() == (one.path / "trajectories.csv").read_bytes()


def test_what_one_process_refuses_ends_all_with_its_reason(start, smoke_flag, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").touch()
    job = start(smoke_flag, f"--workdir={tmp_path / 'taken'}")
    assert job.wait(END) == [2, 2], job.says
    assert all("holds files but no config.json" in says for says in job.says), job.says
