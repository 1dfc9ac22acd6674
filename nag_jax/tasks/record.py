"""The record of a study: its trials, the best and the front, what they say of others, and all as a table."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import jax
import numpy as np

from nag_jax.objectives import Objectives
from nag_jax.strategies.predictions import learn_each
from nag_jax.system.extras import check_installed
from nag_jax.trials import Labels, Ledger, Trial

if TYPE_CHECKING:
    import pandas as pd


class Record:
    """What is known of a study; it reads the ledger, and changes nothing.

    Attributes:
        ledger: where all is stored.
        objectives: the metrics that count, and their utility.
        strategy: the name of the strategy.
    """

    def __init__(self, ledger: Ledger, objectives: Objectives, strategy: str):
        self.ledger, self.objectives, self.strategy = ledger, objectives, strategy
        self._labels: Labels = Labels(ledger)
        self._known: tuple[int, Any] = (-1, None)

    @property
    def trials(self) -> list[Trial]:
        """The trials of full fidelity that are over, in the order in which they were told."""
        return self._labels.read()

    @property
    def pending(self) -> list[Trial]:
        """The proposals that nobody has told of and whose lease isn't over, in their order."""
        return self.ledger.pending()

    @property
    def best(self) -> Trial | None:
        """The trial with the best value of the objective, or of the utility; None where none succeeded.

        Of several objectives without a utility it is the best by the first one.
        """
        trials = [trial for trial in self.trials if not trial.failed]
        if not trials:
            return None
        values = self.objectives.of_each(trial.values for trial in trials)
        return trials[int(np.argmax(self.objectives.utilities(values)))]

    def front(self) -> list[Trial]:
        """The trials that no other beats in every objective, best by the first objective first."""
        check_installed("moocore", extra="hypervolume", needed_by="the front of a study")
        import moocore

        trials = [trial for trial in self.trials if not trial.failed]
        if not trials:
            return []
        values = self.objectives.of_each(trial.values for trial in trials)
        on_front = np.flatnonzero(moocore.is_nondominated(-values))
        return [trials[i] for i in on_front[np.argsort(-values[on_front, 0], kind="stable")]]

    def to_pandas(self) -> "pd.DataFrame":
        """A row for each trial, those of less fidelity and the pending ones included."""
        import pandas as pd

        rows = [*self.ledger.trials(), *self.pending]
        columns: dict[str, list[Any]] = {"architecture": [trial.architecture for trial in rows]}
        for name in self.ledger.metrics:
            columns[name] = [trial.values.get(name, math.nan) for trial in rows]
        for name in ("status", "fidelity", "origin", "purpose", "cost", "worker", "time", "reason", "lease"):
            columns[name] = [getattr(trial, name) for trial in rows]
        return pd.DataFrame(columns)

    def predict(self, architectures: Sequence[str]) -> list[tuple[dict[str, float], dict[str, float]]] | None:
        """What the study's labels say of architectures: mean and standard deviation of each objective, in its unit.

        None where fewer than two trials didn't fail.

        Raises:
            InputError: one is no architecture of the space.
        """
        trials = self.trials
        if self._known[0] != len(trials):
            values = self.objectives.of_each(trial.values for trial in trials) if trials else np.zeros((0, 1))
            tokens = self.space.from_native([trial.architecture for trial in trials])
            self._known = len(trials), learn_each(jax.random.key(0), self.space, tokens, values)
        if self._known[1] is None:
            return None
        mean, std = self._known[1](self.space.from_native(list(architectures)))
        names, means = self.objectives.names, self.objectives.in_units(mean)
        return [
            (
                {name: float(means[name][i]) for name in names},
                {name: float(std[i, column]) for column, name in enumerate(names)},
            )
            for i in range(len(mean))
        ]

    @property
    def space(self) -> Any:
        """The space of the architectures."""
        return self.ledger.space

    def close(self) -> None:
        """Closes the ledger; the study can't be used any more."""
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __repr__(self) -> str:
        directions = {metric.name: metric.direction for metric in self.objectives.metrics}
        where = self.ledger.path or "memory"
        return f"Study({self.space.name!r}, {directions}, {self.strategy!r}, {len(self.trials)} trials in {where})"
