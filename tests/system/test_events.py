"""Events of runs: listeners, the file, and what phases tell."""

import json

import numpy as np
import pytest

from nag_jax.system import events
from nag_jax.system.errors import InputError
from nag_jax.system.events import Event, EventFile, Events, read_events
from nag_jax.system.progress import Phases


def test_phases_tell_that_they_begin_how_far_they_are_and_that_they_end():
    heard = []
    phases = Phases(quiet=True, events=Events(heard.append))
    with phases("predictor") as progress:
        progress(20, 100, 0.5)
        progress(100, 100)
    assert [(event.kind, event.name) for event in heard] == [
        ("phase", "predictor"),
        ("progress", "predictor"),
        ("progress", "predictor"),
        ("end", "predictor"),
    ]
    assert heard[1].facts == {"done": 20, "total": 100, "loss": 0.5}
    assert heard[2].facts == {"done": 100, "total": 100}
    assert heard[3].facts == {"seconds": phases.seconds["predictor"]}
    assert heard == sorted(heard, key=lambda event: event.time)


def test_what_a_listener_raises_ends_the_phase():
    def listen(event):
        if event.kind == events.PROGRESS:
            raise ValueError("enough")

    phases = Phases(quiet=True, events=Events(listen))
    with pytest.raises(ValueError, match="enough"), phases("predictor") as progress:
        progress(1, 2)
    assert phases.seconds == {}


def test_a_file_holds_what_happened(tmp_path):
    path = tmp_path / "events.jsonl"
    file = EventFile(path)
    trial = {"values": {"accuracy": np.float32(93.5), "latency": float("nan")}, "worker": "a\nb"}
    file(Event("phase", "search", {}, 1.0))
    file(Event("trial", "search", trial, 2.0))
    EventFile(path)(Event("run", "again", {"objective": None}, 3.0))
    found = list(read_events(path))
    assert [event.kind for event in found] == ["phase", "trial", "run"]
    assert found[1].facts == {"values": {"accuracy": 93.5, "latency": None}, "worker": "a\nb"}
    assert found[1].time == 2.0


def test_progress_is_written_once_a_second_and_at_its_end(tmp_path):
    file = EventFile(tmp_path / "events.jsonl")
    for done in range(1, 101):
        file(Event("progress", "score network", {"done": done, "total": 100}, float(done)))
    assert [event.facts["done"] for event in read_events(tmp_path / "events.jsonl")] == [1, 100]


def test_a_line_that_is_being_written_is_left_out(tmp_path):
    path = tmp_path / "events.jsonl"
    EventFile(path)(Event("phase", "search", {}, 1.0))
    path.write_text(path.read_text() + '{"kind": "tri')
    assert len(list(read_events(path))) == 1


@pytest.mark.parametrize("line", ["{", "[]", json.dumps({"kind": "phase"}), "3"])
def test_a_file_of_something_else_is_refused(line, tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match=r"line 1 isn't an event .*: remove the file"):
        list(read_events(path))
