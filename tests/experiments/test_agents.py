"""The session of docs/agents.md: a scripted agent with the protocol's own client, and `nag serve` in a process."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "docs" / "agents.md").read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.slow  # two processes
def test_the_session_prints_what_the_page_says(tmp_path, monkeypatch):
    pytest.importorskip("mcp")
    nag = tmp_path / "bin" / "nag"
    nag.parent.mkdir()
    nag.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m nag_jax "$@"\n')
    nag.chmod(0o755)
    script, report = (block for language, block in BLOCKS if language == "python")
    (printed,) = (block for language, block in BLOCKS if language == "text")
    environment = {**os.environ, "PATH": f"{nag.parent}:{os.environ['PATH']}"}
    (tmp_path / "agent.py").write_text(script)
    job = subprocess.run(
        [sys.executable, "agent.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert (job.returncode, job.stdout) == (0, printed), job.stderr
    monkeypatch.chdir(tmp_path)
    exec(report, {})
    page = (tmp_path / "agent.html").read_text()
    assert "Who proposed" in page
    assert "agent.py" in page
