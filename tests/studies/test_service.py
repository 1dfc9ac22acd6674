"""A service: one reply to every line, the trials of a search, the operator's budget, and nothing of the test split."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import nag_jax as nag
from nag_jax.settings.search import STRATEGIES
from nag_jax.studies.methods import METHODS
from nag_jax.studies.service import replies
from nag_jax.system.fields import to_dict
from nag_jax.trials import read_trials

ROOT = Path(__file__).resolve().parents[2]
CHEAP = ["regularized_evolution", "local_search", "random_search"]


@pytest.mark.parametrize("door", ["lines", "mcp", "api"])
@pytest.mark.parametrize(
    "strategy",
    [name if name in CHEAP else pytest.param(name, marks=pytest.mark.slow) for name in STRATEGIES if name != "llm"],
)
def test_a_client_ends_with_the_trials_of_a_search(serve, space, evaluator, measured, strategy, door):
    if strategy == "tpe":
        pytest.importorskip("optuna")
    block = to_dict(STRATEGIES[strategy])
    given: dict[str, Any] = {"strategy": block.pop("name"), "initial": 5, "progress": False, **block}
    found = nag.search(space, evaluator, budget=20, **given)
    if door == "api":
        with nag.study(space, evaluator=evaluator, **given) as study:
            while len(study.trials) < 20:
                (proposal,) = study.ask()
                try:
                    study.tell(proposal, measured(proposal.architecture))
                except ValueError as error:
                    study.fail(proposal, str(error))
            assert [trial.architecture for trial in study.trials] == found.architectures
        return
    call = serve(strategy, door=door)
    while call("describe")["budget"]["left"]:
        (proposal,) = call("ask")
        (label,) = call("evaluate", architectures=[proposal["architecture"]])
        assert (label["paid"], label["origin"]) == (True, given["strategy"])
    history = call("history")
    assert [trial["architecture"] for trial in history] == found.architectures
    assert [trial["values"]["validation"] for trial in history] == [None if v != v else v for v in found.values]
    assert call("best")[0]["architecture"] == found.best


def test_every_line_has_one_reply_and_nothing_stops(serve, space):
    call = serve(budget=3)
    cells = space.to_native(space.from_index([4242, 77, 9, 1000]))
    service = call.service
    lines = [
        b"{",
        b"[1, 2]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"method": "drop"}',
        b'{"method": 3}',
        b'{"id": 7, "method": "ask", "params": {"n": 0}}',
        b'{"id": 7, "method": "ask", "params": {"n": true}}',
        b'{"id": 7, "method": "ask", "params": {"N": 1}}',
        b'{"id": 7, "method": "ask", "params": [1]}',
        b'{"id": 7, "method": "evaluate", "params": {}}',
        b'{"id": 7, "method": "evaluate", "params": {"architectures": ["no cell"]}}',
        b'{"id": 7, "method": "best", "params": {"metric": "test"}}',
        json.dumps({"id": 7, "method": "evaluate", "params": {"architectures": cells}}).encode(),
    ]
    found = [json.loads(reply) for reply in replies(service, iter([*lines, b"  \n"]))]
    assert len(found) == len(lines)
    assert [reply["error"]["kind"] for reply in found] == ["input"] * (len(lines) - 1) + ["budget"]
    assert all("\n" not in reply["error"]["message"] for reply in found)
    assert {reply["id"] for reply in found[6:]} == {7}
    assert call("describe")["budget"] == {"labels": 3, "paid": 0, "left": 3}


def test_the_budget_is_the_operators_and_known_labels_are_free(serve, space):
    call = serve(budget=3)
    cells = space.to_native(space.from_index([4242, 77, 9, 1000]))
    first = call("evaluate", architectures=[cells[0], cells[0]], origin="an agent")
    assert [label["paid"] for label in first] == [True, True]
    assert call("describe")["budget"]["paid"] == 1
    again = call("evaluate", architectures=cells[:2])
    assert [(label["paid"], label["origin"]) for label in again] == [(False, "an agent"), (True, "client")]
    assert call("evaluate", architectures=cells)["kind"] == "budget"
    assert call("describe")["budget"]["left"] == 1


@pytest.mark.parametrize("door", ["lines", "mcp"])
def test_no_reply_holds_a_metric_of_the_test_split(serve, space, door):
    """Whatever is asked, at random; `serve` looks at every reply."""
    call, rng = serve(budget=25, door=door), random.Random(0)
    cells = space.to_native(space.from_index([rng.randrange(space.size) for _ in range(30)]))
    for _ in range(60):
        some = rng.sample(cells, rng.randint(1, 3))
        method = rng.choice(sorted(METHODS))
        params = {
            "ask": {"n": rng.randint(1, 3)},
            "tell": {"trials": [{"architecture": some[0], "reason": "it broke"}]},
            "best": {"n": 3, "front": rng.random() < 0.5},
            "history": {"since": rng.randint(0, 3)},
            "describe": {},
        }.get(method, {"architectures": some})
        call(method, **params)
    assert {metric["name"]: metric["shown"] for metric in call("describe")["metrics"]} == {
        "validation": True,
        "test": False,
    }
    assert any(trial["values"]["validation"] for trial in call("history"))


def test_what_the_methods_say(serve, space):
    call = serve()
    cells = space.to_native(space.from_index([4242, 77]))
    assert call("predict", architectures=cells) is None
    known = call("check", architectures=[*cells, "no cell"])
    assert [(each["valid"], each.get("known")) for each in known] == [(True, False), (True, False), (False, None)]
    call("evaluate", architectures=cells)
    assert call("check", architectures=cells[:1])[0]["known"]
    told = {"architecture": space.to_native(space.from_index([9]))[0], "values": {"validation": 3.0, "test": 1.0}}
    assert call("tell", trials=[told], origin="an agent")[0]["origin"] == "an agent"
    assert "already" in call("tell", trials=[{**told, "values": {"validation": 4.0, "test": 1.0}}])["message"]
    (explained,) = call("explain", architectures=cells[:1])
    assert explained["nearest"][0]["architecture"] == cells[0]
    assert set(explained["nodes"]) == set(space.node_names)
    for method, about in METHODS.items():
        assert about["does"].endswith(".")
        assert call("describe")["methods"][method]["params"]["type"] == "object"


@pytest.mark.slow  # starts processes and kills them
def test_killed_at_any_moment_no_label_is_paid_twice_and_none_is_lost(tmp_path, space):
    paid = tmp_path / "paid.txt"
    command = f'read -r line; echo "$line" >> {paid}; echo \'{{"accuracy": 1.5}}\''
    arguments = [
        *("-m", "experiments.serve", "--config=nb201_search:smoke", "--config.run=('random_search',)"),
        *("--config.evaluator.name=command", f"--config.evaluator.command={command}"),
        *("--config.evaluator.metric=accuracy", f"--workdir={tmp_path / 'run'}"),
    ]
    answered, rng = [], random.Random(1)
    for kill in range(4):
        server = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert server.stdin is not None
        assert server.stdout is not None

        def call(method, server=server, **params):
            assert server.stdout is not None
            print(json.dumps({"method": method, "params": params}), file=server.stdin, flush=True)
            return json.loads(server.stdout.readline())["result"]

        history = [trial["architecture"] for trial in call("history")]
        assert history[: len(answered)] == answered
        for proposal in call("ask", n=3)[: rng.randint(1, 3)]:
            (label,) = call("evaluate", architectures=[proposal["architecture"]])
            answered = [trial["architecture"] for trial in call("history")]
            assert label["architecture"] in answered
        cell = space.to_native(space.from_index([100 + kill]))
        print(json.dumps({"method": "evaluate", "params": {"architectures": cell}}), file=server.stdin, flush=True)
        time.sleep(rng.random() / 20)
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
    trials = read_trials(tmp_path / "run" / "random_search" / "0.db")
    assert [trial.architecture for trial in trials][: len(answered)] == answered
    asked = [json.loads(line)["architecture"] for line in paid.read_text().splitlines()]
    for trial in trials:
        assert asked.count(trial.architecture) == 1
