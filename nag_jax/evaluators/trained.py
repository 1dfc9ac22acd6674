"""The evaluator that trains: an architecture's validation accuracy on a data set, from weights of its own.

Fidelities are numbers of epochs, `epochs=1` and so on, of which `full` is the recipe's. A training stopped at one goes
on from there at the next, so its trials cost what each of them adds. Seeds are trials of their own.
"""

import hashlib
import math
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nag_jax.datasets.examples import Parts
from nag_jax.evaluators.base import FULL, OfWholeSpace, Outcome
from nag_jax.evaluators.networks import digest, networks_of
from nag_jax.fitting.checkpoint import Checkpoints, checksum
from nag_jax.objectives.metric import Metric
from nag_jax.spaces import Space
from nag_jax.spaces.capabilities import HasCosts
from nag_jax.system import parallel
from nag_jax.system.fields import to_dict
from nag_jax.system.keys import stream_key
from nag_jax.system.names import check_name
from nag_jax.training.recipe import Recipe
from nag_jax.training.run import CURVE, Run, Setting, resume, train

METRICS = {
    "validation_accuracy": Metric("validation_accuracy", unit="%", direction="max", split="validation"),
    "training_loss": Metric("training_loss", direction="min", split="train"),
}
PREFIX = "epochs="


class TrainedEvaluator(OfWholeSpace):
    """Trains architectures of a space. Made by `load`.

    Attributes:
        name: the name in the registry.
        space: the space of the architectures.
        metrics: what a training measures.
        objective: the one to search by.
        setting: the networks, the data, the recipe and the devices.
        batch_size: 1, since every training is stored as it ends.
        fidelities: the names of the numbers of epochs.
        resumes: True, as a training goes on from where it was stopped.
        fingerprint: tells data, recipes and sizes of networks apart.
    """

    name = "trained"
    batch_size = 1
    resumes = True

    def __init__(self, space: Any, setting: Setting, sizes: dict[str, int], objective: str, folder: Path | None):
        self.space: Space = space
        self.metrics = dict(METRICS)
        self.objective = objective
        self.setting = setting
        self.fidelities = (FULL, *(f"{PREFIX}{epochs}" for epochs in range(1, setting.recipe.epochs)))
        self.fingerprint = digest(
            space.fingerprint, sizes, to_dict(setting.recipe), [*map(int, map(checksum, setting.data[2:]))]
        )
        self._folder = folder

    @property
    def costs(self) -> Any:
        """What the architectures cost by a formula, by name, as constraints take it."""
        return self.space.costs() if isinstance(self.space, HasCosts) else {}

    def __call__(self, tokens: np.ndarray, *, fidelity: str = FULL, seed: int = 0) -> dict[str, np.ndarray]:
        """Trains tokens `[B, W]` one after the other; see `Evaluator`."""
        rows = [outcome.labels for outcome in self.outcomes(tokens, fidelity=fidelity, seed=seed)]
        return {name: np.array([row[name] for row in rows], np.float64) for name in self.metrics}

    def outcomes(self, tokens: np.ndarray, *, fidelity: str = FULL, seed: int = 0) -> Generator[Outcome]:
        """Trains tokens `[B, W]` and gives what came of each as it ends; see `StreamingEvaluator`."""
        epochs = self.epochs(fidelity)
        for row, architecture in enumerate(np.asarray(tokens)):
            run, seconds = self.train(architecture, epochs, seed)
            run = run.until(epochs)  # it may have been trained for longer already
            yield Outcome(row, self.labels(run), run.reason, cost=seconds, curve=_points(run))

    def epochs(self, fidelity: str) -> int:
        """How many epochs a fidelity has.

        Raises:
            InputError: there is no such fidelity.
        """
        check_name(fidelity, self.fidelities, "fidelity")
        return self.setting.recipe.epochs if fidelity == FULL else int(fidelity.removeprefix(PREFIX))

    def fidelity(self, epochs: int) -> str:
        """The name of a number of epochs."""
        return FULL if epochs == self.setting.recipe.epochs else f"{PREFIX}{epochs}"

    def train(self, tokens: np.ndarray, epochs: int, seed: int = 0) -> tuple[Run, float]:
        """The training of one architecture after so many epochs, and the seconds that this call spent on it."""
        native, identity = self.space.to_native(tokens[None])[0], str(self.space.canonical(tokens[None])[0])
        key = jax.random.fold_in(stream_key(seed, "training"), zlib.crc32(identity.encode()))
        kept = self._checkpoints(native, seed)
        resumed = resume(self.setting, kept, key, tokens)
        run = train(self.setting, key, tokens, resumed, epochs=epochs, kept=kept)
        return run, run.seconds - resumed.seconds

    def weights(self, tokens: np.ndarray, seed: int = 0) -> tuple[Run, Any]:
        """The whole training of one architecture, and its variables as the architecture's own network takes them."""
        run, _ = self.train(tokens, self.setting.recipe.epochs, seed)
        return run, self.setting.network.specialise(jax.device_get(run.state.average), tokens)

    def labels(self, run: Run) -> dict[str, float]:
        """The metrics of a training; NaN where it failed."""
        if run.reason or not run.epochs:
            return dict.fromkeys(self.metrics, math.nan)
        last: dict[str, float] = dict(zip(CURVE, run.curve[run.epochs - 1].tolist(), strict=True))
        return {name: last[name] for name in self.metrics}

    def _checkpoints(self, native: str, seed: int) -> Checkpoints | None:
        if self._folder is None:
            return None
        # Architectures that compute the same thing have the same randomness, but their weights lie on other edges.
        name = hashlib.sha256(native.encode()).hexdigest()[:16]
        facts = {"architecture": native, "seed": seed, "training": self.fingerprint}
        return Checkpoints(self._folder / f"{name}-{seed}", facts, max_to_keep=1)


def load(
    *,
    data: Parts,
    recipe: Recipe,
    sizes: dict[str, int],
    space: Any = None,
    metric: str = "validation_accuracy",
    folder: str | Path | None = None,
    mesh: Any = None,
) -> TrainedEvaluator:
    """Makes the evaluator.

    Args:
        data: the parts of the data set, of which the test part isn't touched.
        recipe: how architectures are trained.
        sizes: the sizes of the networks, as the space's `any_network` takes them; {} for its own.
        space: the space of the architectures; NAS-Bench-201 by default.
        metric: what to search by.
        folder: where trainings are kept, to go on from; None keeps none.
        mesh: the devices that a batch is cut over; all of them by default.

    Raises:
        InputError: no network of the space can be trained, there is no such size or metric, or batches don't fit.
    """
    check_name(metric, METRICS, "metric")
    chosen, network = networks_of(space, data, sizes)
    setting = Setting(network, data, recipe, mesh or parallel.make_mesh())
    return TrainedEvaluator(chosen, setting, sizes, metric, None if folder is None else Path(folder))


def _points(run: Run) -> tuple[dict[str, float], ...]:
    """The curve, a point per epoch."""
    done = run.curve[: run.epochs].tolist()
    return tuple({"epoch": i + 1, **dict(zip(CURVE, row, strict=True))} for i, row in enumerate(done))
