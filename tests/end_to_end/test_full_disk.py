"""Runs on disks that are too small for them end with one line."""

import subprocess
import sys

import pytest


@pytest.fixture
def small_disk(tmp_path, environment, root):
    """(size, *arguments) -> how the main job ends with a workdir on a disk of that size."""
    allowed = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0
    if not allowed:
        pytest.skip("needs the right to mount a small disk in a name space of its own")

    def run(size, *arguments):
        folder = tmp_path / "disk"
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "experiments.main", f"--workdir={folder / 'run'}", *arguments]
        mount = f'mount -t tmpfs -o size={size} tmpfs {folder} && exec "$@"'
        return subprocess.run(
            ["unshare", "-rm", "sh", "-c", mount, "sh", *command],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    return run


@pytest.mark.slow
@pytest.mark.parametrize("size", ["12k", "1200k", "1700k"])
def test_a_run_on_a_small_disk(size, small_disk):
    """Full at the claim of the workdir or the first checkpoint, at a later one or the ledger, and at the figures."""
    job = small_disk(size, "--config=configs/nb201.py:smoke")
    assert job.returncode == 2, job.stderr[-3000:]
    assert "Traceback" not in job.stderr
    assert job.stderr.splitlines()[-1].startswith("error: ")
    assert job.stderr.count("error: ") == 1
