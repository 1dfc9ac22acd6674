"""Messages about settings as messages about the arguments of the api's calls, which set them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from nag_jax.system.errors import InputError

_ARGUMENTS = {
    "config.predictor.training": "training",
    "config.labels.training": "labels",
    "config.labels": "labels and final",
    "config.labels.final": "final",
    "config.guidance.top_share": "top_share",
    "config.guidance.scale": "scale",
    "config.sampler.num_steps": "num_steps",
    "config.sampler.refine": "sweeps",
    "config.score.prior": "corpus",
    "config.search.budget": "budget",
    "config.search.initial": "initial",
    "config.search.batch_size": "batch_size",
    "config.num_samples": "num_samples",
    "config.constraints": "constraints",
    "config.evaluator.metric": "metric",
}
"""Fields of settings to the arguments of the calls here that set them."""


@contextmanager
def as_arguments() -> Iterator[None]:
    """Says of an InputError which arguments of a call it is about, instead of which settings."""
    try:
        yield
    except InputError as error:
        message = re.sub(r"config\.[a-z_.]*[a-z_]", lambda found: _argument(found[0]), str(error))
        raise InputError(message) from error


def _argument(field: str) -> str:
    """The argument that sets a field of settings, with what is left of the path; the field where there is none."""
    parts = field.split(".")
    for n in range(len(parts), 1, -1):
        if argument := _ARGUMENTS.get(".".join(parts[:n])):
            return ".".join([argument, *parts[n:]])
    return field
