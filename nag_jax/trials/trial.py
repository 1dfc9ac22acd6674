"""A trial: one paid label, and how it is written into a row of the ledger."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nag_jax.evaluators.base import FULL

DONE, FAILED, PENDING = "done", "failed", "pending"
"""What became of a trial; one that is pending was proposed, and nobody has told what came of it."""
EVALUATOR = "evaluator"
"""The origin of labels that nobody in particular proposed, as those that a predictor is trained on."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One paid label.

    Attributes:
        id: counts from 1 in the order of payment; 0 before it is stored.
        key: the space's canonical key; no other trial has the same key, fidelity and seed.
        architecture: native string of the architecture that was evaluated.
        values: value of each metric in its unit; NaN where the evaluator gave none.
        purpose: what it was paid for, as the caller of `Ledger.label` said.
        time: when it was stored, ISO 8601 in UTC.
        fidelity: how thoroughly it was evaluated, in the evaluator's words.
        seed: the evaluator's seed.
        status: `"done"`, `"failed"` where some metric has no finite value, or `"pending"`.
        reason: why it failed, where that is known; after the first line comes the traceback of an exception.
        cost: seconds that the evaluation took, its share of a call for several; None where nobody knows.
        worker: the machine and process that evaluated it; empty where nobody knows.
        origin: `"evaluator"`, or who proposed it, or whence a label was imported.
        curve: intermediate values in their order, each a mapping as `{"epoch": 1, "accuracy": 34.5}`.
        lease: until when nobody else begins a pending trial, as `time`; empty for the others.

    Example:
        >>> Trial(key=7, architecture="a cell", values={"accuracy": float("nan")}, purpose="training").failed
        True
    """

    id: int = 0
    key: int | str
    architecture: str
    values: dict[str, float]
    purpose: str
    time: str = ""
    fidelity: str = FULL
    seed: int = 0
    status: str = ""
    reason: str = ""
    cost: float | None = None
    worker: str = ""
    origin: str = EVALUATOR
    curve: tuple[dict[str, float], ...] = ()
    lease: str = ""

    def __post_init__(self):
        if not self.status:
            object.__setattr__(self, "status", FAILED if any(map(math.isnan, self.values.values())) else DONE)

    @property
    def failed(self) -> bool:
        """Whether the evaluator gave no finite value for some metric."""
        return self.status == FAILED

    @property
    def is_full(self) -> bool:
        """Whether it is of full fidelity and of the first seed, as what strategies learn from."""
        return (self.fidelity, self.seed) == (FULL, 0)

    @property
    def brief_reason(self) -> str:
        """Why it failed, in one line."""
        return self.reason.partition("\n")[0]


def now(*, later: float = 0.0) -> str:
    """The time as trials have it, or so many seconds later."""
    return (datetime.now(UTC) + timedelta(seconds=later)).isoformat(timespec="milliseconds")


def write_values(values: Mapping[str, float]) -> str:
    """Values as JSON; what isn't finite becomes null.

    Example:
        >>> write_values({"accuracy": 93.5, "latency": float("nan")})
        '{"accuracy": 93.5, "latency": null}'
    """
    return json.dumps(_plain(values))


def read_values(text: str) -> dict[str, float]:
    """Values from JSON; null becomes NaN."""
    return _values(json.loads(text))


def write_curve(curve: Sequence[Mapping[str, float]]) -> str:
    """A curve as JSON; what isn't finite becomes null."""
    return json.dumps([_plain(point) for point in curve])


def read_curve(text: str) -> tuple[dict[str, float], ...]:
    """A curve from JSON; null becomes NaN."""
    return tuple(_values(point) for point in json.loads(text))


def _plain(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _values(found: dict[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in found.items()}
