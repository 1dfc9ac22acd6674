"""A whole run: the task of a config, its report, and what the terminal says of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from nag_jax import tasks
from nag_jax.reports import facts, outcomes
from nag_jax.settings.config import from_config
from nag_jax.system import parallel
from nag_jax.system.events import RUN
from nag_jax.tasks.train import Trained
from nag_jax.tasks.workdir import Workdir
from nag_jax.trackers import make as make_tracker

from . import export, terminal
from .finished import FinishedRun


def run(config: ConfigDict, path: Path, trackers: Sequence[str] = ()) -> dict[str, Any]:
    """Runs the config's task in the workdir `path`; returns what stands in its `results.json`.

    Args:
        config: the config.
        path: the workdir.
        trackers: the names of the trackers that are told what happens; see `nag_jax.trackers`.

    Raises:
        InputError: something in the config, the data or the workdir is wrong.
    """
    task, settings = tasks.choose(config), from_config(config)
    ready = task.check(settings, Workdir(path))
    listeners = [make_tracker(name, str(config.name), path) for name in trackers if parallel.is_first()]

    def begin():
        terminal.announce(ready)
        for listener in listeners:
            ready.phases.events.add(listener)
        ready.phases.events(RUN, config.name, **facts.of_start(ready))

    ready.phases.before_first = begin
    outcome = task.run(ready)

    def finish():
        results = outcomes.write(outcome)
        terminal.summarize(outcome, results)
        if isinstance(outcome, Trained):
            run = FinishedRun(path)
            export.export(export.choose(run.space(), run, export.BEST), path / "export")
        return results

    return parallel.on_first(finish)


def prepare(config: ConfigDict, path: Path) -> Any:
    """What the config's task checked, in the workdir `path`, which it claims; for whoever goes through its steps.

    Raises:
        InputError: something in the config, the data or the workdir is wrong.
    """
    ready = tasks.choose(config).check(from_config(config), Workdir(path))
    parallel.on_first(ready.claim)
    return ready


def show_plan(config: ConfigDict, path: Path) -> None:
    """Prints what `run` would do and cost, after all its checks; changes nothing.

    Raises:
        InputError: something in the config, the data or the workdir is wrong.
    """
    task = tasks.choose(config)
    terminal.show(task.plan(task.check(from_config(config), Workdir(path))))
