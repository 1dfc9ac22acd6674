"""What docs/agents.md shows: a scripted agent's session with `nag serve`, and a script around a language model."""

import json
import os
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import jax
import numpy as np
import pytest

from nag_jax import spaces, strategies

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "docs" / "agents.md").read_text(), re.DOTALL | re.MULTILINE)

PYTHON = {block.partition("\n")[0]: block for language, block in BLOCKS if language == "python"}
CELL = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


class Chat(BaseHTTPRequestHandler):
    """A server in a model's place, which answers at length."""

    said: ClassVar[list[str]] = []

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.said.append(asked["messages"][0]["content"])
        answer = {"choices": [{"message": {"content": f'Try this:\n```json\n["{CELL}"]\n```'}}]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format, *arguments):
        pass


def test_the_script_around_a_model_proposes_what_it_says(tmp_path, monkeypatch):
    (tmp_path / "propose.py").write_text(PYTHON["# propose.py"])
    space = spaces.NASBench201()
    with ThreadingHTTPServer(("127.0.0.1", 0), Chat) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for name, value in (("URL", f"http://127.0.0.1:{server.server_port}"), ("MODEL", "none"), ("KEY", "none")):
            monkeypatch.setenv(f"CHAT_{name}", value)
        strategy = strategies.make("llm", space, command=f"{sys.executable} -S {tmp_path / 'propose.py'}")
        known = space.from_index([4242])
        state = strategy.tell(strategy.init(jax.random.key(0)), known, np.array([[93.5]]))
        tokens, _ = strategy.ask(jax.random.key(1), state, 1)
        server.shutdown()
    assert space.to_native(tokens) == [CELL]
    assert space.to_native(known)[0] in Chat.said[0]


@pytest.mark.slow  # two processes
def test_the_session_prints_what_the_page_says(tmp_path, monkeypatch):
    pytest.importorskip("mcp")
    nag = tmp_path / "bin" / "nag"
    nag.parent.mkdir()
    nag.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m nag_jax "$@"\n')
    nag.chmod(0o755)
    report = PYTHON["import nag_jax as nag"]
    (printed,) = (block for language, block in BLOCKS if language == "text")
    environment = {**os.environ, "PATH": f"{nag.parent}:{os.environ['PATH']}"}
    (tmp_path / "agent.py").write_text(PYTHON["# agent.py"])
    job = subprocess.run(
        [sys.executable, "agent.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert (job.returncode, job.stdout) == (0, printed), job.stderr
    monkeypatch.chdir(tmp_path)
    exec(report, {})
    page = (tmp_path / "agent.html").read_text()
    assert "Who proposed" in page
    assert "agent.py" in page
