"""Tasks: whole pieces of work with settings, from what is asked to an outcome.

`REGISTRY` maps the name of a mode to the function that makes its task.
"""

from collections.abc import Callable
from typing import Any

from nag_jax.system.options import find
from nag_jax.tasks import front, generate, search, stream, train
from nag_jax.tasks.contract import Task

REGISTRY: dict[str, Callable[[], Task]] = {
    "front": front.task,
    "generate": generate.task,
    "search": search.task,
    "stream": stream.task,
    "train": train.task,
}

__all__ = ["REGISTRY", "Task", "choose"]


def choose(settings: Any) -> Task:
    """The task of `settings.mode`, which may be `FILE.py:NAME`, a function of your own that returns one.

    Raises:
        InputError: no task has that name.

    Example:
        >>> from nag_jax.settings import Search
        >>> choose(Search()) == REGISTRY["search"]()
        True
    """
    return find("mode", settings.mode, REGISTRY)()
