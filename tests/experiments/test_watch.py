"""A run's events, and its live page."""

import http.client
import json
import threading
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from configs import nb201_bo
from experiments import runs, watch
from nag_jax.spaces import NASBench201
from nag_jax.system.errors import InputError
from nag_jax.system.events import read_events

SPACE = NASBench201()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished search of two seeds of a strategy that learns nothing."""
    folder = tmp_path_factory.mktemp("watched")
    tokens = np.unique(np.asarray(SPACE.random(jax.random.key(0), 60)), axis=0)
    accuracy = 50.0 + np.arange(len(tokens))
    frame = pd.DataFrame({"arch": SPACE.to_native(tokens), "acc": accuracy, "ms": accuracy[::-1]})
    frame.to_csv(folder / "table.csv", index=False)
    config: Any = nb201_bo.get_config("smoke")
    config.evaluator.update({"name": "table", "path": str(folder / "table.csv"), "metric": "acc"})
    config.run = ("random_search",)
    runs.run(config, folder / "run")
    return folder / "run"


@pytest.fixture
def at_work(run, tmp_path):
    """The same run as it was before it ended: its events alone."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "events.jsonl").write_text((run / "events.jsonl").read_text())
    return tmp_path / "run"


@pytest.fixture
def get():
    """Serves a run's page, and gets it."""
    servers = []

    def ask(path, address="/", host=""):
        server = watch.make_server(path)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
        connection.request("GET", address, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer, answer.read().decode()

    yield ask
    for server in servers:
        server.shutdown()
        server.server_close()


def test_every_label_and_phase_is_an_event(run):
    events = list(read_events(run / "events.jsonl"))
    assert events[0].kind == "run"
    assert events[0].facts["objective"]["metric"] == "acc"
    trials = [event for event in events if event.kind == "trial"]
    assert len(trials) == 2 * 12
    assert {trial.facts["ledger"] for trial in trials} == {"random_search/0", "random_search/1"}
    listed = pd.read_csv(run / "trajectories.csv")
    assert [trial.facts["architecture"] for trial in trials] == listed["arch"].tolist()
    assert [trial.facts["values"]["acc"] for trial in trials] == listed["acc"].tolist()
    assert [event.name for event in events if event.kind == "end"] == ["search"]
    assert "progress" in {event.kind for event in events}


def test_the_page_of_a_run_at_work_says_how_far_it_is(at_work, get):
    answer, text = get(at_work)
    assert (answer.status, answer.getheader("Refresh")) == (200, "3")
    best = max(event.facts["values"]["acc"] for event in read_events(at_work / "events.jsonl") if event.kind == "trial")
    assert "search in nasbench201, evaluator table, seed 0: acc, higher is better." in text
    assert f"{best:.2f}" in text
    assert "24 of 24" in text or "done in" in text
    assert "<polyline" in text
    assert "<script" not in text


def test_the_page_of_a_finished_run_is_its_report(run, get):
    answer, text = get(run)
    assert (answer.status, answer.getheader("Refresh")) == (200, None)
    assert text == (run / "report.html").read_text()


def test_nothing_but_the_page_is_served_and_to_this_machine_alone(at_work, get):
    assert get(at_work, "/../events.jsonl")[0].status == 404
    assert get(at_work, host="evil.example")[0].status == 404
    assert get(at_work, host="localhost:1")[0].status == 200


def test_several_objectives_have_a_front(at_work):
    lines = [json.loads(line) for line in (at_work / "events.jsonl").read_text().splitlines()]
    about = lines[0]["objective"]
    lines[0]["objective"] = {"metric": "utility", "direction": "max", "unit": "", "split": "none"} | {
        "objectives": [about, about | {"metric": "ms"}]
    }
    (at_work / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    text, _ = watch.page_of(at_work)
    assert "What no other label beats in every objective" in text


def test_what_is_no_run_is_one_line(tmp_path, capsys):
    with pytest.raises(InputError, match=r"has no events\.jsonl: name the folder of a run"):
        watch.page_of(tmp_path)
    with pytest.raises(SystemExit) as ended:
        watch.main([str(tmp_path)])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_port_that_is_taken_is_one_line(at_work):
    with watch.make_server(at_work) as server, pytest.raises(InputError, match="can't be listened to"):
        watch.make_server(at_work, server.server_address[1])
    with pytest.raises(InputError, match="can't be listened to"):
        watch.make_server(at_work, 70_000)
