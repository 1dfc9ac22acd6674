"""What is asked for architectures and told what came of them, with all that it knows in its ledger."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from types import MappingProxyType

import numpy as np

from nag_jax.evaluators import Evaluator
from nag_jax.evaluators.function import Function
from nag_jax.objectives import Objectives
from nag_jax.spaces.capabilities import HasCosts
from nag_jax.spaces.distinct import distinct_rows
from nag_jax.strategies import loop
from nag_jax.strategies.course import Course
from nag_jax.system.errors import InputError, quoted
from nag_jax.tasks import drive
from nag_jax.tasks.proposal import Architecture, Proposal, read_numbers, read_values
from nag_jax.tasks.record import Record
from nag_jax.trials import FULL, Ledger, Trial
from nag_jax.trials.trial import now

WEEK = 7 * 24 * 3600.0
"""Seconds that a proposal is pending by default: longer than nearly all trainings take."""


class Asked(Record):
    """A search from outside; a context manager, which closes the ledger. `nag_jax.study` opens one with a page.

    It is used from one thread. Others, in this process or another, open their own on the same ledger.

    Attributes:
        evaluator: says what is measured, and may measure it.
    """

    def __init__(
        self,
        ledger: Ledger,
        make_course: Callable[[], Course],
        objectives: Objectives,
        *,
        evaluator: Evaluator,
        strategy: str,
        believes: bool = False,
        lease: float = WEEK,
    ):
        """Joins what has been made.

        Args:
            ledger: the ledger of the evaluator.
            make_course: makes the search before its first label, which may take training.
            objectives: the metrics that count, and their utility.
            evaluator: says what is measured, and may measure it.
            strategy: the name of the strategy.
            believes: whether the strategy has a surrogate, so that proposals come with predictions.
            lease: how many seconds a proposal is pending.
        """
        super().__init__(ledger, objectives, strategy)
        self.evaluator = evaluator
        self._make_course, self._believes, self._lease = make_course, believes, lease
        self._course: Course | None = None

    def ask(
        self,
        n: int = 1,
        *,
        lease: float | None = None,
        budget: float = math.inf,
        course: Course | None = None,
        origin: str = "",
    ) -> list[Proposal]:
        """Proposes architectures that nobody was told of and that aren't pending; waits while somebody else is asked.

        The first ones are the initial design, random architectures. What is proposed depends on the study's seed and
        on what its ledger holds, so the same seed and the same calls give the same trials, also after a kill.

        Args:
            n: how many; fewer come where the space has no more.
            lease: seconds for which they are pending, where that isn't what the study was opened with.
            budget: trials and pending ones in all, beyond which nothing is proposed.
            course: what decides in place of the study's own strategy, before its first label.
            origin: the name of that.

        Raises:
            InputError: n isn't a positive whole number, or something else prevents that the strategy is made.
        """
        if n < 1 or n != int(n):
            raise InputError(f"a study is asked for at least 1 architecture, found {quoted(n)}")
        own = self.course if course is None else course  # before anybody has to wait, as it may be long in the making
        with self.ledger.alone():
            pending, trials = self.ledger.pending(), self.trials
            asked = len(trials) + len(pending)
            now_told = own.follow(trials)
            if course is None:
                self._course = now_told
            tokens = self._propose(now_told, int(min(n, budget - asked)), pending)
            natives, keys = self.space.to_native(tokens), self.space.canonical(tokens).tolist()
            reserved = self.ledger.reserve(
                [
                    Trial(
                        key=key,
                        architecture=native,
                        values={},
                        purpose=loop.INITIAL if asked + i < own.initial else loop.SEARCH,
                        origin=origin or self.strategy,
                    )
                    for i, (key, native) in enumerate(zip(keys, natives, strict=True))
                ],
                seconds=self._lease if lease is None else lease,
            )
        predicted = self.predict(natives) if self._believes and natives else None
        free = self.costs(tokens)
        return [
            Proposal(
                architecture=trial.architecture,
                predicted=predicted[i][0] if predicted else {},
                spread=predicted[i][1] if predicted else {},
                free={name: float(column[i]) for name, column in free.items()},
                origin=trial.origin,
                lease=trial.lease,
            )
            for i, trial in enumerate(reserved)
        ]

    def tell(
        self,
        trial: Architecture,
        values: float | Mapping[str, float],
        *,
        fidelity: str | int | None = None,
        step: int | None = None,
        cost: float | None = None,
        origin: str = "",
        worker: str = "",
    ) -> Trial:
        """Stores what came of an architecture, in the metrics' own units and directions; returns the trial.

        Args:
            trial: what was proposed, or any architecture of the space.
            values: a number for each metric of the study; of the only objective also the number alone. Beside a `step`
                any numbers by name.
            fidelity: how thoroughly it was evaluated, where that was less than fully, as the epochs of a short
                training. Such a trial stands beside the one of full fidelity, and strategies don't learn from it.
            step: says that the values are an intermediate point of the trial's curve: it is pending still, and its
                lease begins anew.
            cost: seconds that the evaluation took.
            origin: who proposed an architecture that the study did not.
            worker: who evaluated it.

        Raises:
            InputError: it is no architecture of the space, a value is missing or no finite number, or the ledger has
                other values of it.
        """
        pending = self._pending(trial, fidelity, origin)
        if step is not None:
            named = values if isinstance(values, Mapping) else {self.objectives.names[0]: values}
            point = {"step": step, **read_numbers(named, "leave it out")}
            return self.ledger.reserve(
                [dataclasses.replace(pending, curve=(*pending.curve, point), worker=worker)], seconds=self._lease
            )[0]
        return self._settle(pending, read_values(values, self.ledger.metrics), "", cost, worker)

    def fail(
        self,
        trial: Architecture,
        reason: str,
        *,
        fidelity: str | int | None = None,
        cost: float | None = None,
        origin: str = "",
        worker: str = "",
        values: Mapping[str, float] = MappingProxyType({}),
    ) -> Trial:
        """Stores that an architecture can't be evaluated; it counts as a label and isn't proposed again.

        Args:
            trial: what was proposed, or any architecture of the space.
            reason: why, first in one line; a traceback may follow.
            fidelity: how thoroughly it was tried, where that was less than fully.
            cost: seconds that the attempt took.
            origin: who proposed an architecture that the study did not.
            worker: who tried.
            values: the metrics that are known all the same.

        Raises:
            InputError: it is no architecture of the space, or the ledger has values of it.
        """
        pending = self._pending(trial, fidelity, origin)
        known = dict.fromkeys(self.ledger.metrics, math.nan) | read_numbers(values, "leave it out")
        return self._settle(pending, {name: known[name] for name in self.ledger.metrics}, reason, cost, worker)

    def optimize(
        self,
        evaluator: Evaluator | Function | None = None,
        budget: int = 100,
        *,
        executor: str | Executor | None = None,
        goal: float | None = None,
        progress: Callable[[int], None] = lambda told: None,
        purposes: tuple[str, str] = (loop.INITIAL, loop.SEARCH),
        **options,
    ) -> np.ndarray:
        """Asks, evaluates and tells until the study has so many labels.

        Without an executor it is what `nag_jax.search` does: batch by batch, in this process, and nobody else is asked
        meanwhile. With one, a worker that is free gets the next architecture at once, and others may be asked.

        Args:
            evaluator: gives the values: what an evaluator is, or a function of the native string that returns its
                value or a mapping of values; by default the study's own evaluator.
            budget: labels in all, those that the ledger holds already included.
            executor: runs the trials, a name of `trials.executors.REGISTRY` or a `concurrent.futures.Executor`.
            goal: what a label is worth at which it is over, or None; see `Objectives.worth`.
            progress: called with the number of labels.
            purposes: the purposes of the labels of the initial design and of the others.
            **options: options of the executor and of `tasks.drive.Terms`, as `workers=8`, `timeout=3600`.

        Returns:
            What the labels are worth, `[T]`, in the order of payment, NaN for failed trials; of the only objective the
            values, in its unit.

        Raises:
            InputError: there is no evaluator, it doesn't measure the objectives, or nothing new is left to label.
        """
        source = drive.as_evaluator(self.evaluator if evaluator is None else evaluator, self)
        if executor is None and source is self.evaluator:
            with self.ledger.alone():
                return loop.search_labels(
                    self.course,
                    self.ledger,
                    budget=budget,
                    goal=goal,
                    purposes=purposes,
                    origin=self.strategy,
                    progress=progress,
                )
        return drive.drive(
            self, source, budget, executor=executor or "inline", goal=goal, progress=progress, options=options
        )

    def release(self, trial: Architecture) -> None:
        """Gives a proposal back before its lease is over: it may be proposed again."""
        self.ledger.release([self._pending(trial, None, "")])

    @property
    def course(self) -> Course:
        """The search before its first label; made when first asked for, as it may take training."""
        if self._course is None:
            self._course = self._make_course().start()
        return self._course

    def _propose(self, course: Course, n: int, pending: Sequence[Trial]) -> np.ndarray:
        """The rest of the initial design, then what a course that follows the trials decides on: tokens `[m, N]`."""
        if n < 1:
            return np.zeros((0, self.space.width), np.int32)
        trials = self.trials
        held = self.space.from_native([trial.architecture for trial in pending])
        asked = len(trials) + len(pending)
        tokens = held[:0]
        if asked < course.initial:
            design = course.design(course.initial)
            taken = {trial.key for trial in (*trials, *pending)}
            is_new = np.array([key not in taken for key in self.space.canonical(design).tolist()], bool)
            tokens = design[is_new][: min(n, course.initial - asked)]
        if len(tokens) == n:
            return tokens
        held = np.concatenate([held, tokens])
        more, _ = course.tell(trials[course.told :]).ask(n - len(tokens), held, at=asked + len(tokens))
        found = np.concatenate([tokens, more])
        return found[distinct_rows(self.space.canonical(found))]

    def _pending(self, trial: Architecture, fidelity: str | int | None, origin: str) -> Trial:
        """The pending trial of an architecture, or one that could be."""
        native = trial if isinstance(trial, str) else trial.architecture
        fidelity = FULL if fidelity is None else str(fidelity)
        key = self.space.canonical(self.space.from_native([native])).tolist()[0]
        for found in self.ledger.pending(expired=True):
            if (found.key, found.fidelity) == (key, fidelity):
                return dataclasses.replace(found, origin=origin or found.origin)
        return Trial(
            key=key, architecture=native, values={}, purpose="told", fidelity=fidelity, origin=origin or "told"
        )

    def _settle(self, pending: Trial, values: dict[str, float], reason: str, cost: float | None, worker: str) -> Trial:
        return self.ledger.settle(
            dataclasses.replace(
                pending,
                values=values,
                status="",
                reason=reason,
                cost=cost,
                worker=worker,
                time=now(),
                lease="",
            )
        )

    def costs(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Costs `[m]` that a formula of the space gives, by name."""
        if not isinstance(self.space, HasCosts):
            return {}
        return {name: cost.of(tokens) for name, cost in self.space.costs().items()}
