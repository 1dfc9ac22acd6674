"""Successive halving: many architectures are evaluated a little, the best of them more, in stages or as they come.

Source of the asynchronous rule: Li et al., *A System for Massively Parallel Hyperparameter Tuning*, MLSys 2020.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from nag_jax.evaluators.base import Evaluator
from nag_jax.objectives import Objectives
from nag_jax.strategies.curves import last_value
from nag_jax.strategies.fidelities import comparable
from nag_jax.system import interrupts
from nag_jax.system.errors import InputError
from nag_jax.trials import Ledger, Trial


class Rung(NamedTuple):
    """One rung of the ladder, the lowest first and full fidelity last.

    Attributes:
        purpose: what its labels are paid for, in the ledger.
        fidelity: what the evaluator calls it.
        epochs: how many epochs a training has at its end.
        count: how many architectures reach it, which are waited for; None where the best go on as soon as there are
            some.
    """

    purpose: str
    fidelity: str
    epochs: int
    count: int | None = None


class Job(NamedTuple):
    """What is evaluated next.

    Attributes:
        level: the place of the rung.
        architecture: who is promoted to it; None where something new begins.
    """

    level: int
    architecture: str | None = None


@dataclasses.dataclass(frozen=True)
class Limits:
    """What may be spent; what an end needs, the full training of the best so far, is kept back of it.

    Attributes:
        candidates: how many architectures are begun at the most.
        epochs: how many epochs are trained in all.
        seconds: how many seconds trials may cost in all, by the ledger.
    """

    candidates: float = math.inf
    epochs: float = math.inf
    seconds: float = math.inf


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ladder:
    """The rule by which architectures climb.

    Attributes:
        rungs: the rungs.
        factor: one of so many of a rung is promoted, where rungs have no counts.
        objectives: what is compared.
        resumes: whether a training goes on at the next rung from where it was, and costs only what is added.
        rank: what an architecture of a rung is compared by: a trial and its place among epochs -> values by metric.
    """

    rungs: tuple[Rung, ...]
    factor: int
    objectives: Objectives
    resumes: bool = True
    rank: Callable[[Trial, int], dict[str, float]] = last_value

    def worth(self, trials: Iterable[Trial]) -> np.ndarray:
        """What trials of one rung are worth, `[T]`, higher is better; NaN for those that failed."""
        values = [self.rank(trial, self.rungs[-1].epochs) for trial in trials]
        return self.objectives.utilities(self.objectives.of_each(values)) if values else np.zeros(0)

    def epochs(self, level: int) -> int:
        """What a promotion to a rung adds in epochs, or a beginning at the lowest one takes."""
        below = self.rungs[level - 1].epochs if level and self.resumes else 0
        return self.rungs[level].epochs - below


class Standing:
    """Where a halving is, which follows from its trials in the order of payment: nothing else is stored of one.

    Args:
        ladder: the rule.

    Attributes:
        ladder: the rule.
        rungs: the trials of every rung by canonical key, in the order of payment.
    """

    def __init__(self, ladder: Ladder):
        self.ladder = ladder
        self.rungs: list[dict[int | str, Trial]] = [{} for _ in ladder.rungs]

    def add(self, trials: Iterable[Trial]) -> None:
        """Takes further trials in; those of other fidelities don't count."""
        levels = {rung.fidelity: level for level, rung in enumerate(self.ladder.rungs)}
        for trial in trials:
            if trial.fidelity in levels:
                self.rungs[levels[trial.fidelity]][trial.key] = trial

    @property
    def trials(self) -> list[Trial]:
        """All trials, rung by rung."""
        return [trial for rung in self.rungs for trial in rung.values()]

    @property
    def keys(self) -> set[int | str]:
        """The canonical keys of all architectures."""
        return {key for rung in self.rungs for key in rung}

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        counts = [rung.epochs for rung in self.ladder.rungs]
        if not self.ladder.resumes:
            return sum(count * len(rung) for count, rung in zip(counts, self.rungs, strict=True))
        highest = {key: count for count, rung in zip(counts, self.rungs, strict=True) for key in rung}
        return sum(highest.values())

    @property
    def seconds(self) -> float:
        """What the trials cost."""
        return sum(trial.cost or 0.0 for trial in self.trials)

    def next(self, limits: Limits) -> Job | None:
        """What is evaluated next; None where the limits are reached, or nothing is left to begin or to promote."""
        job = self._promotion()
        if job is None and len(self.rungs[0]) < limits.candidates:
            job = Job(0)
        if job is None or not self._is_affordable(job, limits):
            return self._finish()
        return job

    def best(self) -> Trial:
        """The best trial of the highest rung where one didn't fail.

        Raises:
            InputError: all of them failed.
        """
        for level in reversed(range(len(self.rungs))):
            if ranked := self._ranked(level):
                return ranked[0]
        reasons = sorted({trial.reason for trial in self.trials if trial.reason} or {"no value is finite"})
        count = len(self.rungs[0])
        raise InputError(f"all {count} trainings of {self.ladder.rungs[0].purpose} failed: {reasons[0]}")

    def told(self) -> list[Trial]:
        """What a strategy is told: each architecture once, with comparable values; see `fidelities.comparable`."""
        return comparable(self.rungs, self.ladder.objectives.names)

    def _promotion(self) -> Job | None:
        for level in reversed(range(len(self.rungs) - 1)):
            above = self.rungs[level + 1]
            for trial in self._ranked(level)[: self._quota(level)]:
                if trial.key not in above:
                    return Job(level + 1, trial.architecture)
        return None

    def _quota(self, level: int) -> int:
        """How many of a rung are promoted."""
        rung, above = self.ladder.rungs[level], self.ladder.rungs[level + 1]
        if rung.count is None or above.count is None:
            return len(self.rungs[level]) // self.ladder.factor
        waited = rung.count if not level else min(self._quota(level - 1), len(self._ranked(level - 1)))
        return above.count if waited and len(self.rungs[level]) >= waited else 0

    def _ranked(self, level: int) -> list[Trial]:
        """The trials of a rung that didn't fail, the best first, equal ones in the order of payment."""
        trials = list(self.rungs[level].values())
        worth = self.ladder.worth(trials)
        return [trials[i] for i in np.argsort(-worth, kind="stable") if np.isfinite(worth[i])]

    def _is_affordable(self, job: Job, limits: Limits) -> bool:
        epochs, seconds = self.epochs, self.seconds
        least = self.ladder.epochs(job.level) + self._epochs_to_finish()
        per_epoch = seconds / epochs if epochs else 0.0
        return epochs + least <= limits.epochs and seconds + per_epoch * least < limits.seconds

    def _epochs_to_finish(self) -> int:
        """What the full training of the best so far adds."""
        if self.rungs[-1]:
            return 0
        reached = max((level for level, rung in enumerate(self.rungs) if rung), default=0)
        done = self.ladder.rungs[reached].epochs if self.ladder.resumes else 0
        return self.ladder.rungs[-1].epochs - done

    def _finish(self) -> Job | None:
        """The full training of the best so far, where nothing was fully trained."""
        if self._ranked(len(self.rungs) - 1) or not self.rungs[0]:
            return None
        best = self.best()
        failed = self.rungs[-1].get(best.key)
        return None if failed else Job(len(self.rungs) - 1, best.architecture)


def climb(
    ladder: Ladder,
    ledger: Ledger,
    begin: Callable[[Standing], np.ndarray],
    *,
    limits: Limits,
    seed: int = 0,
    progress: Callable[[Standing], None] = lambda standing: None,
) -> Standing:
    """Pays for trials until the limits are reached, going on from what the ledger holds; returns where it ended.

    Args:
        ladder: the rule.
        ledger: the ledger of the evaluator, whose trials of these fidelities and this seed count, whoever paid.
        begin: what begins next, tokens `[m, W]` of which the first counts; none where nothing is new.
        limits: what may be spent.
        seed: the evaluator's seed.
        progress: called after every trial.

    Raises:
        InputError: nothing begins, or all trainings failed.
    """
    standing, last = Standing(ladder), 0
    while True:
        interrupts.check()
        new = ledger.trials(after=last)
        last = new[-1].id if new else last
        standing.add(trial for trial in new if trial.seed == seed)
        progress(standing)
        job = standing.next(limits)
        if job is None:
            break
        rung = ladder.rungs[job.level]
        tokens = begin(standing) if job.architecture is None else ledger.space.from_native([job.architecture])
        if not len(tokens):
            limits = dataclasses.replace(limits, candidates=len(standing.rungs[0]))
            continue
        ledger.label(tokens[:1], rung.purpose, fidelity=rung.fidelity, seed=seed)
    standing.best()
    return standing


def ladder_of(evaluator: Evaluator, epochs: Sequence[tuple[str, int]], **fields) -> Ladder:
    """The asynchronous ladder of an evaluator's fidelities.

    Args:
        evaluator: has these fidelities; its attribute `resumes` says whether trainings go on, False by default.
        epochs: the fidelities with their epochs, the lowest first.
        **fields: further fields of `Ladder`.

    Raises:
        InputError: the evaluator lacks one of them.
    """
    known = getattr(evaluator, "fidelities", ())
    if missing := [name for name, _ in epochs if name not in known]:
        raise InputError(f"{evaluator.name} has no fidelity {missing[0]!r}: use some of {list(known)}")
    rungs = tuple(Rung(f"rung {i + 1}", name, count) for i, (name, count) in enumerate(epochs))
    return Ladder(rungs=rungs, resumes=getattr(evaluator, "resumes", False), **fields)
