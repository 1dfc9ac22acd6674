"""The parts of the benchmark of training about fidelities: asynchronous halving at equal seconds of training."""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.stats import spearmanr

from configs.train import get_config
from nag_jax import evaluators, strategies
from nag_jax.datasets import examples
from nag_jax.evaluators import trained
from nag_jax.evaluators.base import Outcome
from nag_jax.evaluators.staged_table import Column, StagedTable
from nag_jax.evaluators.trained import TrainedEvaluator
from nag_jax.objectives import Objectives
from nag_jax.reports.statistics import mean_interval
from nag_jax.settings.config import from_config
from nag_jax.spaces import NASBench201
from nag_jax.spaces.distinct import random_distinct
from nag_jax.strategies import Strategy, curves, halving
from nag_jax.strategies.bo_nag import Source
from nag_jax.strategies.course import Course
from nag_jax.strategies.halving import Limits, Standing
from nag_jax.system.keys import stream_key
from nag_jax.tasks import build
from nag_jax.training.recipe import Augmentation, Recipe
from nag_jax.training.run import Evaluated, compile_programs
from nag_jax.trials import FULL, Ledger, Trial

INITIAL = 10
"""Random architectures that every method begins with, the same ones."""
FACTOR = 3
EPOCHS = 18
"""Epochs of a full training here, with rungs at 2 and 6."""
SHARES = (0.25, 0.5, 1.0)
"""The shares of the budget at which the best so far is told."""
TABLES = ("cifar10", "cifar100")
METHODS = {
    "random search, full trainings": ("random_search", False),
    "`bo_nag`, full trainings": ("bo_nag", False),
    "ASHA, random": ("random_search", True),
    "ASHA, `bo_nag`": ("bo_nag", True),
}


class Case(NamedTuple):
    """What methods are compared on.

    Attributes:
        make: makes the evaluator of one search, which gives values at fidelities with their seconds.
        epochs: the fidelities with their epochs, the lowest first.
        covers: which architectures are begun, tokens `[B, N]` -> bool `[B]`.
        tested: the test accuracy of architectures that were fully trained, in %.
    """

    make: Callable[[], Any]
    epochs: list[tuple[str, int]]
    covers: Callable[[np.ndarray], np.ndarray]
    tested: Callable[[Trial], float]


def on_tables(path: Path, seeds: int, trainings: int) -> dict[str, Any]:
    """The methods on NAS-Bench-201's table, whose 12 epochs are the lower fidelity, at simulated seconds.

    Args:
        path: the table.
        seeds: how many of each method.
        trainings: the budget in full trainings.
    """
    budget, found = 200.0 * trainings, {}
    for data in TABLES:
        case = of_table(path, data)
        found[data] = {name: _row(case, *method, seeds, budget) for name, method in METHODS.items()}
        print(data, {name: row["shares"] for name, row in found[data].items()}, flush=True)
    return {"tables": found, "seeds": seeds, "trainings": trainings}


def of_table(path: Path, data: str) -> Case:
    """A data set of NAS-Bench-201's table; an epoch counts as a second, whatever the cell."""
    space = NASBench201()
    table: Any = evaluators.make("table", path=path, metric=f"{data}_valid_acc", space=space, average_twins=True)
    staged = StagedTable(table, 200.0, {"epochs=12": Column(f"{data}_valid_acc_12ep", 12.0)})

    def tested(trial: Trial) -> float:
        return float(table(space.from_native([trial.architecture]))[f"{data}_test_acc"][0])

    return Case(lambda: staged, [("epochs=12", 12), (FULL, 200)], table.covers, tested)


def by_training(folder: Path, seeds: Mapping[str, int], trainings: int) -> dict[str, Any]:
    """Three of the methods on data sets, trained here, and what early values and power laws say of late ones.

    Args:
        folder: where trainings are kept, so that a benchmark that was stopped goes on.
        seeds: how many of each method, by data set; 0 leaves it out.
        trainings: the budget in full trainings of an average cell.
    """
    found = {}
    for name, count in seeds.items():
        if not count:
            continue
        trains = make_trainer(name, folder)
        with Ledger.open(folder / f"{name}.db", trains) as ledger:
            seconds, average = seconds_per_epoch(trains, ledger)
            budget, case = trainings * EPOCHS * average, of_training(trains, ledger, seconds)
            rows = {key: _row(case, *method, count, budget) for key, method in METHODS.items() if key != _SLOW}
            early = said_early([trial for trial in ledger.trials() if trial.fidelity == FULL])
        found[name] = {"methods": rows, "budget": budget, "seeds": count, "early": early}
        print(name, budget, {key: row["shares"] for key, row in rows.items()}, early, flush=True)
    return {"data": found, "trainings": trainings}


def make_trainer(name: str, folder: Path) -> TrainedEvaluator:
    """The evaluator of a data set with the default network, whose programs are compiled."""
    found = trained.load(
        data=examples.split(examples.make(name)),
        recipe=Recipe(epochs=EPOCHS, augmentation=Augmentation(crop=int(name == "digits"))),
        space=NASBench201(),
        sizes={"channels": 8, "cells": 1, "stages": 3},
        folder=folder / name,
    )
    compile_programs(found.setting, NASBench201().from_index([0])[0])
    return found


def seconds_per_epoch(trains: TrainedEvaluator, ledger: Ledger) -> tuple[Callable[[np.ndarray], np.ndarray], float]:
    """What an epoch of tokens `[B, N]` takes, `[B]` seconds, and the mean of the cells that say so.

    It's a line over multiply-accumulates through the fastest of the 18 epochs of each cell that the first seed begins
    with: others use the machine as well, so that what a training took says little.
    """
    tokens = random_distinct(trains.space, stream_key(0, "initial design"), INITIAL, covers=_connected)
    paths = [[point["seconds"] for point in _trial(ledger, row, FULL, 0).curve] for row in tokens]
    fastest = [float(np.diff([0.0, *path]).min()) for path in paths]
    macs = trains.costs["macs"]
    slope, start = np.polyfit(macs.of(tokens), fastest, 1)
    return lambda rows: start + slope * macs.of(rows), float(np.mean(fastest))


def _connected(tokens: np.ndarray) -> np.ndarray:
    return NASBench201().connected(tokens)


def of_training(trains: TrainedEvaluator, ledger: Ledger, seconds: Callable[[np.ndarray], np.ndarray]) -> Case:
    """A data set whose cells are trained here, once for all methods and seeds."""

    def tested(trial: Trial) -> float:
        trained_first = _trial(ledger, trains.space.from_native([trial.architecture])[0], FULL, 0)
        tokens = trains.space.from_native([trained_first.architecture])[0]
        run, _ = trains.train(tokens, EPOCHS)
        return Evaluated(trains.setting, trains.setting.data.test).accuracy(run.state.average, tokens)

    epochs = [("epochs=2", 2), ("epochs=6", 6), (FULL, EPOCHS)]
    return Case(lambda: Bank(trains, ledger, seconds), epochs, _connected, tested)


_SLOW = "`bo_nag`, full trainings"
"""Left out where cells are trained here."""


def _row(case: Case, name: str, stops: bool, seeds: int, budget: float) -> dict[str, Any]:
    """What a method finds: the best by validation at shares of the budget, and its test accuracy."""
    strategy = make_strategy(name, case.covers)
    runs = [search(case, strategy, stops, seed, budget) for seed in range(seeds)]
    metric = case.make().objective
    at = [[best_at(trials, metric, share * budget) for share in SHARES] for trials in runs]
    tests = np.array([[np.nan if best is None else case.tested(best) for best in row] for row in at])
    valid = [row[-1].values[metric] for row in at if row[-1] is not None]
    return {
        "shares": {str(share): _mean(tests[:, i]) for i, share in enumerate(SHARES)},
        "test": tests[:, -1].tolist(),
        "interval": mean_interval(tests[:, -1])._asdict(),
        "validation": float(np.mean(valid)),
        "begun": float(np.mean([len({trial.key for trial in trials}) for trials in runs])),
        "full": float(np.mean([sum(trial.fidelity == FULL for trial in trials) for trials in runs])),
        "seconds": float(np.mean([sum(trial.cost or 0.0 for trial in trials) for trials in runs])),
    }


def _mean(values: np.ndarray) -> float | None:
    """The mean; None where a seed has nothing yet."""
    return float(np.mean(values)) if np.isfinite(values).all() else None


def search(case: Case, strategy: Strategy, stops: bool, seed: int, budget: float) -> list[Trial]:
    """One seed of a method: its trials in the order of payment."""
    evaluator = case.make()
    space = evaluator.space
    objectives = Objectives((evaluator.metrics[evaluator.objective],))
    design = random_distinct(space, stream_key(seed, "initial design"), INITIAL, covers=case.covers)
    course = Course(
        key=stream_key(seed, "strategy"),
        strategy=strategy,
        space=space,
        objectives=objectives,
        initial=INITIAL,
        design=lambda n: design[:n],
    ).start()

    def begin(standing: Standing) -> np.ndarray:
        begun = len(standing.keys)
        return design[begun : begun + 1] if begun < INITIAL else course.tell(standing.told()).ask(1, at=begun)[0]

    ladder = halving.ladder_of(
        evaluator, case.epochs if stops else case.epochs[-1:], factor=FACTOR, objectives=objectives
    )
    with Ledger.open(None, evaluator) as ledger:
        halving.climb(ladder, ledger, begin, limits=Limits(seconds=budget))
        return ledger.trials()


def make_strategy(name: str, covers: Callable[[np.ndarray], np.ndarray]) -> Strategy:
    """A strategy with its defaults; one that generates has the exact generator."""
    space, options = NASBench201(), {}
    if strategies.needs_generator(name):
        config: Any = from_config(get_config())
        generator = build.make_generator(config, space, build.make_model(config, space))
        options["generator"] = Source(generator, generator.init(jax.random.key(0)), config.sampler.num_steps)
    return strategies.make(name, space, covers=covers, **options)


def best_at(trials: list[Trial], metric: str, seconds: float) -> Trial | None:
    """The best full training that so many seconds have paid for; None before the first."""
    spent = np.cumsum([trial.cost or 0.0 for trial in trials])
    full = [trial for trial, at in zip(trials, spent, strict=True) if at <= seconds and trial.fidelity == FULL]
    return max((trial for trial in full if not trial.failed), key=lambda trial: trial.values[metric], default=None)


class Bank:
    """Trainings that all methods and seeds share, each of which pays for them as if it had trained alone.

    Args:
        trains: trains.
        ledger: its ledger.
        seconds: what an epoch takes; see `seconds_per_epoch`.
    """

    name = "bank"
    batch_size = 1
    resumes = True

    def __init__(self, trains: TrainedEvaluator, ledger: Ledger, seconds: Callable[[np.ndarray], np.ndarray]):
        self.space, self.metrics, self.objective = trains.space, trains.metrics, trains.objective
        self.fidelities, self.fingerprint, self.covers = trains.fidelities, trains.fingerprint, trains.covers
        self.num_distinct = trains.num_distinct
        self._ledger, self._seconds = ledger, seconds
        self._reached: dict[Any, int] = {}

    def __call__(self, tokens: np.ndarray, *, fidelity: str = FULL, seed: int = 0) -> dict[str, np.ndarray]:
        """Values of tokens `[B, N]`; see `Evaluator`."""
        return self._ledger.label(tokens, "bank", fidelity=fidelity, seed=seed)

    def outcomes(self, tokens: np.ndarray, *, fidelity: str = FULL, seed: int = 0) -> Generator[Outcome]:
        """What comes of tokens `[B, N]`, of which each costs the epochs that its search hasn't paid for."""
        for row, each in enumerate(np.asarray(tokens)):
            trial = _trial(self._ledger, each, fidelity, seed)
            added = len(trial.curve) - self._reached.get(trial.key, 0)
            self._reached[trial.key] = len(trial.curve)
            cost = float(self._seconds(each[None])[0]) * added
            yield Outcome(row, trial.values, trial.reason, cost, curve=trial.curve)


def _trial(ledger: Ledger, tokens: np.ndarray, fidelity: str, seed: int) -> Trial:
    """The trial of an architecture, or of the one of its class that was trained first."""
    key = ledger.space.canonical(tokens[None]).tolist()[0]
    known = [trial for trial in ledger.trials() if trial.key == key]
    rows = ledger.space.from_native([known[0].architecture]) if known else tokens[None]
    ledger.label(rows, "bank", fidelity=fidelity, seed=seed)
    return next(each for each in ledger.trials() if (each.key, each.fidelity, each.seed) == (key, fidelity, seed))


def said_early(trials: list[Trial]) -> dict[str, Any]:
    """Rank correlations over full trainings of their last value with that of an epoch, and with what it is led on to.

    Args:
        trials: full trainings.
    """
    good = [trial for trial in trials if not trial.failed]
    paths = np.array([[point["validation_accuracy"] for point in trial.curve] for trial in good])
    found: dict[str, Any] = {"trainings": len(good)}
    for epochs in (2, 6, 12):
        led = [curves.extrapolate(path[:epochs], EPOCHS, path[epochs - 1]) for path in paths]
        found[str(epochs)] = {
            "last_value": _agreement(paths[:, epochs - 1], paths[:, -1]),
            "power_law": _agreement(led, paths[:, -1]),
        }
    return found


def _agreement(one: Any, other: Any) -> float:
    """Spearman's rank correlation."""
    found: Any = spearmanr(one, other)
    return float(found.statistic)
