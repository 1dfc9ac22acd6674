"""Evaluates by a shell command: an architecture in as JSON, its metrics out as JSON.

The command gets one line of JSON on stdin: `space`, `architecture` (the native string), and, node by node, `nodes`
(names), `classes` (names) and `tokens`. It ends with status 0 and a JSON object of the metrics on stdout, or on its
last line, after whatever else it printed.
"""

import hashlib
import json
import logging
import math
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress

import numpy as np

from nag_jax import spaces
from nag_jax.evaluators.base import OfWholeSpace, Outcome
from nag_jax.evaluators.processes import TAIL, Processes, StoppedError, check_command, failure, last_json, tail
from nag_jax.objectives.metric import Direction, Metric, Split, describe_metrics, guess_split, parse_metrics
from nag_jax.spaces.capabilities import TokenSpace
from nag_jax.system import interrupts
from nag_jax.system.errors import InputError, quoted, shown

_OWNER = "the evaluator's command"
_LOOK_SECONDS = 0.2
"""How often a signal is looked for while commands run, and how long a failure waits for one that is its reason."""
_STOP_SECONDS = 10.0
"""How long killed commands have until their processes are gone."""

_log = logging.getLogger(__name__)


class CommandEvaluator(OfWholeSpace):
    """Runs a command for every architecture, some at a time. Made by `load`.

    A failed trial is logged, with its reason, and its labels are NaN.

    Attributes:
        name: `"command"`.
        space: the space of the architectures.
        metrics: what the command prints.
        objective: the metric to search by.
        batch_size: 1; a ledger asks for `outcomes` instead of batches.
        fingerprint: the digest of the command as it is written, the space and the names of the metrics. What the
            command runs is not looked into.
    """

    name = "command"
    batch_size = 1

    def __init__(
        self,
        space: TokenSpace,
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

        Closing the iterator kills the commands that are still running. Where Ctrl-C or an InputError ends it, be it
        raised within or thrown in, it kills them and yields the outcomes of those that had ended, and then raises.

        Raises:
            InputError: the shell doesn't find the command, or can't execute it.
        """
        natives = self.space.to_native(tokens)
        requests = [self._request(*one) for one in zip(np.asarray(tokens), natives, strict=True)]
        processes = Processes(self._workers, _OWNER)
        with ThreadPoolExecutor(self._workers) as pool, interrupts.before_end(processes.stop):

            def stop():
                pool.shutdown(wait=False, cancel_futures=True)
                processes.stop()

            rows = {pool.submit(self._evaluate, request, processes): row for row, request in enumerate(requests)}
            try:
                while rows:
                    interrupts.check()
                    for done in wait(rows, _LOOK_SECONDS, FIRST_COMPLETED).done:
                        yield _outcome(rows.pop(done), done, natives)
            except (KeyboardInterrupt, InputError):
                stop()
                # Those that never began are not waited for: `wait` takes a cancelled future for one that may still end.
                begun = [done for done in rows if not done.cancelled()]
                for done in (done for done in wait(begun, _STOP_SECONDS).done if done.exception() is None):
                    with suppress(KeyboardInterrupt):  # whoever learns of the first by it throws it in again
                        yield _outcome(rows[done], done, natives)
                raise
            finally:
                stop()

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

    def _evaluate(self, request: str, processes: Processes) -> tuple[dict[str, float], str, float]:
        """Labels of one architecture, why some are missing, and the seconds that all attempts took."""
        labels, reason, began = {}, "", time.perf_counter()
        for attempt in range(1 + self._retries):
            labels, reason = self._attempt(request, processes)
            if not reason:
                break
            reason += f" (attempt {attempt + 1} of {1 + self._retries})" if self._retries else ""
        return labels, reason, time.perf_counter() - began

    def _attempt(self, request: str, processes: Processes) -> tuple[dict[str, float], str]:
        ended = processes.run(self._command, request, self._timeout)
        if not ended.in_time:
            return dict.fromkeys(self.metrics, math.nan), f"it took more than {self._timeout:g} s and was stopped"
        if ended.status:
            _raise_if_stopped(processes)
            return dict.fromkeys(self.metrics, math.nan), failure(ended, self._command, _OWNER)
        return read_labels(ended.output, self.metrics)


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
    space: TokenSpace | None = None,
) -> CommandEvaluator:
    """Makes the evaluator, and checks that the shell finds the command.

    Args:
        command: what a POSIX shell runs in the working folder; see this module for what goes in and out.
        metric: the name, in the command's output, of what to search by.
        metrics: further ones, or the same again with all that is known of it: as `Metric`s, or in words as
            `"latency:min:ms, test_accuracy:max:%:test"`, where direction, unit and split may be left out.
        directions: `"max"` or `"min"` of `metric`; `"max"` by default.
        units: the unit of `metric`, by its name; empty by default.
        splits: `"train"`, `"validation"`, `"test"` or `"none"` of `metric`; read off its name by default.
        timeout: seconds that an attempt may take; by default as long as it likes.
        retries: further attempts after a failed one.
        workers: commands that run at the same time. Each finds its worker's number in `NAG_JAX_WORKER`.
        space: the space of the architectures; NAS-Bench-201 by default.

    Raises:
        InputError: the command isn't found, a metric comes twice or isn't well described, or a number is out of range.
    """
    check_command(command, _OWNER)
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


def read_labels(output: str, metrics: Mapping[str, Metric]) -> tuple[dict[str, float], str]:
    """Labels of what a command printed, NaN where it gave no finite number, and why that is; empty if all are there."""
    labels = dict.fromkeys(metrics, math.nan)
    found = last_json(output)
    if not isinstance(found, dict):
        return labels, f"expected a JSON object on stdout or on its last line, found {quoted(tail(output))}"
    reasons = []
    for name in metrics:
        value = found.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            labels[name] = float(value)
        elif name in found:
            reasons.append(f"{name!r} is {quoted(value)}, expected a finite number")
        else:
            there = shown(", ".join(map(quoted, found)), TAIL) or "of which there is none"
            reasons.append(f"no {name!r} among its metrics, {there}")
    return labels, "; ".join(reasons)


def _outcome(row: int, done: Future, natives: Sequence[str]) -> Outcome:
    """The outcome of a trial that is done; raises what its thread raised."""
    labels, reason, cost = done.result()
    if reason:
        _log.error("the trial of %s failed: %s", natives[row], reason)
    return Outcome(row, labels, reason, cost=cost)


def _raise_if_stopped(processes: Processes) -> None:
    """Raises StoppedError where a failure isn't the trial's own: clusters signal commands too, maybe first."""
    if processes.stopped.wait(_LOOK_SECONDS) or interrupts.arrived():
        raise StoppedError
