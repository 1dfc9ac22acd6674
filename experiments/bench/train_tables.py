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
        "tables": ("Asynchronous halving on NAS-Bench-201's table", _tables),
        "asha": ("Asynchronous halving on digits and MNIST-1D", _asha),
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


def _tables(found: dict[str, Any]) -> list[str]:
    lines = [
        f"Test accuracy of the best cell by validation among those trained for 200 epochs, {found['seeds']} seeds, at "
        f"shares of a budget of {found['trainings']} full trainings. ASHA promotes one of three of those trained for "
        "12 epochs, which costs the 200 epochs of another training; an epoch counts as a second, whatever the cell.",
    ]
    for data, methods in found["tables"].items():
        lines += ["", *_methods(data, methods)]
    return lines


def _asha(found: dict[str, Any]) -> list[str]:
    lines = [
        "Test accuracy of the best cell by validation among those that were fully trained (18 epochs, rungs at 2 and "
        f"6), at shares of a budget of {found['trainings']} full trainings in seconds. The seconds of a cell's epoch "
        "are those of a line over multiply-accumulates through the fastest epochs of ten cells, since the machine was "
        "shared; deciding isn't counted. Methods and seeds share trainings.",
    ]
    for data, each in found["data"].items():
        early = each["early"]
        lines += [
            "",
            *_methods(f"{data}, {each['seeds']} seeds, {each['budget']:.0f} s", each["methods"]),
            "",
            f"Of {early['trainings']} full trainings, the last validation accuracy has these rank correlations with "
            "that after fewer epochs, and with what a power law of those leads to: "
            + "; ".join(
                f"{epochs} epochs {early[epochs]['last_value']:.2f} and {early[epochs]['power_law']:.2f}"
                for epochs in ("2", "6", "12")
            )
            + ".",
        ]
    return lines


def _methods(title: str, methods: dict[str, Any]) -> list[str]:
    shares = next(iter(methods.values()))["shares"]
    heads = " | ".join(f"{float(share):.0%} of it" for share in shares)
    rows = [
        f"| {name} | {' | '.join(_percent(value) for value in row['shares'].values())} | "
        f"{write_interval(row['interval'])} | {row['begun']:.0f} | {row['full']:.0f} |"
        for name, row in methods.items()
    ]
    return [
        f"| {title} | {heads} | the last, with its interval | begun | fully trained |",
        f"|---|{'---|' * (len(shares) + 3)}",
        *rows,
    ]


def _percent(value: float | None) -> str:
    return "not there yet" if value is None else f"{value:.2f} %"
