"""A server is killed at random moments: no stored label is paid for again, none is lost, and replies stay the same."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nag_jax.trials import read_trials

ROOT = Path(__file__).resolve().parents[2]
KILLS = 20


class Server:
    """A server of a folder, forked by a process that has imported everything."""

    def __init__(self, forking, folder):
        for name in ("requests", "replies"):
            (folder / name).unlink(missing_ok=True)
            os.mkfifo(folder / name)
        print(folder, file=forking.stdin, flush=True)
        self.pid = int(forking.stdout.readline())
        self.requests, self.replies = (folder / "requests").open("w"), (folder / "replies").open()

    def send(self, method, **params):
        print(json.dumps({"method": method, "params": params}), file=self.requests, flush=True)

    def call(self, method, **params):
        self.send(method, **params)
        return json.loads(self.replies.readline())["result"]

    def kill(self):
        """Ends it at once; returns the replies that it had sent and nobody has read."""
        os.kill(self.pid, signal.SIGKILL)
        left = self.replies.read()
        for end in (self.requests, self.replies):
            end.close()
        return left


@pytest.fixture
def start(tmp_path):
    """() -> a server of a search by a command that writes down what it is asked for."""
    command = f'read -r line; echo "$line" >> {tmp_path / "paid.txt"}; echo \'{{"accuracy": 1.5}}\''
    arguments = [
        *("--config=nb201_search:smoke", "--config.run=('random_search',)", "--config.search.budget=500"),
        *("--config.evaluator.name=command", f"--config.evaluator.command={command}"),
        *("--config.evaluator.metric=accuracy", f"--workdir={tmp_path / 'run'}"),
    ]
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("forking.py")), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as forking:
        yield lambda: Server(forking, tmp_path)


@pytest.mark.slow  # starts processes and kills them
def test_killed_at_any_moment_no_label_is_paid_twice_and_none_is_lost(start, space, tmp_path):
    rng, known, again, cells = random.Random(1), [], set(), space.to_native(space.from_index(list(range(9000, 9500))))
    some = space.to_native(space.from_index([4242, 77]))  # which an ask that is cut short hardly makes pending
    looks = {"best": {"n": 3}, "check": {"architectures": some}, "explain": {"architectures": some}}
    replies, cut = {}, set()

    def classes(natives):
        return space.canonical(space.from_native(natives)).tolist()

    for kill in range(KILLS):
        server = start()
        history = server.call("history")
        assert history[: len(known)] == known
        again |= cut - {trial["architecture"] for trial in history}  # cut short, so it may be paid for again
        if len(history) == len(known) and replies:
            assert {method: server.call(method, **params) for method, params in looks.items()} == replies
        took = 0.0
        for _ in range(rng.randint(0, 3)):
            began = time.monotonic()
            (label,) = server.call("evaluate", architectures=[cells[rng.randrange(len(cells))]])
            took = time.monotonic() - began
            assert label["status"] == "done"
        known = server.call("history")
        replies = {method: server.call(method, **params) for method, params in looks.items()}
        cut = set(rng.sample(cells, 3)) if kill % 2 else set()
        if cut:
            server.send("evaluate", architectures=sorted(cut))
        else:
            server.send("ask", n=2)
        time.sleep(rng.random() * 2 * (took or 0.05))
        server.kill()
    server = start()
    assert server.call("history")[: len(known)] == known
    server.kill()
    # By class: a proposal that is pending is told by any architecture that computes the same thing.
    stored = classes([trial.architecture for trial in read_trials(tmp_path / "run" / "random_search" / "0.db")])
    asked = classes([json.loads(line)["architecture"] for line in read_lines(tmp_path / "paid.txt")])
    assert len(set(stored)) == len(stored) >= 10
    assert [key for key in stored if asked.count(key) != 1 and key not in classes(sorted(again))] == []


def read_lines(path):
    return path.read_text().splitlines() if path.exists() else []
