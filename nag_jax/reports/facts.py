"""What every `results.json` says of its run: labels, seconds, devices, versions, commit, config."""

import importlib.metadata
import platform
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jax

from nag_jax.system.fields import to_dict
from nag_jax.tasks.learn import Run
from nag_jax.tasks.setting import Setting
from nag_jax.trials import Ledger

PACKAGES = (
    "nag-jax",
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

_MAIN = "experiments.main"


def of_run(run: Run, ledger: Ledger) -> dict[str, Any]:
    """The facts of a run that pays for labels."""
    by_purpose, reasons = ledger.paid_by_purpose(), Counter(trial.reason for trial in ledger.trials() if trial.reason)
    return {"labels": of_labels(ledger.num_failed, by_purpose, reasons), **of_setting(run)}


def of_labels(failed: int, by_purpose: dict[str, int], reasons: dict[str, int]) -> dict[str, Any]:
    """What was paid for: labels in all, failed ones, and counts by purpose and by the reason of a failure."""
    return {
        "paid": sum(by_purpose.values()),
        "failed": failed,
        "by_purpose": dict(by_purpose),
        "failed_because": dict(reasons),
    }


def of_objective(run: Run) -> dict[str, Any]:
    """What was searched for, and whose values of it."""
    return {
        "metric": run.metric.name,
        "unit": run.metric.unit,
        "direction": run.metric.direction,
        "split": run.metric.split,
        "evaluator": run.evaluator.name,
        "space": run.space.name,
    }


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
        "command": command(),
        "config": to_dict(run.config),
    }


def command() -> str | None:
    """The command line that started this process, to paste into a shell; None where a run was started otherwise."""
    started = getattr(sys.modules["__main__"], "__spec__", None)
    if started is None or started.name != _MAIN:
        return None
    return shlex.join(["python", "-m", _MAIN, *sys.argv[1:]])


def versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that matter for the figures."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def git_commit() -> str | None:
    """The commit of this checkout, with `+changes` where files differ from it; None outside of git."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
