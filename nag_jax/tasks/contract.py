"""The contract of tasks: whole pieces of work with settings, that are checked, planned and run."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Task(NamedTuple):
    """A piece of work. It knows no terminal and no flags, and writes nothing but into its workdir.

    The workdir belongs to what is checked: a folder of another run, or a ledger of another evaluator, is refused before
    anything starts.

    Attributes:
        check: (settings, workdir) -> what `plan` and `run` take. Builds everything and raises InputError for all that
            can be wrong; changes nothing and stores nothing.
        plan: what was checked -> a `tasks.plan.Plan` of what a run would do and cost; changes nothing.
        run: what was checked -> the outcome, which `reports.outcomes.write` takes. Claims the workdir first. A repeated
            or resumed run restores what was trained, pays for nothing twice, and comes to the same outcome.

    Example:
        >>> double = Task(check=lambda settings, workdir: settings, plan=lambda n: f"doubles {n}", run=lambda n: 2 * n)
        >>> double.run(double.check(21, None))
        42
    """

    check: Callable[..., Any]
    plan: Callable[[Any], Any]
    run: Callable[[Any], Any]
