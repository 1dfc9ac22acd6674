"""The numbers of an event, as all trackers draw them: a curve per metric and phase."""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from nag_jax.system.events import END, PROGRESS, TRIAL, Event


class Scalar(NamedTuple):
    """A point of a curve.

    Attributes:
        name: the curve, with slashes between its parts.
        value: the number, which is finite.
        step: where on the curve it is: steps of a fit, labels of a ledger.
    """

    name: str
    value: float
    step: int


def reader() -> Callable[[Event], list[Scalar]]:
    """A function that gives the numbers of events, given them in order: it counts the labels of each ledger.

    Example:
        >>> from nag_jax.system.events import Event
        >>> read = reader()
        >>> read(Event("progress", "predictor", {"done": 20, "total": 100, "loss": 0.5}))
        [Scalar(name='predictor/loss', value=0.5, step=20)]
        >>> read(Event("trial", "search", {"ledger": "bo/0", "values": {"accuracy": 93.5}}))
        [Scalar(name='bo/0/accuracy', value=93.5, step=1)]
    """
    labels: Counter[str] = Counter()

    def read(event: Event) -> list[Scalar]:
        facts = event.facts
        if event.kind == PROGRESS and facts.get("loss") is not None:
            found = [Scalar(f"{event.name}/loss", facts["loss"], facts["done"])]
        elif event.kind == TRIAL:
            labels[facts["ledger"]] += 1
            step = labels[facts["ledger"]]
            found = [Scalar(f"{facts['ledger']}/{name}", value, step) for name, value in facts["values"].items()]
        elif event.kind == END:
            found = [Scalar(f"seconds/{event.name}", facts["seconds"], 0)]
        else:
            found = []
        return [scalar for scalar in found if scalar.value == scalar.value]

    return read
