"""Measures training: what one compiled program for all cells saves, and what a run comes to.

    python -m experiments.bench.train                                    compile and digits
    python -m experiments.bench.train --parts compile --cells 20
    python -m experiments.bench.train --parts pictures --pictures FOLDER (class folders, as of CIFAR-10)
    python -m experiments.bench.train --parts tables --table nb201_cifar.csv
    python -m experiments.bench.train --parts asha --digits_seeds 10 --series_seeds 10

Parts are kept in experiments/results/train.json, and train.md is written of all that it holds.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
import numpy as np
from absl import logging

from configs.train import get_config
from experiments import runs
from experiments.bench import halving, machine, train_tables
from experiments.bench.house import COMPILED
from nag_jax.datasets import examples
from nag_jax.reports.statistics import mean_interval
from nag_jax.spaces import NASBench201
from nag_jax.spaces.any_network import AnyNetwork
from nag_jax.system import parallel
from nag_jax.training.recipe import Recipe
from nag_jax.training.run import Evaluated, Setting, resume, train

COMMAND = "python -m experiments.bench.train"
RESULTS = Path(__file__).parents[1] / "results" / "train.json"
SIZES = {"channels": 8, "cells": 1}
PIECES = 5
"""In how many turns the steps of both networks are timed, so that both meet the same load of the machine."""


def main() -> None:
    """Runs the parts that are asked for, and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--parts", nargs="*", default=["compile", "digits"], help="compile, digits, pictures, tables, asha"
    )
    parser.add_argument("--cells", type=int, default=20, help="how many cells are compiled and trained")
    parser.add_argument("--steps", type=int, default=300, help="how many steps each of them is trained")
    parser.add_argument("--random", type=int, default=10, help="how many random cells the run is compared with")
    parser.add_argument("--pictures", type=Path, help="a folder of class folders")
    parser.add_argument("--table", type=Path, help="CSV of NAS-Bench-201 with columns cifar10_valid_acc_12ep, ...")
    parser.add_argument("--seeds", type=int, default=20, help="of each method on the table")
    parser.add_argument("--trainings", type=int, default=8, help="the budget of `asha`, in full trainings")
    parser.add_argument("--digits_seeds", type=int, default=10, help="of each method of `asha` on digits")
    parser.add_argument("--series_seeds", type=int, default=10, help="of each method of `asha` on MNIST-1D")
    parser.add_argument("--workdir", type=Path, default=Path("runs/bench/asha"), help="where `asha` keeps trainings")
    given = parser.parse_args()
    logging.set_verbosity(logging.FATAL)
    jax.config.update("jax_enable_compilation_cache", False)  # compiling is what is measured
    parts: dict[str, tuple[str, Callable[[], Any]]] = {
        "compile": (f"--cells {given.cells} --steps {given.steps}", lambda: compare(given.cells, given.steps)),
        "digits": (f"--random {given.random}", lambda: digits(given.random)),
        "pictures": ("--pictures FOLDER", lambda: pictures(given.pictures)),
        "tables": (
            f"--table {given.table and given.table.name} --seeds {given.seeds}",
            lambda: halving.on_tables(given.table, given.seeds, trainings=20),
        ),
        "asha": (
            f"--digits_seeds {given.digits_seeds} --series_seeds {given.series_seeds} --trainings {given.trainings}",
            lambda: halving.by_training(
                given.workdir, {"digits": given.digits_seeds, "mnist1d": given.series_seeds}, given.trainings
            ),
        ),
    }
    known = machine.keep_parts(RESULTS, COMMAND, {part: parts[part] for part in given.parts})
    train_tables.write(RESULTS.with_suffix(".md"), known)


def compare(cells: int, steps: int) -> dict[str, Any]:
    """Random cells on digits, by one program for all of them and by one program for each.

    Args:
        cells: how many.
        steps: how many steps each is trained.
    """
    space, data = NASBench201(), examples.split(examples.make("digits"))
    recipe, mesh = Recipe(epochs=1000), parallel.make_mesh()
    network = space.any_network(num_classes=len(data.classes), **SIZES)
    shared = Setting(network, data, recipe, mesh)
    rows = []
    for tokens in space.from_index(np.random.default_rng(0).integers(0, space.size, cells)):
        own = Setting(own_network(network, tokens), data, recipe, mesh)
        row: dict[str, Any] = {"architecture": space.to_native(tokens[None])[0]}
        for name, setting in (("shared", shared), ("own", own)):
            with compilations() as compiled:
                row[f"{name}_first"] = _timed(lambda setting=setting, tokens=tokens: begin(setting, tokens))
            row[f"{name}_compiled"] = len(compiled)
        row |= _steps({"shared": shared, "own": own}, tokens, steps)
        rows.append(row)
        print(row, flush=True)
    return {"rows": rows, "steps": steps, **_totals(rows)}


def _totals(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds of all cells in both ways, and by how much the shared program's steps are slower."""
    total = {name: sum(row[f"{name}_first"] + row[f"{name}_steps"] for row in rows) for name in ("shared", "own")}
    steps = {name: sum(row[f"{name}_steps"] for row in rows) for name in ("shared", "own")}
    return {
        "shared_seconds": total["shared"],
        "own_seconds": total["own"],
        "share": total["shared"] / total["own"],
        "step_ratio": steps["shared"] / steps["own"],
        "compiled_after_first": sum(row["shared_compiled"] for row in rows[1:]),
    }


def _steps(settings: dict[str, Setting], tokens: np.ndarray, steps: int) -> dict[str, float]:
    """The seconds that so many steps take in each setting, in turns."""
    states = {name: begin(setting, tokens) for name, setting in settings.items()}
    seconds = dict.fromkeys(settings, 0.0)
    for piece in range(PIECES):
        for name, setting in settings.items():
            stop = steps * (piece + 1) // PIECES

            def go(name=name, setting=setting, stop=stop):
                states[name] = advance(setting, states[name], tokens, stop)

            seconds[name] += _timed(go)
    return {f"{name}_steps": value for name, value in seconds.items()}


def begin(setting: Setting, tokens: np.ndarray) -> Any:
    """The state before the first step, with everything compiled that steps need."""
    state = resume(setting, None, jax.random.key(0), tokens).state
    placed = setting.place((jax.random.key(0), tokens, *setting.data.training[:2]))
    return jax.block_until_ready(setting.programs.advance(state, *placed, 0))


def advance(setting: Setting, state: Any, tokens: np.ndarray, stop: int) -> Any:
    """The state after the steps up to `stop`."""
    placed, steps = setting.place((jax.random.key(0), tokens, *setting.data.training[:2])), setting.steps_per_epoch
    while (done := int(state.step)) < stop:
        state = setting.programs.advance(state, *placed, min(stop, (done // steps + 1) * steps))
    return jax.block_until_ready(state)


def own_network(network: AnyNetwork, tokens: np.ndarray) -> AnyNetwork:
    """The network of one architecture alone, in the form of those of all."""
    module = network.blueprint(tokens).network

    def apply(variables, _, images, train=False):
        if not train:
            return module.apply(variables, images), variables["batch_stats"]
        logits, changed = module.apply(variables, images, train=True, mutable=["batch_stats"])
        return logits, changed["batch_stats"]

    return network._replace(init=lambda key, _, images: module.init(key, images), apply=apply)


def digits(count: int) -> dict[str, Any]:
    """The default run, a support vector machine on the same parts, and random cells in the same seconds of training.

    Args:
        count: how many random cells; each gets an equal share of the run's epochs.
    """
    from sklearn.svm import SVC

    with TemporaryDirectory() as folder:
        started = time.perf_counter()
        results = runs.run(get_config(), Path(folder) / "run")
        seconds = time.perf_counter() - started
    data = examples.split(examples.make("digits"))
    flat = [part.inputs.reshape(part.size, -1) for part in (data.training, data.test)]
    machine_ = SVC().fit(flat[0], data.training.labels)
    found = random_cells(count, data, results)
    return {
        "seconds": seconds,
        "training_seconds": results["training_seconds"],
        "trained": results["trained"],
        "svc": 100 * machine_.score(flat[1], data.test.labels),
        "random": found,
        "random_median": float(np.median([each["test_accuracy"] for each in found])),
        "random_interval": mean_interval([each["test_accuracy"] for each in found])._asdict(),
    }


def random_cells(count: int, data: examples.Parts, results: dict[str, Any]) -> list[dict[str, Any]]:
    """Random connected cells, each wholly trained in the share of the run's epochs that it gets."""
    stages, epochs, before, spent = results["stages"], results["config"]["training"]["epochs"], 0, 0
    for stage in stages:
        spent, before = spent + stage["count"] * (stage["epochs"] - before), stage["epochs"]
    spent += (len(results["trained"]["seeds"]) - 1) * epochs
    recipe = Recipe(**{**get_recipe(), "epochs": max(2, spent // count)})
    space = NASBench201()
    setting = Setting(space.any_network(num_classes=len(data.classes), **SIZES), data, recipe, parallel.make_mesh())
    tokens = space.from_index(np.random.default_rng(1).integers(0, space.size, 3 * count))
    found = []
    for i, cell in enumerate(tokens[space.connected(tokens)][:count]):
        key = jax.random.key(i)
        run = train(setting, key, cell, resume(setting, None, key, cell), epochs=recipe.epochs)
        accuracy = Evaluated(setting, data.test).accuracy(run.state.average, setting.place(cell))
        found.append({"test_accuracy": accuracy, "epochs": recipe.epochs, "seconds": run.seconds})
    return found


def get_recipe() -> dict[str, Any]:
    """The fields of the default run's recipe."""
    from nag_jax.settings.config import from_config

    recipe = from_config(get_config()).training  # type: ignore[attr-defined]
    return {name: getattr(recipe, name) for name in recipe.__dataclass_fields__}


def pictures(folder: Path) -> dict[str, Any]:
    """The default run on a folder of class folders, with the augmentation of natural images."""
    config = get_config()
    config.update_from_flattened_dict(
        {
            "dataset.name": "folder",
            "dataset.path": str(folder),
            "training.augmentation.crop": 4,
            "training.augmentation.flip": True,
        }
    )
    with TemporaryDirectory() as place:
        started = time.perf_counter()
        results = runs.run(config, Path(place) / "run")
        return {"seconds": time.perf_counter() - started, "trained": results["trained"], "dataset": results["dataset"]}


@contextmanager
def compilations() -> Iterator[list[float]]:
    """The seconds of each program that XLA compiles meanwhile."""
    found: list[float] = []
    open_ = [True]
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, duration_secs, **_: found.append(duration_secs) if open_[0] and event == COMPILED else None
    )
    yield found
    open_[0] = False


def _timed(function: Callable[[], Any]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
