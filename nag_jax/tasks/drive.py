"""The driver of a study: workers of an executor, each of which gets the next architecture as soon as it is free."""

import dataclasses
import os
import pickle
import platform
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import TYPE_CHECKING, Any

import numpy as np

from nag_jax.evaluators import Evaluator, Outcome
from nag_jax.evaluators.function import from_function
from nag_jax.strategies import loop
from nag_jax.system import interrupts
from nag_jax.system.errors import InputError, describe_exception
from nag_jax.trials import FULL, executors
from nag_jax.trials.payments import Order, outcomes_of
from nag_jax.trials.trial import now

if TYPE_CHECKING:
    from nag_jax.tasks.asked import Asked
    from nag_jax.tasks.proposal import Proposal

_LOOK_SECONDS = 0.2
"""How often a signal, a time limit and a lease are looked at while trials run."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Terms:
    """On which terms trials are run.

    Attributes:
        workers: the number of trials at the same time.
        timeout: seconds that an attempt may take; None for no limit.
        retries: further attempts after one that failed. One whose worker died is tried again at least once.
        lease: seconds after which the trials of a driver that was killed may be begun by others.

    Raises:
        InputError: a number is out of range.
    """

    workers: int = 1
    timeout: float | None = None
    retries: int = 0
    lease: float = 60.0

    def __post_init__(self):
        for name, holds, words in (
            ("workers", self.workers >= 1, "at least 1"),
            ("timeout", self.timeout is None or self.timeout > 0, "more than 0"),
            ("retries", self.retries >= 0, "at least 0"),
            ("lease", self.lease > 0, "more than 0"),
        ):
            if not holds:
                raise InputError(f"{name} of a search by workers must be {words}, found {getattr(self, name)}")


@dataclasses.dataclass(frozen=True)
class Attempt:
    """A trial that runs.

    Attributes:
        proposal: what is evaluated.
        number: counts attempts from 1.
        began: when it was submitted, by the monotonic clock.
    """

    proposal: "Proposal"
    number: int
    began: float


@dataclasses.dataclass(frozen=True)
class Raised:
    """What an evaluator raised that isn't to be a failed trial.

    Attributes:
        error: the exception.
    """

    error: Exception


def as_evaluator(given: Any, study: "Asked") -> Evaluator:
    """The evaluator of a study's objectives that is given, or made of a function.

    Raises:
        InputError: it measures something else than the study's objectives, or on another space.
    """
    metrics = study.ledger.metrics
    if not hasattr(given, "metrics"):
        first, *further = metrics
        return from_function(given, space=study.space, metric=first, further=tuple(further), fingerprint="a study's")
    if missing := sorted(metrics.keys() - given.metrics.keys()):
        raise InputError(f"{given.name} doesn't measure {missing}, which the study is about: use another evaluator")
    if given.space.fingerprint != study.space.fingerprint:
        raise InputError(
            f"{given.name} is of {given.space.name}, the study of {study.space.name}: use another evaluator"
        )
    return given


def drive(
    study: "Asked",
    evaluator: Evaluator,
    budget: int,
    *,
    executor: str | Executor,
    goal: float | None,
    progress: Callable[[int], None],
    options: Mapping[str, Any],
) -> np.ndarray:
    """Runs trials on an executor until the study has so many; see `Asked.optimize`."""
    terms, rest = split(options)
    if isinstance(executor, str):
        made = executors.make(executor, workers=terms.workers, timeout=terms.timeout, **rest)
    elif rest:
        raise InputError(f"an executor of your own takes no options, found {sorted(rest)}: leave them out")
    else:
        made = executor
    driver = Driver(study, evaluator, made, terms)
    try:
        while not driver.is_over(budget, goal):
            interrupts.check()
            driver.fill(budget)
            driver.collect()
            progress(len(study.trials))
    finally:
        with interrupts.held():
            driver.stop()
            if made is not executor:
                made.shutdown(wait=False, cancel_futures=True)
    return driver.worth()


def split(options: Mapping[str, Any]) -> tuple[Terms, dict[str, Any]]:
    """The terms among the options of a search by workers, and those of the executor."""
    named = {field.name for field in dataclasses.fields(Terms)}
    terms = Terms(**{name: value for name, value in options.items() if name in named})
    return terms, {name: value for name, value in options.items() if name not in named}


def check(options: Mapping[str, Any]) -> None:
    """Raises InputError where `executor` among the options names none, or one that lacks another of them."""
    rest = split(options)[1]
    executors.check(rest.pop("executor"), rest)


class Driver:
    """What runs of a study, and what becomes of it.

    Args:
        study: is asked and told.
        evaluator: gives the values.
        executor: runs the trials.
        terms: the terms on which it does.
    """

    def __init__(self, study: "Asked", evaluator: Evaluator, executor: Executor, terms: Terms):
        self._study, self._evaluator, self._executor, self._terms = study, evaluator, executor, terms
        self._running: dict[Future, Attempt] = {}
        self._abandoned: set[Future] = set()
        self._renewed = time.monotonic()

    def worth(self) -> np.ndarray:
        """What the labels are worth, `[T]`."""
        objectives, trials = self._study.objectives, self._study.trials
        return objectives.worth(objectives.of_each(trial.values for trial in trials)) if trials else np.zeros(0)

    def is_over(self, budget: int, goal: float | None) -> bool:
        """Whether the budget is spent, or the goal reached."""
        return loop.is_over(self.worth(), self._study.objectives, budget=budget, goal=goal)

    def fill(self, budget: int) -> None:
        """Asks for as many architectures as workers are free; fewer where something has ended meanwhile.

        Raises:
            InputError: there is nothing new, and nothing that anybody is still working on.
        """
        study = self._study
        while not any(future.done() for future in self._running):
            self._abandoned = {future for future in self._abandoned if not future.done()}
            pending, soon = study.pending, now(later=self._terms.lease)
            asked = len(study.trials) + len(pending)
            # What somebody asked for by hand may be told next week; the budget is for what drivers are at work on.
            most = budget + sum(trial.lease > soon for trial in pending)
            free = min(self._terms.workers - len(self._running) - len(self._abandoned), most - asked)
            if asked < study.course.initial:  # a batch of its own, as in a search without workers
                free = min(free, study.course.initial - asked)
            if free < 1:
                return
            proposals = study.ask(free, lease=self._terms.lease, budget=most)
            if not proposals and len(study.trials) < budget and not study.pending:
                raise InputError(f"the strategy found nothing new after {len(study.trials)} labels: lower the budget")
            for proposal in proposals:
                self._submit(proposal, 1)
            if len(proposals) < free:
                return

    def collect(self) -> None:
        """Waits a moment for trials, stores what came of those that have ended, and renews the leases of the others."""
        if self._running:
            wait(self._running, _LOOK_SECONDS, FIRST_COMPLETED)
        else:
            time.sleep(_LOOK_SECONDS)  # somebody else is at work on the rest of the budget
        with interrupts.held():
            self._store_ended()
            self._give_up_late()
            if time.monotonic() - self._renewed > self._terms.lease / 3:
                self._renew()

    def stop(self) -> None:
        """Stores what has ended by now, and gives back what hasn't."""
        self._store_ended(finally_=True)
        for future, attempt in self._running.items():
            future.cancel()
            self._study.release(attempt.proposal)
        self._running = {}

    def _submit(self, proposal: "Proposal", number: int) -> None:
        future = self._executor.submit(evaluate, self._evaluator, proposal.architecture)
        self._running[future] = Attempt(proposal, number, time.monotonic())

    def _store_ended(self, *, finally_: bool = False) -> None:
        for future in [future for future in self._running if future.done()]:
            attempt = self._running.pop(future)
            outcome = self._outcome(future)
            if isinstance(outcome, Raised):
                self._study.release(attempt.proposal)
                if finally_:
                    continue
                raise outcome.error
            died = outcome.cost is None
            tries = max(self._terms.retries, 1) if died else self._terms.retries
            if outcome.reason and attempt.number <= tries and not finally_:
                self._submit(attempt.proposal, attempt.number + 1)
            else:
                self._tell(attempt, outcome)

    def _outcome(self, future: Future) -> Outcome | Raised:
        """What came of a future; without a cost where it is the worker that is at fault."""
        try:
            return future.result()
        except TimeoutError:
            return Outcome(0, {}, self._late, cost=self._terms.timeout)
        except Exception as error:
            return Outcome(0, {}, f"its worker ended or could not begin: {describe_exception(error)}")

    def _tell(self, attempt: Attempt, outcome: Outcome) -> None:
        values = {name: outcome.labels.get(name, np.nan) for name in self._study.ledger.metrics}
        if np.isfinite(list(values.values())).all():
            self._study.tell(attempt.proposal, values, cost=outcome.cost, worker=outcome.worker)
            return
        again = f" (attempt {attempt.number})" if attempt.number > 1 else ""
        brief, _, trace = outcome.reason.partition("\n")
        reason = "\n".join(filter(None, [f"{brief}{again}".strip(), trace]))
        known = {name: value for name, value in values.items() if np.isfinite(value)}
        self._study.fail(attempt.proposal, reason, cost=outcome.cost, worker=outcome.worker, values=known)

    @property
    def _late(self) -> str:
        return f"it took more than {self._terms.timeout:g} s and was stopped"

    def _give_up_late(self) -> None:
        """Counts trials as failed that take too long and that nobody stops; their workers are busy until they end."""
        if self._terms.timeout is None or getattr(self._executor, "timeout", None):
            return  # there is no limit, or the executor stops what passes it
        for future, attempt in list(self._running.items()):
            if time.monotonic() - attempt.began > self._terms.timeout and not future.done():
                del self._running[future]
                if not future.cancel():
                    self._abandoned.add(future)
                self._tell(attempt, Outcome(0, {}, self._late, cost=self._terms.timeout))
        if len(self._abandoned) >= self._terms.workers:
            raise InputError(
                f"all {self._terms.workers} workers are busy with trials that took more than {self._terms.timeout:g} s "
                "and can't be stopped there: use executor='processes', or raise the timeout"
            )

    def _renew(self) -> None:
        self._renewed = time.monotonic()
        mine = {attempt.proposal.architecture for attempt in self._running.values()}
        ledger = self._study.ledger
        running = [trial for trial in ledger.pending(expired=True) if trial.architecture in mine]
        ledger.reserve(running, seconds=self._terms.lease)


def evaluate(evaluator: Evaluator, native: str) -> Outcome | Raised:
    """What comes of one architecture, on the worker; with the seconds that it took, and who the worker is."""
    tokens = np.asarray(evaluator.space.from_native([native]), np.int32)
    began = time.perf_counter()
    try:
        pieces = list(outcomes_of(evaluator, Order(tokens, evaluator.space.canonical(tokens), "", FULL, 0)))
    except Exception as error:
        return Raised(_portable(error))
    outcome = pieces[0][0]
    worker = outcome.worker or f"{platform.node()}:{os.getpid()}"
    return outcome._replace(worker=worker, cost=time.perf_counter() - began)


def _portable(error: Exception) -> Exception:
    """An exception that another process can read."""
    if isinstance(error, InputError):
        return InputError(str(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(describe_exception(error))
    return error
