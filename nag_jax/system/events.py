"""Events: what happens in a run as it happens, for callbacks, for `events.jsonl` and for trackers.

One mechanism for all of them. Who wants to know is a `Listener`, a function of an `Event`; what happens is said once,
by the phases of a run and by the ledgers that store its labels.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nag_jax.system.errors import InputError
from nag_jax.system.foreign import load_json
from nag_jax.system.written import plain

NAME = "events.jsonl"
"""The file of a run's events in its workdir, a line of JSON per event."""
RUN, PHASE, PROGRESS, TRIAL, END = "run", "phase", "progress", "trial", "end"
"""What happens: a run starts, a phase begins, a phase says how far it is (a search after each label and round), a label
is stored, a phase is over."""
_EVERY_SECONDS = 1.0
"""How often a phase's progress is written: fits report every few steps."""


class Event(NamedTuple):
    """Something that happened.

    Attributes:
        kind: `"run"`, `"phase"`, `"progress"`, `"trial"` or `"end"`.
        name: the name of the run, of the phase, or, of a trial, what its label was paid for.
        facts: more of it: `done`, `total` and `loss` of progress; `seconds` of an end; `architecture`, `values` (by
            metric, NaN where it failed), `failed`, `reason`, `cost`, `worker` and `ledger` of a trial.
        time: when, in seconds since 1970.

    Example:
        >>> Event("progress", "predictor", {"done": 20, "total": 100, "loss": 0.5}).facts["done"]
        20
    """

    kind: str
    name: str
    facts: dict[str, Any]
    time: float = 0.0


Listener = Callable[[Event], None]
"""Is told every event, in the thread of the run; what it raises ends the run, which goes on from there as ever."""


class Events:
    """Those who want to know, who are told in the order in which they were added.

    Example:
        >>> events, heard = Events(), []
        >>> events.add(lambda event: heard.append((event.kind, event.name)))
        >>> events("phase", "predictor")
        >>> heard
        [('phase', 'predictor')]
    """

    def __init__(self, *listeners: Listener):
        self._listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        """Adds one more."""
        self._listeners.append(listener)

    def __call__(self, kind: str, name: str, **facts: Any) -> None:
        """Tells all of them."""
        if self._listeners:
            event = Event(kind, name, facts, time.time())
            for listener in self._listeners:
                listener(event)


class EventFile:
    """Appends events to a file, a line of JSON each; of a phase's progress one per second, and the last.

    Args:
        path: the file.
    """

    def __init__(self, path: Path):
        self._path = path
        self._next = 0.0

    def __call__(self, event: Event) -> None:
        """Writes the event."""
        if event.kind == PROGRESS and event.facts.get("done") != event.facts.get("total"):
            if time.monotonic() < self._next:
                return
            self._next = time.monotonic() + _EVERY_SECONDS
        line = {"kind": event.kind, "name": event.name, "time": round(event.time, 3), **event.facts}
        with self._path.open("a", encoding="utf-8") as file:  # a line at once, which a kill can't mix with another
            file.write(json.dumps(plain(line)) + "\n")


def read_events(path: Path) -> Iterator[Event]:
    """The events of a file, in order; a last line that isn't whole, as of a run that is at work, is left out.

    Raises:
        InputError: a line before the last isn't an event.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines[:-1], 1):
        try:
            found = load_json(line)
            yield Event(found.pop("kind"), found.pop("name"), time=found.pop("time"), facts=found)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise InputError(f"{path}, line {number} isn't an event ({error}): remove the file") from error
