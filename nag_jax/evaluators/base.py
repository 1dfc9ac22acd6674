"""The contract of evaluators: the true value of an architecture, at a price."""

from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import numpy as np

from nag_jax.objectives.metric import Metric, find_metric
from nag_jax.spaces import Space
from nag_jax.spaces.capabilities import Counted, num_distinct
from nag_jax.spaces.rows import Rows
from nag_jax.system.errors import InputError, quoted

FULL = "full"
"""The fidelity of evaluators that have only one, and the highest of those that have several."""
_Given = TypeVar("_Given")
_Own = TypeVar("_Own", bound=Space)


def objective(evaluator: "Evaluator", name: str = "") -> Metric | None:
    """The metric to search by: the one of that name, or the evaluator's own choice; None where that is none.

    Raises:
        InputError: it isn't an evaluator.

    Example:
        >>> from nag_jax import evaluators
        >>> objective(evaluators.make("analog_nasbench")).name
        'baseline'
    """
    if not hasattr(evaluator, "metrics"):
        found = quoted(evaluator)
        raise InputError(f"{found} is no evaluator: make one of it, with nag_jax.evaluator({found}, space)")
    name = name or getattr(evaluator, "objective", None) or ""
    return evaluator.metrics[find_metric(evaluator.metrics, name, "metric")] if name else None


def own_space(given: Space | None, own: _Own, *, has: str) -> _Own:
    """The space that an evaluator of certain architectures works on: the given one, where its tokens mean the same.

    Args:
        given: the space that was asked for; None for the evaluator's own.
        own: the space whose architectures the evaluator has.
        has: the subject of the message and what the evaluator has, as `"analog_nasbench has cells"`.

    Raises:
        InputError: the given one is another space, by its fingerprint.

    Example:
        >>> from nag_jax import spaces
        >>> own_space(None, spaces.make("nasbench201"), has="a table has cells").name
        'nasbench201'
    """
    if given is not None and given.fingerprint != own.fingerprint:
        raise InputError(f"{has} of {own.name}, not of {given.name!r}: use that space")
    return own if given is None else cast(_Own, given)


class Evaluator(Protocol):
    """Gives the true values of architectures. Only a ledger calls it, since every call is a payment.

    The same architecture has the same values at every call, unless an attribute `noisy` says that they are measured
    anew; the ledger then keeps the first.
    """

    @property
    def name(self) -> str:
        """The name in the registry."""
        ...

    @property
    def space(self) -> Space:
        """The space whose architectures it evaluates."""
        ...

    @property
    def metrics(self) -> dict[str, Metric]:
        """What it measures, by name; a call returns exactly these."""
        ...

    @property
    def batch_size(self) -> int:
        """How many architectures one call evaluates before the ledger stores them; 1 suits training runs."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identifies what the labels come from, so that a ledger never mixes two sources."""
        ...

    @property
    def num_distinct(self) -> int:
        """How many labels can be paid for: architectures that compute the same thing count as one."""
        ...

    def covers(self, tokens) -> np.ndarray:
        """Bool `[B]`: whether it can evaluate the architectures tokens `[B, N]`."""
        ...

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluates tokens int32 `[B, N]`: float64 `[B]` for each metric in its unit, NaN where it failed."""
        ...


class Described:
    """What evaluators say of themselves where Python shows them: name, objective, metrics, space.

    Example:
        >>> from nag_jax import evaluators
        >>> evaluators.make("analog_nasbench", metric="qat")
        <evaluator 'analog_nasbench': qat (%, max, test) of 21 metrics, 15,625 architectures of 'nasbench201'>
    """

    name: str
    space: Any
    metrics: dict[str, Metric]

    def __repr__(self) -> str:
        return f"<evaluator {self.name!r}: {self._about_metrics()}, {self._about_architectures()}>"

    def _about_metrics(self) -> str:
        found = objective(self)  # pyright: ignore[reportArgumentType]
        if found is None:
            return f"no objective of {len(self.metrics)} metrics"
        split = "" if found.split == "none" else found.split
        about = ", ".join(filter(None, (found.unit, found.direction, split)))
        name = found.name if found.label == found.name else f"{found.name}, {found.label}"
        return f"{name} ({about})" + (f" of {len(self.metrics)} metrics" if len(self.metrics) > 1 else "")

    def _about_architectures(self) -> str:
        return f"architectures of {self.space.name!r}"


class OfWholeSpace(Described):
    """What evaluators that can evaluate every architecture of their space have in common."""

    @property
    def num_distinct(self) -> int:
        """How many labels can be paid for: architectures that compute the same thing count as one."""
        return num_distinct(self.space)

    def covers(self, tokens) -> np.ndarray:
        """Bool `[B]`: True for every architecture of the space."""
        return np.array(self.space.contains(tokens))


class Unlabelled(OfWholeSpace):
    """An evaluator that measures nothing, where architectures are generated for their own sake.

    Args:
        space: the space of the architectures.
    """

    name = "unlabelled"
    fingerprint = "unlabelled"
    batch_size = 1

    def __init__(self, space: Space):
        self.space = space
        self.metrics: dict[str, Metric] = {}

    @property
    def num_distinct(self) -> int:
        """0: nothing is labelled."""
        return 0

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """No values."""
        return {}


_FEW = 1e-3
"""Share of a space below which chance rarely meets what an evaluator has: a million draws meet a thousand of them."""


def few_rows(evaluator: Evaluator) -> Rows | None:
    """The architectures that an evaluator has, where they are few of a space too large to list; None elsewhere."""
    space, architectures = evaluator.space, getattr(evaluator, "architectures", None)
    if architectures is None or not isinstance(space, Counted) or getattr(space, "listable", False):
        return None
    tokens = architectures()
    return Rows(space, tokens) if len(tokens) < _FEW * space.size else None


class Outcome(NamedTuple):
    """What came of one architecture.

    Attributes:
        row: its place in the tokens that were asked for.
        labels: the value of each metric in its unit, NaN where it failed.
        reason: why it failed, in one line; empty where it didn't.
        cost: seconds that it took; None where nobody counted.
        worker: who evaluated it, where that isn't the process of the ledger.
        curve: intermediate values in their order, each a mapping as `{"epoch": 1, "accuracy": 34.5}`.

    Example:
        >>> Outcome(0, {"accuracy": float("nan")}, "it took more than 60 s").reason
        'it took more than 60 s'
    """

    row: int
    labels: dict[str, float]
    reason: str = ""
    cost: float | None = None
    worker: str = ""
    curve: tuple[dict[str, float], ...] = ()


class StreamingEvaluator(Evaluator, Protocol):
    """An evaluator whose architectures take their own time, as training runs do.

    A ledger asks it for all it wants at once, and stores every outcome as it comes.
    """

    def outcomes(self, tokens: np.ndarray) -> Generator[Outcome]:
        """Evaluates tokens int32 `[B, N]`, in any order; closing the iterator stops what is still running.

        One that evaluates in the background may, when KeyboardInterrupt is thrown in, yield what has come meanwhile.
        """
        ...


def finished(outcomes: Generator[_Given]) -> Iterator[_Given]:
    """What came of the rest where an evaluation is stopped, as far as that is known; nothing if it has ended.

    Example:
        >>> list(finished(outcome for outcome in [Outcome(0, {"accuracy": 0.5})]))
        []
    """
    with suppress(KeyboardInterrupt):
        yield outcomes.throw(KeyboardInterrupt())
        yield from outcomes
