"""A finished run as others read it: its results, its labels and its architectures, best first."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from ml_collections import ConfigDict

from nag_jax.objectives import Metric, Objectives
from nag_jax.reports.page.finished import read_results
from nag_jax.settings.config import from_config
from nag_jax.spaces import NodeSpace
from nag_jax.spaces.blueprint import Blueprint
from nag_jax.spaces.capabilities import Buildable
from nag_jax.system.extras import check_installed
from nag_jax.system.weights_file import nested, read_weights
from nag_jax.tasks import build
from nag_jax.tasks.pool import FINAL
from nag_jax.tasks.workdir import OWN, Workdir
from nag_jax.trials import Trial, read_trials
from nag_jax.trials.trial import FULL


class Candidate(NamedTuple):
    """An architecture that a run found.

    Attributes:
        architecture: its native string.
        predicted: the run's own prediction, of a stream in the predictor's units; None where it made none.
    """

    architecture: str
    predicted: float | None = None


class FinishedRun:
    """The workdir of a run that has ended.

    Args:
        path: the folder.

    Attributes:
        path: the folder.
        results: what stands in its `results.json`.
        config: its settings.

    Raises:
        InputError: see `report.finished.read_results`.
    """

    def __init__(self, path: Path):
        self.path = path
        self.results = read_results(path)
        config: dict[str, Any] = self.results["config"]
        for block in {*OWN} & config.keys():
            config[block]["name"] = Workdir(path).kept_name(block, config[block]["name"])
        self.config: Any = from_config(ConfigDict(config))

    @property
    def objective(self) -> dict[str, Any] | None:
        """Metric, unit, direction and split of what it searched by; None where it only kept to constraints."""
        return self.results.get("objective")

    def space(self) -> NodeSpace:
        """The space of its architectures."""
        return build.make_space(self.config)

    def trials(self) -> list[Trial]:
        """All labels that it paid for, of all its ledgers."""
        ledgers = sorted([*self.path.glob("*.db"), *self.path.glob("*/*.db")])
        return [trial for path in ledgers for trial in read_trials(path)]

    def candidates(self, most: int) -> list[Candidate]:
        """Its architectures, best first; `most` at least, if there are so many that differ.

        In the mode `generate` those paid for at the end by their labels, then the guided pool by its prediction (under
        constraints alone there is no order but the file's); in `search` all that were paid for, by their labels;
        in `stream` by prediction; in `train` the one whose weights are kept, then those that were trained to the end.
        """
        if self.config.mode == "train":
            return self._trained()
        if self.config.mode == "stream":
            return self._streamed(most)
        return self._searched() if self.config.mode == "search" else self._generated()

    @property
    def is_ranked(self) -> bool:
        """Whether its candidates have an order that means something."""
        return self.config.mode == "stream" or self.objective is not None

    def _generated(self) -> list[Candidate]:
        frame = pd.read_csv(self.path / "architectures.csv")
        if self.objective is None:
            return [Candidate(arch) for arch in frame[(frame["pool"] == "constrained") & frame["feasible"]]["arch"]]
        guided = frame[frame["pool"] == "guided"]
        predicted = dict(zip(guided["arch"], guided["predicted"], strict=True))
        final = [trial for trial in self.trials() if trial.purpose == FINAL]
        first = [trial.architecture for trial in self._best_first(final, self.objective)]
        return [Candidate(arch, predicted.get(arch)) for arch in dict.fromkeys([*first, *predicted])]

    def blueprint(self, tokens: np.ndarray) -> Blueprint | None:
        """The network of an architecture, tokens `[W]`, with the sizes that the run trained it with; None without."""
        space: Any = self.space()
        if self.config.mode != "train":
            return space.blueprint(tokens) if isinstance(space, Buildable) else None
        data = self.results["dataset"]
        network = space.any_network(num_classes=len(data["classes"]), **self.config.sizes)
        height, width, _ = data["shape"]
        return dataclasses.replace(network.blueprint(tokens), image_size=height, image_width=width)

    def weights(self, architecture: str) -> dict[str, Any] | None:
        """The weights that the run kept of an architecture, as its network takes them; None where it kept none.

        Raises:
            InputError: their file can't be read.
        """
        trained = self.results.get("trained")
        if trained is None or trained["architecture"] != architecture:
            return None
        return nested(read_weights(self.path / trained["weights"]))

    def _trained(self) -> list[Candidate]:
        assert self.objective is not None
        whole = self._best_first([trial for trial in self.trials() if trial.fidelity == FULL], self.objective)
        first = self.results["trained"]["architecture"]
        return [Candidate(arch) for arch in dict.fromkeys([first, *(trial.architecture for trial in whole)])]

    def _searched(self) -> list[Candidate]:
        assert self.objective is not None
        best_first = self._best_first(self.trials(), self.objective)
        return [Candidate(arch) for arch in dict.fromkeys(trial.architecture for trial in best_first)]

    def _streamed(self, most: int) -> list[Candidate]:
        check_installed("pyarrow", extra="parquet", needed_by="a stream")
        import pyarrow.parquet as pq

        best = pd.DataFrame({"architecture": [], "predicted": []})
        for path in sorted((self.path / "samples").glob("*.parquet")):
            frame = pq.read_table(path, columns=["architecture", "predicted"]).to_pandas().dropna()
            frame["architecture"] = frame["architecture"].astype(str)
            best = pd.concat([best, frame]) if len(best) else frame
            best = best.drop_duplicates("architecture").nlargest(most, "predicted")
        return [Candidate(*row) for row in best.itertuples(index=False, name=None)]

    def _best_first(self, trials: list[Trial], objective: dict[str, Any]) -> list[Trial]:
        """The trials that have a label, by it or by the utility of several; equal ones in the order of payment."""
        several = objective.get("objectives") or [objective]
        metrics = tuple(Metric(about["metric"], direction=about["direction"]) for about in several)
        objectives = Objectives(metrics, build.make_utility(self.config, len(metrics)))
        utilities = objectives.utilities(objectives.of_each(trial.values for trial in trials))
        order = np.argsort(-utilities, kind="stable")
        return [trials[i] for i in order if np.isfinite(utilities[i])]
