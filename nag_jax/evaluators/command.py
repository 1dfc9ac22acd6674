"""Evaluates by a shell command: an architecture in as JSON, its metrics out as JSON.

The command gets one line of JSON on stdin: `space`, `architecture` (the native string), and, node by node, `nodes`
(names), `classes` (names) and `tokens`. It ends with status 0 and a JSON object of the metrics on stdout, or on its
last line, after whatever else it printed.
"""

import hashlib
import json
import logging
import math
import os
import queue
import re
import shlex
import signal
import subprocess
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress

import numpy as np

from nag_jax import spaces
from nag_jax.evaluators.base import Outcome
from nag_jax.evaluators.table_file import guess_split
from nag_jax.objectives.metric import Direction, Metric, Split, describe_metrics
from nag_jax.spaces import Space
from nag_jax.system.errors import InputError
from nag_jax.system.names import check_name

WORKER_VARIABLE = "NAG_JAX_WORKER"
"""The environment variable that tells a command which of the parallel workers runs it, from 0: to choose a GPU by."""

_BROKEN = {126: "can't be executed", 127: "isn't found"}
"""Exit statuses by which a shell says that the command, not the architecture, is at fault."""
_TAIL = 300

_log = logging.getLogger(__name__)


class CommandEvaluator:
    """Runs a command for every architecture, some at a time. Made by `load`.

    A failed trial is logged, with its reason, and its labels are NaN.

    Attributes:
        name: `"command"`.
        space: whose architectures.
        metrics: what the command prints.
        objective: the metric to search by.
        batch_size: 1; a ledger asks for `outcomes` instead of batches.
        fingerprint: of the command as it is written, the space and the names of the metrics. What the command runs is
            not looked into.
    """

    name = "command"
    batch_size = 1

    def __init__(
        self,
        space: Space,
        command: str,
        metrics: dict[str, Metric],
        *,
        objective: str,
        timeout: float | None,
        retries: int,
        workers: int,
    ):
        self.space = space
        self.metrics = metrics
        self.objective = objective
        self._command = command
        self._timeout = timeout
        self._retries = retries
        self._workers = workers
        identity = json.dumps([command, space.fingerprint, sorted(metrics)])
        self.fingerprint = hashlib.sha256(identity.encode()).hexdigest()

    def __call__(self, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluates tokens `[B, N]`: float64 `[B]` for each metric, NaN where a trial failed."""
        labels = {name: np.full(len(tokens), np.nan) for name in self.metrics}
        for outcome in self.outcomes(tokens):
            for name, value in outcome.labels.items():
                labels[name][outcome.row] = value
        return labels

    def outcomes(self, tokens: np.ndarray) -> Generator[Outcome]:
        """Evaluates tokens `[B, N]`, and yields what came of each as soon as it is there.

        Closing the iterator kills the commands that are still running.

        Raises:
            InputError: the shell doesn't find the command, or can't execute it.
        """
        natives = self.space.to_native(tokens)
        processes = _Processes(self._workers)
        with ThreadPoolExecutor(self._workers) as pool:
            try:
                requests = [self._request(*one) for one in zip(np.asarray(tokens), natives, strict=True)]
                rows = {pool.submit(self._evaluate, request, processes): row for row, request in enumerate(requests)}
                for done in as_completed(rows):
                    row, (labels, reason) = rows[done], done.result()
                    if reason:
                        _log.error("the trial of %s failed: %s", natives[row], reason)
                    yield Outcome(row, labels, reason)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                processes.stop()

    def covers(self, tokens) -> np.ndarray:
        """Bool `[B]`: True for every architecture of the space."""
        return np.array(self.space.contains(tokens))

    @property
    def num_distinct(self) -> int:
        """How many labels can be paid for: architectures that compute the same thing count as one."""
        return self.space.num_canonical or self.space.size

    def _request(self, tokens: np.ndarray, native: str) -> str:
        return json.dumps(
            {
                "space": self.space.name,
                "architecture": native,
                "nodes": self.space.node_names,
                "classes": [self.space.class_names[token] for token in tokens],
                "tokens": tokens.tolist(),
            }
        )

    def _evaluate(self, request: str, processes: "_Processes") -> tuple[dict[str, float], str]:
        """Labels of one architecture, and why some are missing."""
        labels, reason = {}, ""
        for attempt in range(1 + self._retries):
            labels, reason = self._attempt(request, processes)
            if not reason:
                return labels, ""
            reason += f" (attempt {attempt + 1} of {1 + self._retries})" if self._retries else ""
        return labels, reason

    def _attempt(self, request: str, processes: "_Processes") -> tuple[dict[str, float], str]:
        with processes.run(self._command) as process:
            try:
                output, errors = process.communicate(request + "\n", timeout=self._timeout)
            except subprocess.TimeoutExpired:
                return dict.fromkeys(self.metrics, math.nan), f"it took more than {self._timeout:g} s and was stopped"
        if (broken := _BROKEN.get(process.returncode)) is not None:
            raise InputError(
                f"the evaluator's command {self._command!r} {broken}: {_tail(errors) or 'correct it'} (tried in "
                f"{os.getcwd()})"
            )
        if process.returncode:
            said = ": ".join(filter(None, [f"exit status {process.returncode}", _tail(errors)]))
            return dict.fromkeys(self.metrics, math.nan), said
        return read_labels(output, self.metrics)


def load(
    *,
    command: str,
    metric: str,
    metrics: str | Sequence[Metric] = (),
    directions: Mapping[str, Direction] | None = None,
    units: Mapping[str, str] | None = None,
    splits: Mapping[str, Split] | None = None,
    timeout: float | None = None,
    retries: int = 0,
    workers: int = 1,
    space: Space | None = None,
) -> CommandEvaluator:
    """Makes the evaluator, and checks that the shell finds the command.

    Args:
        command: what a POSIX shell runs in the working folder; see this module for what goes in and out.
        metric: the name, in the command's output, of what to search by.
        metrics: further ones, or the same again with all that is known of it: as `Metric`s, or in words as
            `"latency:min:ms, test_accuracy:max:%:test"`, where direction, unit and split may be left out.
        directions: `"max"` or `"min"` of `metric`; `"max"` by default.
        units: of `metric`; empty by default.
        splits: `"train"`, `"validation"`, `"test"` or `"none"` of `metric`; read off its name by default.
        timeout: seconds that an attempt may take; by default as long as it likes.
        retries: further attempts after a failed one.
        workers: commands that run at the same time. Each finds its worker's number in `NAG_JAX_WORKER`.
        space: whose architectures; NAS-Bench-201 by default.

    Raises:
        InputError: the command isn't found, a metric comes twice or isn't well described, or a number is out of range.
    """
    _check_command(command)
    for what, value, holds, words in (
        ("timeout", timeout, timeout is None or timeout > 0, "more than 0"),
        ("retries", retries, retries >= 0, "at least 0"),
        ("workers", workers, workers >= 1, "at least 1"),
    ):
        if not holds:
            raise InputError(f"the evaluator's {what} must be {words}, found {value}")
    further = parse_metrics(metrics) if isinstance(metrics, str) else list(metrics)
    known = {found.name: found for found in further}
    if len(known) < len(further):
        raise InputError(f"a metric comes twice in {[found.name for found in further]}: name it once")
    told = {"directions": directions, "units": units, "splits": splits}
    own = describe_metrics(dict.fromkeys([metric, *known]), "the command", **told, guess_split=guess_split)[metric]
    if metric not in known or any(metric in (option or ()) for option in told.values()):
        known = {metric: own, **{name: found for name, found in known.items() if name != metric}}
    return CommandEvaluator(
        spaces.make("nasbench201") if space is None else space,
        command,
        known,
        objective=metric,
        timeout=timeout,
        retries=retries,
        workers=workers,
    )


def parse_metrics(text: str) -> list[Metric]:
    """Reads metrics in words.

    Raises:
        InputError: one has no name or more than four parts, or there is no such direction or split.

    Example:
        >>> parse_metrics("latency:min:ms")
        [Metric(name='latency', unit='ms', direction='min', split='none')]
    """
    found = []
    for part in filter(None, map(str.strip, text.split(","))):
        name, direction, unit, split, *rest = [*map(str.strip, part.split(":")), "", "", ""]
        if not name or any(rest):
            raise InputError(f"metric {part!r} isn't understood: write NAME:DIRECTION:UNIT:SPLIT, as 'latency:min:ms'")
        check_name(direction or "max", ("max", "min"), f"direction of the metric {name!r}")
        check_name(split or "none", ("train", "validation", "test", "none"), f"split of the metric {name!r}")
        found.append(Metric(name, unit, direction or "max", split or guess_split(name)))  # pyright: ignore[reportArgumentType]
    return found


def read_labels(output: str, metrics: Mapping[str, Metric]) -> tuple[dict[str, float], str]:
    """Labels of what a command printed, NaN where it gave no finite number, and why that is; empty if all are there."""
    labels = dict.fromkeys(metrics, math.nan)
    found = _last_json(output)
    if not isinstance(found, dict):
        return labels, f"expected a JSON object on stdout or on its last line, found {_tail(output)!r}"
    reasons = []
    for name in metrics:
        value = found.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            labels[name] = float(value)
        elif name in found:
            reasons.append(f"{name!r} is {value!r}, expected a finite number")
        else:
            reasons.append(f"no {name!r} among its metrics, {', '.join(map(repr, found)) or 'of which there is none'}")
    return labels, "; ".join(reasons)


class _Processes:
    """The commands that are running, each in a process group of its own, so that all of it can be killed."""

    def __init__(self, workers: int):
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen] = set()
        self._stopped = False
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for worker in range(workers):
            self._free.put(worker)

    @contextmanager
    def run(self, command: str) -> Iterator[subprocess.Popen]:
        """A process of the command, killed with all that it started at the end unless it has ended by then."""
        worker = self._free.get()
        try:
            process = self._start(command, worker)
            with process:
                try:
                    yield process
                finally:
                    self._kill(process)
        finally:
            self._free.put(worker)

    def stop(self) -> None:
        """Kills what is running; nothing starts any more."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            self._kill(process)

    def _start(self, command: str, worker: int) -> subprocess.Popen:
        with self._lock:
            if self._stopped:
                raise InterruptedError("the evaluation was stopped")
            process = subprocess.Popen(
                command,
                shell=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env={**os.environ, WORKER_VARIABLE: str(worker)},
                start_new_session=True,
            )
            self._running.add(process)
            return process

    def _kill(self, process: subprocess.Popen) -> None:
        with self._lock:
            self._running.discard(process)
        if process.poll() is None:  # or else its number may be another's by now
            os.killpg(process.pid, signal.SIGKILL)


def _check_command(command: str) -> None:
    """Raises InputError where the shell wouldn't find the program that the command begins with."""
    try:
        words = [word for word in shlex.split(command) if not re.match(r"\w+=", word)]
    except ValueError as error:
        raise InputError(f"the evaluator's command {command!r} can't be read ({error}): correct its quotes") from error
    if not words:
        raise InputError("the evaluator's command is empty: name one, as 'python train.py'")
    if not re.fullmatch(r"[\w./+-]+", words[0]):
        return  # the shell's own syntax, which only running it would check
    found = subprocess.run(["/bin/sh", "-c", 'command -v "$1"', "sh", words[0]], capture_output=True, check=False)
    if found.returncode:
        raise InputError(
            f"the evaluator's command {command!r}: there is no program {words[0]!r} (looked for on PATH and in "
            f"{os.getcwd()}): install it, or correct the command"
        )


def _last_json(output: str) -> object:
    """The JSON value that the output, or else its last line, is; None where neither is one."""
    for text in (output, (output.strip().splitlines() or [""])[-1]):
        with suppress(ValueError):
            return json.loads(text)
    return None


def _tail(text: str) -> str:
    """The end of what a command printed, in one line."""
    words = " ".join(text.split())
    return words if len(words) <= _TAIL else f"...{words[-_TAIL:]}"
