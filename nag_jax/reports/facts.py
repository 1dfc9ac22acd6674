"""Facts of a run that every `results.json` has: labels, seconds, devices, versions, commit, config."""

import importlib.metadata
import platform
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import jax
import numpy as np

import nag_jax
from nag_jax.objectives import Metric, Objectives
from nag_jax.system import started
from nag_jax.system.fields import to_dict
from nag_jax.tasks.learn import Run
from nag_jax.tasks.setting import Setting
from nag_jax.trials import Ledger

PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "jraph",
    "orbax-checkpoint",
    "numpy",
    "analog-nasbench",
    "nas-bench-graph",
)


def of_run(run: Run, ledger: Ledger) -> dict[str, Any]:
    """The facts of a run that pays for labels."""
    by_purpose, reasons = (
        ledger.paid_by_purpose(),
        Counter(trial.brief_reason for trial in ledger.trials() if trial.reason),
    )
    return {"labels": of_labels(ledger.num_failed, by_purpose, reasons), **of_setting(run)}


def of_labels(failed: int, by_purpose: dict[str, int], reasons: dict[str, int]) -> dict[str, Any]:
    """What was paid for: labels in all, failed ones, and counts by purpose and by the reason of a failure."""
    return {
        "paid": sum(by_purpose.values()),
        "failed": failed,
        "by_purpose": dict(by_purpose),
        "failed_because": dict(reasons),
    }


def of_start(run: Setting) -> dict[str, Any]:
    """What is known of a run as it begins, for its events."""
    objectives = getattr(run, "objectives", None)
    return {
        "mode": run.config.mode,
        "space": run.space.name,
        "evaluator": run.evaluator.name,
        "seed": run.config.seed,
        "objective": of_objectives(objectives) if objectives else None,
    }


def of_objective(run: Run) -> dict[str, Any]:
    """What was searched for, and whose values of it."""
    return of_objectives(run.objectives) | {"evaluator": run.evaluator.name, "space": run.space.name}


def of_objectives(objectives: Objectives) -> dict[str, Any]:
    """The metric that is searched by; of a utility also the objectives that it is of."""
    several = {} if objectives.is_single else {"objectives": list(map(of_metric, objectives.metrics))}
    return of_metric(objectives.metric) | several


def of_metric(metric: Metric) -> dict[str, str]:
    """What is known of a metric."""
    title = {"title": metric.title} if metric.title else {}
    return {"metric": metric.name, "unit": metric.unit, "direction": metric.direction, "split": metric.split} | title


def of_values(objectives: Objectives, values: np.ndarray) -> dict[str, Any]:
    """One architecture's values `[M]` in their units, where they have a utility; nothing where there is one."""
    return {} if objectives.is_single else {"objectives": objectives.in_units(values)}


def of_setting(run: Setting) -> dict[str, Any]:
    """The facts of any run: its time, and what its results depend on."""
    return {
        "seconds": run.phases.seconds,
        "devices": {
            "count": jax.device_count(),
            "kind": jax.devices()[0].device_kind,
            "platform": jax.default_backend(),
        },
        "versions": versions(),
        "git_commit": git_commit(),
        "command": started.command(),
        "config": to_dict(run.config),
    }


def versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that matter for the figures."""
    found: dict[str, str | None] = {"python": platform.python_version(), "nag-jax": nag_jax.__version__}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def git_commit() -> str | None:
    """The commit of this checkout, with `+changes` where files differ from it; None where it is none of ours."""
    folder = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != folder:  # an environment that lies in a repository of its user
            return None
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
