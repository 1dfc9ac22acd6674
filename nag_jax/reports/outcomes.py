"""The report of an outcome: `REGISTRY` maps its type to what writes it into the run's workdir."""

from collections.abc import Callable
from typing import Any

from nag_jax.reports import constrained, fronts, generated, searched, streamed, trained
from nag_jax.tasks.constrained import Constrained
from nag_jax.tasks.front import Fronts
from nag_jax.tasks.generate import Generated
from nag_jax.tasks.searched import Searched
from nag_jax.tasks.stream import Streamed
from nag_jax.tasks.train import Trained

REGISTRY: dict[type, Callable[[Any], dict[str, Any]]] = {
    Constrained: constrained.write,
    Fronts: fronts.write,
    Generated: generated.write,
    Searched: searched.write,
    Streamed: streamed.write,
    Trained: trained.write,
}


def write(outcome: Any) -> dict[str, Any]:
    """Writes the report of a task's outcome, and returns what stands in `results.json`.

    An outcome of a type that isn't registered says itself what there is to report: its method `report`.

    Example:
        >>> from types import SimpleNamespace
        >>> write(SimpleNamespace(report=lambda: {"answer": 42}))
        {'answer': 42}
    """
    writer = REGISTRY.get(type(outcome))
    return outcome.report() if writer is None else writer(outcome)
