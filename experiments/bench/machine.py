"""The record of a benchmark: the machine and the command behind it, and the file that keeps its parts."""

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax

from nag_jax.reports.facts import git_commit, versions
from nag_jax.system.processor import processor
from nag_jax.tasks.workdir import Workdir


def describe(command: str) -> dict[str, Any]:
    """The command, the date, the machine and the versions."""
    return {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "device": jax.devices()[0].device_kind,
        "devices": jax.device_count(),
        "git_commit": git_commit(),
        "versions": versions(),
    }


def heading(title: str, about: dict[str, Any]) -> list[str]:
    """Markdown lines that open a table's page."""
    return [f"# {title}", "", *made_by(about)]


def made_by(about: dict[str, Any]) -> list[str]:
    """Markdown lines: the command, and what it ran on."""
    return [
        f"    {about['command']}",
        "",
        f"{about['date']}, {about['cores']} cores of {about['processor']}, {about['devices']} x {about['device']}, "
        f"JAX {about['versions']['jax']}, commit {short(about['git_commit'])}.",
        "",
    ]


def keep_parts(
    path: Path, command: str, parts: Mapping[str, tuple[str, Callable[[], Any]]], *, flag: str = "--parts"
) -> dict[str, Any]:
    """Runs parts of a benchmark and keeps each, as soon as it's done, beside those that aren't run.

    Args:
        path: the path of the JSON file that keeps them.
        command: the command of the benchmark.
        parts: each part's further arguments of the command and what measures it, by name.
        flag: what the command names a part by.

    Returns:
        All that the file holds: by part, `about` (see `describe`) and what was `found`, as JSON gives it back.
    """
    known = json.loads(path.read_text())["parts"] if path.exists() else {}
    for part, (arguments, measure) in parts.items():
        known[part] = {"about": describe(f"{command} {flag} {part} {arguments}".rstrip()), "found": measure()}
        Workdir(path.parent).write_json(path.name, {"parts": known})
    return json.loads(path.read_text())["parts"] if path.exists() else {}


def sections(known: Mapping[str, Any], tables: Mapping[str, tuple[str, Callable[[Any], list[str]]]]) -> list[str]:
    """Markdown lines of the parts that `keep_parts` knows, in the order of the tables, each with what made it.

    Args:
        known: what `keep_parts` returns.
        tables: each part's title and what writes the lines of what was found, by name.
    """
    lines = []
    for name, (title, table) in tables.items():
        if name in known:
            part = known[name]
            lines += [f"## {title}", "", *table(part["found"]), "", *made_by(part["about"])]
    return lines


def short(commit: str | None) -> str:
    """The first digits of a commit's name."""
    return (commit or "unknown")[:12]
