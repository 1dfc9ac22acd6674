"""On what a benchmark ran: the lines that stand above every table."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax

from experiments.facts import git_commit, versions


def describe(command: str) -> dict[str, Any]:
    """The command, the date, the machine and the versions."""
    return {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "device": jax.devices()[0].device_kind,
        "devices": jax.device_count(),
        "git_commit": git_commit(),
        "versions": versions(),
    }


def heading(title: str, about: dict[str, Any]) -> list[str]:
    """Markdown lines that open a table's page."""
    jax_version = about["versions"]["jax"]
    return [
        f"# {title}",
        "",
        f"    {about['command']}",
        "",
        f"{about['date']}, {about['cores']} cores of {about['processor']}, {about['devices']} x {about['device']}, "
        f"JAX {jax_version}, commit {short(about['git_commit'])}.",
        "",
    ]


def short(commit: str | None) -> str:
    """The first digits of a commit's name."""
    return (commit or "unknown")[:12]


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
