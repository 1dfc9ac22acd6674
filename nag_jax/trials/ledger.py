"""The ledger: every label that was paid for, in one SQLite file, stored before anything uses it."""

import json
import math
import os
import platform
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from nag_jax.evaluators.base import Evaluator, Outcome, finished
from nag_jax.objectives.metric import Metric
from nag_jax.spaces import Space
from nag_jax.system import interrupts
from nag_jax.system.errors import InputError, quoted
from nag_jax.trials import files, schema
from nag_jax.trials.opening import connect, examined
from nag_jax.trials.payments import Order, outcomes_of
from nag_jax.trials.trial import EVALUATOR, FULL, PENDING, Trial, now, write_values

_MEMORY = Path(":memory:")
_MATCHING = "key IN (SELECT value FROM json_each(?)) AND fidelity = ? AND seed = ?"


class Ledger:
    """The only route from an evaluator to anybody else. Made by `Ledger.open`; a context manager.

    Architectures that compute the same thing (equal canonical keys) are one: the first that is asked for is
    evaluated and its values hold for all of them, at the same fidelity and seed. What is stored stays: nothing updates
    or deletes a trial.

    Several handles, in one process or in many, may share a file. One pays at a time, see `alone`, so that nobody pays
    for the same architecture meanwhile; the others wait. The lock dies with its process, and every commit is on disk
    before it returns (WAL, synchronous=FULL), so a process killed at any moment loses at most the call it was in.
    What a `StreamingEvaluator` finds out is stored one by one, as it comes.

    Attributes:
        path: path of the file; None for a ledger in memory.
        listener: is told each trial that is stored, once it is.

    Example:
        >>> from nag_jax import evaluators
        >>> evaluator = evaluators.make("analog_nasbench")
        >>> tokens = evaluator.space.all_tokens()[:3]
        >>> with Ledger.open(None, evaluator) as ledger:
        ...     labels = ledger.label(tokens, "predictor")["baseline"]
        ...     ledger.label(tokens, "again")["baseline"].tolist() == labels.tolist(), ledger.paid_by_purpose()
        (True, {'predictor': 3})
    """

    def __init__(self, connection: sqlite3.Connection, path: Path | None, evaluator: Evaluator):
        self._connection = connection
        self._evaluator = evaluator
        self._is_alone = path is None
        self.path = path
        self.listener: Callable[[Trial], None] = lambda trial: None

    @classmethod
    def open(cls, path: str | Path | None, evaluator: Evaluator) -> Self:
        """Opens the ledger of an evaluator, and makes it if the file isn't there.

        An existing file is examined read-only first, and is left as it is if anything is wrong with it. One in format 1
        is converted, after a copy of it was made beside it.

        Args:
            path: the SQLite file; its folder must exist. None keeps the ledger in memory, until it is closed.
            evaluator: pays for the labels that aren't there yet.

        Raises:
            InputError: there is no such folder, or the file is no ledger, or a damaged one, or the ledger of
                another evaluator, space or source of labels, or it can't be written.
        """
        if path is None:
            return cls(connect(_MEMORY, evaluator), None, evaluator)
        path = Path(path)
        if path.is_dir() or not path.parent.is_dir():
            raise InputError(f"{path} can't be a ledger: expected a file's name in a folder that exists")
        if path.exists() and path.stat().st_size:
            files.read_only(path, lambda connection: examined(connection, path, evaluator))
        try:
            connection = connect(path, evaluator)
        except (sqlite3.OperationalError, OSError) as error:
            raise InputError(
                f"{path} can't be written ({error}): check its permissions and the space on its disk"
            ) from error
        return cls(connection, path, evaluator)

    def label(
        self,
        tokens,
        purpose: str,
        progress: Callable[[int, int], None] | None = None,
        *,
        fidelity: str = FULL,
        seed: int = 0,
        origin: str = EVALUATOR,
    ) -> dict[str, np.ndarray]:
        """Returns labels, paying for those that nobody has paid for yet.

        Pays in calls of the evaluator's `batch_size`, and stores each call's labels before the next, or stores each
        label as it comes from a `StreamingEvaluator`.

        Args:
            tokens: architectures `[B, N]`, in any order and with any repetitions.
            purpose: what the new labels are paid for, as `paid_by_purpose` will count them.
            progress: called after each payment with the number of labels paid for so far and in all.
            fidelity: one of the evaluator's `fidelities`, where it has some.
            seed: the evaluator's seed, where it has fidelities.
            origin: who proposed them.

        Returns:
            float64 `[B]` for each metric, in its unit; NaN for a trial that failed, which is not asked again.

        Raises:
            InputError: the evaluator has no such fidelity, or the lock file can't be made.
        """
        tokens = np.asarray(tokens, np.int32)
        keys = self.space.canonical(tokens)
        order = Order(tokens, keys, purpose, fidelity, seed, origin)
        order.check(self._evaluator)
        order = order[self._first_unpaid(order)]
        if len(order):
            with self.alone(), closing(self._pay(order)) as payments:
                for done in payments:
                    if progress is not None:
                        progress(done, len(order))
        stored = self._stored(keys, fidelity, seed)
        rows = [stored[key] for key in keys.tolist()]
        return {metric: np.array([row[metric] for row in rows], np.float64) for metric in self.metrics}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps all other handles of the file from paying; waits until none of them does.

        Hold it for as long as what comes next depends on the order of the trials, as in a search.

        Raises:
            InputError: the lock file, beside the ledger, can't be made.
        """
        if self._is_alone or self.path is None:
            yield
            return
        with files.alone(self.path.with_name(f"{self.path.name}.lock")):
            self._is_alone = True
            try:
                yield
            finally:
                self._is_alone = False

    def reserve(self, trials: Iterable[Trial], *, seconds: float) -> list[Trial]:
        """Makes trials pending, or renews their leases, all in one transaction; returns them with the new ones.

        Args:
            trials: what is about to be evaluated; their ids, times and values don't count, their curves are kept.
            seconds: how long nobody else begins them.
        """
        lease = now(later=seconds)
        pending = [replace(trial, values={}, status=PENDING, time=trial.time or now(), lease=lease) for trial in trials]
        with files.writing(self._connection):
            for trial in pending:
                schema.reserve(self._connection, trial)
        return pending

    def release(self, trials: Iterable[Trial]) -> None:
        """Makes pending trials pending no more, as if they had never been proposed."""
        with files.writing(self._connection):
            for trial in trials:
                schema.release(self._connection, trial)

    def settle(self, trial: Trial) -> Trial:
        """Stores what came of a trial, which was pending or not, and returns what is stored of it.

        Raises:
            InputError: the ledger has other values of it.
        """
        with files.writing(self._connection):
            place = json.dumps([trial.key]), trial.fidelity, trial.seed
            for stored in schema.read(self._connection, _MATCHING, place):
                if write_values(stored.values) != write_values(trial.values):
                    raise InputError(
                        f"{quoted(trial.architecture)} has the values {write_values(stored.values)} already, told "
                        f"{write_values(trial.values)}: what is stored stays"
                    )
                return stored
            schema.insert(self._connection, trial)
            stored = next(schema.read(self._connection, _MATCHING, place))
        self.listener(stored)
        return stored

    def pending(self, *, expired: bool = False) -> list[Trial]:
        """The pending trials in the order in which they were proposed; without those whose lease is over, or with."""
        return schema.read_pending(self._connection, "lease > ?", ("" if expired else now(),))

    def pending_tokens(self) -> np.ndarray:
        """Tokens `[P, N]` of the pending trials, in their order."""
        pending = self.pending()
        return self.space.from_native([trial.architecture for trial in pending])

    def add(self, trials: Iterable[Trial]) -> int:
        """Stores trials that were paid for elsewhere, all or none of them; returns how many.

        Those whose key, fidelity and seed have a trial already are left out.

        Args:
            trials: their ids don't count; their keys, architectures and metrics are those of the ledger's evaluator.
        """
        stored = 0
        with self.alone(), files.writing(self._connection):
            for trial in trials:
                if not self._is_stored(np.array([trial.key]), trial.fidelity, trial.seed)[0]:
                    schema.insert(self._connection, trial)
                    stored += 1
        return stored

    def is_paid(self, tokens, *, fidelity: str = FULL, seed: int = 0) -> np.ndarray:
        """Bool `[B]`: whether tokens `[B, N]` have a trial, so that their labels cost nothing more."""
        return self._is_stored(self.space.canonical(np.asarray(tokens, np.int32)), fidelity, seed)

    def num_new(self, tokens, *, fidelity: str = FULL, seed: int = 0) -> int:
        """How many labels `label` would pay for, given tokens `[B, N]`."""
        tokens = np.asarray(tokens, np.int32)
        return len(self._first_unpaid(Order(tokens, self.space.canonical(tokens), "", fidelity, seed)))

    def trials(self, *, after: int = 0) -> list[Trial]:
        """All paid labels, in the order of payment, from the one after the trial of that id on."""
        return list(schema.read(self._connection, "id > ?", (after,)))

    def paid_by_purpose(self) -> dict[str, int]:
        """How many labels were paid for each purpose, failed ones included, in the order of first payment."""
        query = "SELECT purpose, count(*) FROM trials WHERE id > 0 GROUP BY purpose ORDER BY min(id)"
        return dict(self._connection.execute(query).fetchall())

    @property
    def num_paid(self) -> int:
        """How many labels were paid for, failed ones included."""
        return self._connection.execute("SELECT count(*) FROM trials WHERE id > 0").fetchone()[0]

    @property
    def num_failed(self) -> int:
        """How many of the trials failed."""
        return sum(trial.failed for trial in self.trials())

    @property
    def space(self) -> Space:
        """The space of the evaluator."""
        return self._evaluator.space

    @property
    def metrics(self) -> dict[str, Metric]:
        """What `label` returns, by name."""
        return self._evaluator.metrics

    def close(self) -> None:
        """Closes the file; the ledger can't be used any more."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _pay(self, order: Order) -> Generator[int]:
        """Evaluates and stores distinct architectures; yields how many are paid for so far."""
        unpaid = order[~self._is_stored(order.keys, order.fidelity, order.seed)]  # another handle may have paid since
        done = len(order) - len(unpaid)
        natives = self.space.to_native(unpaid.tokens)
        worker = f"{platform.node()}:{os.getpid()}"

        def store(outcomes: list[Outcome]) -> None:
            stored = []
            with files.writing(self._connection):
                for outcome in outcomes:
                    key = unpaid.keys[[outcome.row]]
                    if self._is_stored(key, order.fidelity, order.seed)[0]:
                        continue  # told by somebody else meanwhile
                    trial = Trial(
                        key=key.tolist()[0],
                        architecture=natives[outcome.row],
                        values={name: _finite(outcome.labels[name]) for name in self.metrics},
                        purpose=order.purpose,
                        time=now(),
                        fidelity=order.fidelity,
                        seed=order.seed,
                        reason=outcome.reason,
                        cost=outcome.cost,
                        worker=outcome.worker or worker,
                        origin=order.origin,
                        curve=outcome.curve,
                    )
                    schema.insert(self._connection, trial)
                    stored.append(trial)
            for trial in stored:
                self.listener(trial)

        with closing(outcomes_of(self._evaluator, unpaid)) as payments:
            try:
                while True:
                    interrupts.check()
                    with interrupts.held():  # from the moment that a label is there until it is stored
                        outcomes = next(payments, None)
                        if outcomes is None:
                            break
                        store(outcomes)
                    done += len(outcomes)
                    yield done
            except BaseException:
                with interrupts.held():
                    for outcomes in finished(payments):
                        store(outcomes)
                raise

    def _first_unpaid(self, order: Order) -> np.ndarray:
        """Where each key without a trial comes first, in increasing order."""
        first = np.sort(np.unique(order.keys, return_index=True)[1])
        return first[~self._is_stored(order.keys[first], order.fidelity, order.seed)]

    def _is_stored(self, keys: np.ndarray, fidelity: str, seed: int) -> np.ndarray:
        parameters = json.dumps(keys.tolist()), fidelity, seed
        stored = {
            key
            for (key,) in self._connection.execute(f"SELECT key FROM trials WHERE id > 0 AND {_MATCHING}", parameters)
        }
        return np.array([key in stored for key in keys.tolist()], bool)

    def _stored(self, keys: np.ndarray, fidelity: str, seed: int) -> dict[int | str, dict[str, float]]:
        parameters = json.dumps(keys.tolist()), fidelity, seed
        return {trial.key: trial.values for trial in schema.read(self._connection, _MATCHING, parameters)}


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else math.nan
