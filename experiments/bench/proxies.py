"""Ranks NAS-Bench-201's cells by zero-cost proxies of untrained networks, beside parameters and multiply-accumulates.

    python -m experiments.bench.proxies --pictures=FOLDER --cells=nb201_cifar.csv

`--pictures` is a folder of class folders, of which one batch is used; `--cells` is a CSV file with the column `arch`
and those of `--columns`. Cells that compute the same thing count once.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments import command_line
from experiments.bench import machine
from nag_jax import evaluators, spaces
from nag_jax.datasets import examples
from nag_jax.reports.statistics import mean_interval, spearman
from nag_jax.spaces.distinct import distinct_rows

COMMAND = "python -m experiments.bench.proxies --pictures=FOLDER --cells=nb201_cifar.csv"
PUBLISHED = {"gradient_norm": "0.58", "jacobian_covariance": "0.73", "synflow": "0.74"}
"""Rank correlations with CIFAR-10's test accuracies of all cells, by the benchmark's own networks of five cells per
stage and 16 channels, and batches of 64 of its 50,000 images (Abdelfattah et al., ICLR 2021, table 1)."""


def main() -> None:
    """Measures, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="a folder of class folders")
    parser.add_argument("--cells", type=Path, required=True, help="accuracies of all cells")
    parser.add_argument("--columns", nargs="*", default=["cifar10_test_acc", "cifar100_test_acc"])
    parser.add_argument("--sample", type=int, default=300, help="how many cells are ranked")
    parser.add_argument("--seeds", type=int, default=5, help="how many times weights and cells are drawn")
    parser.add_argument("--channels", type=int, default=8, help="channels of the first stage")
    parser.add_argument("--parts", nargs="*", choices=["ranks"], default=["ranks"])
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    given = parser.parse_args()
    size = f"--sample {given.sample} --seeds {given.seeds} --channels {given.channels}"
    parts = {part: (size, lambda: measure(given)) for part in given.parts}
    found = machine.keep_parts(given.results / "proxies.json", COMMAND, parts)
    title = "Spearman's rank correlations, mean ± 95 % interval over seeds"
    text = "\n".join(["# Zero-cost proxies", "", *machine.sections(found, {"ranks": (title, table)})])
    (given.results / "proxies.md").write_text(text)
    print(text)


def measure(given: argparse.Namespace) -> list[dict[str, Any]]:
    """A row per seed: the rank correlations of every proxy with every column, and the seconds of a cell."""
    space, frame = spaces.NASBench201(), pd.read_csv(given.cells)
    tokens = space.from_native(frame["arch"].tolist())
    data = examples.split(examples.make("folder", path=given.pictures))
    sizes = {"channels": given.channels, "cells": 1}
    evaluator: Any = evaluators.make("proxies", data=data, sizes=sizes, space=space)
    evaluator(tokens[:1])  # compiles
    classes, rows = distinct_rows(space.canonical(tokens)), []
    for seed in range(given.seeds):
        chosen = np.random.default_rng(seed).choice(classes, given.sample, replace=False)
        began = time.perf_counter()
        values = evaluator(tokens[chosen], seed=seed)
        seconds = (time.perf_counter() - began) / given.sample
        values |= {name: cost.of(tokens[chosen]) for name, cost in space.costs().items()}
        row: dict[str, Any] = {"seed": seed, "cells": given.sample, "seconds": seconds}
        for column in given.columns:
            truth = frame[column].to_numpy()[chosen]
            row[column] = {name: spearman(value, truth) for name, value in values.items()}
        rows.append(row)
        print(row, flush=True)
    return rows


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A line per proxy: its rank correlations, means over seeds with their intervals."""
    columns = [name for name in rows[0] if name not in ("seed", "cells", "seconds")]
    lines = [
        "| ranked by | " + " | ".join(columns) + " | published, CIFAR-10 |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for name in rows[0][columns[0]]:
        intervals = [mean_interval([row[column][name] for row in rows]) for column in columns]
        cells = [f"{found.estimate:.2f} ± {found.half_width:.2f}" for found in intervals]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {PUBLISHED.get(name, '')} |")
    seconds = np.mean([row["seconds"] for row in rows])
    cells = rows[0]["cells"]
    return [*lines, "", f"{cells} cells per seed; all proxies of a cell together take {1000 * seconds:.0f} ms."]


if __name__ == "__main__":
    with command_line.ending("experiments.bench.proxies"):
        main()
