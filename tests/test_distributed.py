import os
import re
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent / "distributed"


def test_tests_of_several_devices_pass_in_a_process_of_eight():
    files = sorted(TESTS.glob("test_*.py"))
    command = [sys.executable, "-m", "pytest", "-n", "0", *map(str, files)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    ended = subprocess.run(command, cwd=TESTS.parents[1], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-5000:] + ended.stderr[-2000:]
    assert re.search(r"\d+ passed", ended.stdout)
