"""Tasks: whole pieces of work with settings, from what is asked to an outcome.

`REGISTRY` maps the name of a mode to its task.
"""

from typing import Any

from nag_jax.system.options import find
from nag_jax.tasks import constrained, generate, search, stream
from nag_jax.tasks.contract import Task

REGISTRY: dict[str, Task] = {"generate": generate.TASK, "search": search.TASK, "stream": stream.TASK}

__all__ = ["REGISTRY", "Task", "choose"]


def choose(settings: Any) -> Task:
    """The task of `settings.mode`; generation by constraints alone where there is no objective to search by.

    A mode may be `FILE.py:NAME`, a function of your own that returns a task.

    Raises:
        InputError: no task has that name.

    Example:
        >>> from nag_jax.settings import Search
        >>> choose(Search()) is REGISTRY["search"]
        True
    """
    makers = {name: lambda task=task: task for name, task in REGISTRY.items()}
    task = find("mode", settings.mode, makers)()
    return constrained.TASK if task is generate.TASK and not generate.has_objective(settings) else task
