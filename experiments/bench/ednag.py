"""Reproduction of EDNAG's search on NAS-Bench-201: what its fitness look-ups cost in labels.

python -m experiments.bench.ednag --cells=nb201_cifar.csv

EDNAG (Zhou et al., arXiv 2504.17827) evolves relaxed cells by denoising, and looks the fitness of every individual
up in the table at every step. Here its published constants run from seeds that nobody chose, and labels are counted as
this library counts them: one for each class of cells that compute the same thing. `--cells` is a CSV file with the
columns `arch`, `cifar10_test_acc`, `cifar10_valid_acc` and `cifar100_test_acc`.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from experiments import command_line
from experiments.bench import machine
from nag_jax import spaces
from nag_jax.reports.statistics import mean_interval

STEPS, POPULATION, NOISE = 100, 30, 0.8
SHAPE = (8, 7)
FLOOR = 1e-9
MUTATED, ETA = 0.6, 5.0
ELITES, DIVERSE = 3, 6
LEVELS = np.array([0.0, 30, 50, 70, 75, 80, 85, 90, 95])
SLOPES = np.array([0.1, 1, 2, 3, 5, 10, 30, 40, 50])
"""The mapping of accuracy to fitness: piecewise linear, ever steeper."""
PARTS = {"cifar10_test_acc": 1.0, "cifar100_test_acc": 1.2, "cifar10_valid_acc": 1.0}
"""What is the fitness, and the constant that accuracies are multiplied by before they are mapped."""


def main() -> None:
    """Runs the parts and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=Path, required=True, help="accuracies of all cells")
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--results", type=Path, default=Path(__file__).parents[1] / "results")
    arguments = parser.parse_args()
    frame = pd.read_csv(arguments.cells)

    def measure(part: str) -> list[dict[str, float]]:
        return [Search(frame, part, seed).run() for seed in range(arguments.seeds)]

    parts = {part: (f"--seeds {arguments.seeds}", lambda part=part: measure(part)) for part in arguments.parts}
    command = "python -m experiments.bench.ednag --cells=nb201_cifar.csv"
    found = machine.keep_parts(arguments.results / "ednag.json", command, parts)
    text = "\n".join(["# EDNAG's search, with labels counted", "", *table(found)]) + "\n"
    (arguments.results / "ednag.md").write_text(text)
    print(text)


def table(found: dict) -> list[str]:
    """A row for each fitness: what was reported, and the labels behind it."""
    lines = [
        "| fitness | reported | best of the table | runs at the optimum | classes labelled | cells | look-ups |",
        "|---" * 7 + "|",
    ]
    for part, kept in found.items():
        seeds = kept["found"]
        reported = mean_interval([seed["reported"] for seed in seeds])
        share = np.mean([seed["reported"] >= seed["best"] for seed in seeds])
        classes, cells, looks = (np.mean([seed[key] for seed in seeds]) for key in ("classes", "cells", "look_ups"))
        lines.append(
            f"| {part} ({len(seeds)} seeds) | {reported.estimate:.2f} ± {reported.half_width:.2f} "
            f"| {seeds[0]['best']:.2f} | {share:.0%} | {classes:.0f} | {cells:.0f} | {looks:,.0f} |"
        )
    return [*lines, ""]


class Search:
    """One run with the published constants.

    Args:
        frame: accuracies of all cells.
        part: the column that is the fitness.
        seed: the seed of all randomness.
    """

    def __init__(self, frame: pd.DataFrame, part: str, seed: int):
        space = spaces.NASBench201()
        tokens = space.from_native(frame["arch"].tolist())
        self._row = np.empty(5**6, np.int64)
        self._row[space.to_index(tokens)] = np.arange(len(tokens))
        self._keys, self._accuracy = space.canonical(tokens), frame[part].to_numpy()
        self._scale, self._rng = PARTS[part], np.random.default_rng(seed)
        self._seen: set[int] = set()
        self._look_ups = 0

    def run(self) -> dict[str, float]:
        """What is reported, the best there is, and what was looked up."""
        alpha = (1 + np.cos(np.pi * np.arange(STEPS) / (STEPS - 1))) / 2
        x = self._rng.normal(size=(POPULATION, *SHAPE))
        reported = 0.0
        for t in range(STEPS - 1, 0, -1):
            accuracy, fitness = self.look_up(x)
            reported = accuracy.max()
            children = rescaled(self.denoised(x, fitness, alpha[t], alpha[t - 1]))
            children = rescaled(self.mutated(children, 8.0 if t == STEPS - 1 else ETA))
            x = self.selected(np.concatenate([x, children]))
        cells = np.array(sorted(self._seen))
        return {
            "reported": float(reported),
            "best": float(self._accuracy.max()),
            "classes": len(np.unique(self._keys[cells])),
            "cells": len(cells),
            "look_ups": self._look_ups,
        }

    def look_up(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Accuracy and fitness `[P]` of individuals `[P, 8, 7]`; 0 for what is no cell."""
        ops = x[:, 1:-1].argmax(axis=2) - 2
        valid = (ops >= 0).all(axis=1)
        rows = self._row[np.maximum(ops, 0) @ (5 ** np.arange(5, -1, -1))]
        self._seen |= set(rows[valid].tolist())
        self._look_ups += len(x)
        accuracy = np.where(valid, self._accuracy[rows], 0.0)
        return accuracy, mapped(accuracy * self._scale)

    def denoised(self, x: np.ndarray, fitness: np.ndarray, now: float, after: float) -> np.ndarray:
        """A step of denoising: the population, weighted by fitness and nearness, is the estimate of what is clean."""
        flat = x.reshape(len(x), -1)
        good = np.exp(fitness - fitness.max()) + FLOOR
        squares = ((flat[:, None] - np.sqrt(now) * flat[None]) ** 2).sum(axis=2)
        weights = good[None] * (np.exp(-squares / (2 * (1 - now))) + FLOOR)
        clean = weights @ flat / weights.sum(axis=1, keepdims=True)
        sigma = NOISE * np.sqrt((1 - after) / (1 - now) * (1 - now / after))
        noise = (flat - np.sqrt(now) * clean) / np.sqrt(1 - now)
        kept = np.sqrt(max(1 - after - sigma**2, 0.0))
        moved = np.sqrt(after) * clean + kept * noise + sigma * self._rng.normal(size=flat.shape)
        return moved.reshape(x.shape)

    def mutated(self, x: np.ndarray, eta: float) -> np.ndarray:
        """Polynomial mutation with one draw for all entries of an individual, as released."""
        u = self._rng.random((len(x), 1, 1))
        below, above = (x + 1) / 2, (1 - x) / 2
        left = (2 * u + (1 - 2 * u) * (1 - below) ** (eta + 1)) ** (1 / (eta + 1)) - 1
        right = 1 - (2 * (1 - u) + (2 * u - 1) * (1 - above) ** (eta + 1)) ** (1 / (eta + 1))
        chosen = self._rng.random((len(x), 1, 1)) < MUTATED
        return np.where(chosen, x + 2 * np.where(u <= 0.5, left, right), x)

    def selected(self, x: np.ndarray) -> np.ndarray:
        """The next population: elites of different fitness, those far from all, and the rest by roulette."""
        _, fitness = self.look_up(x)
        flat = x.reshape(len(x), -1)
        far = np.sqrt(((flat[:, None] - flat[None]) ** 2).sum(axis=2)).sum(axis=1)
        order = np.argsort(-fitness, kind="stable")
        elites = order[np.sort(np.unique(fitness[order], return_index=True)[1])][:ELITES].tolist()
        elites = (elites + order.tolist())[:ELITES]
        able = np.flatnonzero(fitness >= 0.1 * fitness.max())
        diverse = able[np.argsort(-far[able], kind="stable")[:DIVERSE]].tolist()
        weights = 0.9 * to_unit(fitness * (1 + to_unit(far))) + 0.1
        chosen = elites + diverse
        taken = set(chosen)
        while len(chosen) < POPULATION:
            wheel = np.cumsum(weights / weights.sum())
            draw = self._rng.random()
            later = [i for i in range(len(x)) if wheel[i] >= draw and i not in taken]
            if later:
                taken.add(later[0])
                chosen.append(later[0])
        return x[chosen]


def mapped(accuracy: np.ndarray) -> np.ndarray:
    """The fitness of accuracies in %, scaled."""
    parts = np.clip(accuracy[:, None] - LEVELS, 0.0, np.append(np.diff(LEVELS), np.inf))
    return parts @ SLOPES


def rescaled(x: np.ndarray) -> np.ndarray:
    """Every individual brought to [-1, 1] by its own least and greatest entry."""
    low, high = x.min(axis=(1, 2), keepdims=True), x.max(axis=(1, 2), keepdims=True)
    return 2 * (x - low) / (high - low) - 1


def to_unit(values: np.ndarray) -> np.ndarray:
    """Values brought to [0, 1]; zeros where all are equal, where the released code divides by zero."""
    return (values - values.min()) / (np.ptp(values) or 1.0)


if __name__ == "__main__":
    with command_line.ending("experiments.bench.ednag"):
        main()
