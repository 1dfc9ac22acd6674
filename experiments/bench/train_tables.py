"""The tables of the benchmark of training."""

from pathlib import Path
from typing import Any

from experiments.bench import machine
from experiments.terminal import write_interval


def write(path: Path, known: dict[str, Any]) -> None:
    """Writes the page of all parts that are known."""
    tables = {
        "compile": ("One program for all cells, or one for each", _compile),
        "digits": ("Digits, the default run", _digits),
        "pictures": ("A folder of pictures", _pictures),
    }
    path.write_text("\n".join(["# Training", "", *machine.sections(known, tables)]).rstrip() + "\n")


def _compile(found: dict[str, Any]) -> list[str]:
    rows = found["rows"]
    mean = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0] if name != "architecture"}
    return [
        f"{len(rows)} random NAS-Bench-201 cells on digits (three stages of one cell, 8 channels), {found['steps']} "
        "steps of 64 examples each.",
        "",
        "| | one for all | one for each |",
        "|---|---|---|",
        f"| first cell, before its first step | {rows[0]['shared_first']:.1f} s | {rows[0]['own_first']:.1f} s |",
        f"| every further one | {_further(rows, 'shared'):.2f} s | {_further(rows, 'own'):.1f} s |",
        f"| programs compiled for the further ones | {found['compiled_after_first']:.0f} | "
        f"{sum(row['own_compiled'] for row in rows[1:]):.0f} |",
        f"| a step | {1000 * mean['shared_steps'] / found['steps']:.1f} ms | "
        f"{1000 * mean['own_steps'] / found['steps']:.1f} ms |",
        f"| all | {found['shared_seconds']:.0f} s | {found['own_seconds']:.0f} s |",
        "",
        f"The shared program takes {found['share']:.2f} of the time (target 0.25), and its step "
        f"{found['step_ratio']:.2f} times as long (target 1.3).",
    ]


def _further(rows: list[dict[str, Any]], name: str) -> float:
    return sum(row[f"{name}_first"] for row in rows[1:]) / max(1, len(rows) - 1)


def _digits(found: dict[str, Any]) -> list[str]:
    kept, seeds = found["trained"]["kept"], found["trained"]["test_accuracy_of_seeds"]
    return [
        "| | |",
        "|---|---|",
        f"| from the command to the trained network | {found['seconds']:.0f} s (target 300) |",
        f"| of which training | {found['training_seconds']:.0f} s |",
        f"| test accuracy of the weights that are kept | {kept['test_accuracy']:.2f} % "
        f"({kept['low']:.2f} to {kept['high']:.2f}) |",
        f"| mean of the seeds | {write_interval(seeds)} % |",
        f"| support vector machine (scikit-learn's SVC) on the same parts | {found['svc']:.2f} % |",
        f"| median of {len(found['random'])} random cells in the same seconds | {found['random_median']:.2f} % |",
        f"| their mean | {write_interval(found['random_interval'])} % |",
    ]


def _pictures(found: dict[str, Any]) -> list[str]:
    kept, seeds, data = found["trained"]["kept"], found["trained"]["test_accuracy_of_seeds"], found["dataset"]
    return [
        f"{data['name']}: {data['examples']['training']} examples for training, {data['examples']['validation']} for "
        f"validation, {data['examples']['test']} for test, {len(data['classes'])} classes. Test accuracy "
        f"{kept['test_accuracy']:.1f} % ({kept['low']:.1f} to {kept['high']:.1f}), mean of the seeds "
        f"{write_interval(seeds)} %, after {found['seconds']:.0f} s.",
    ]
