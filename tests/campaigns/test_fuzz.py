"""A minute of the campaign: no reader runs code, raises what isn't an InputError, or takes more than it may."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_changed_files_are_read_or_refused():
    command = [sys.executable, "-m", "tests.campaigns.fuzz", "--cases", "2500", "--seed", "1"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = run.stdout.splitlines()[-1]
    assert re.match(r"fuzz: 2500 cases of \d+ readers, seed 1: 0 code run, 0 tracebacks, 0 crashes, 0 hangs, ", last), (
        run.stdout
    )
    assert run.returncode == 0, run.stdout
