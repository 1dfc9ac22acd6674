"""The campaign of kills, small: what it counts is 0."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_no_kill_loses_anything(tmp_path):
    """Five kills, one of each mode; the whole campaign is `python -m tests.campaigns.kill`."""
    job = subprocess.run(
        [sys.executable, "-m", "tests.campaigns.kill", "--kills=5", f"--folder={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert job.returncode == 0, job.stderr
    assert re.match(r"5 kills .*: 0 labels lost, 0 paid twice, 0 signals lost, 0 tracebacks", job.stdout)
