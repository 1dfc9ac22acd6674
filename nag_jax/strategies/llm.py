"""Proposals by a command of yours, as a script around a language model: the history in, architectures out.

The command gets one line of JSON on stdin, and ends with status 0 and a JSON list of architectures, strings of the
space's own notation, on stdout, or on its last line. The line holds `space`, as `Space.describe` has it; `n`, how many
are wanted; `seed`, for what is to be repeatable; `trials`, all that was labelled in its order, each with
`architecture`, `values` (the objectives, higher is better) and `value` (what is searched by; null for a failed trial);
`pending`, the architectures that are being labelled; and `refused`, what the attempt before this one proposed in vain,
with reasons.
"""

import json
import logging
from typing import Any, NamedTuple

import jax
import numpy as np

from nag_jax.evaluators.processes import Processes, check_command, failure, last_json, tail
from nag_jax.strategies.base import Domain, History, Strategy, complete, remember
from nag_jax.system import interrupts
from nag_jax.system.errors import InputError, quoted
from nag_jax.system.written import plain

_OWNER = "the command of strategy 'llm'"
_MOST_READ = 1000
"""Architectures that are read of an answer: whoever prints more has lost count."""

_log = logging.getLogger(__name__)


def llm(domain: Domain, *, command: str, timeout: float = 0.0, retries: int = 2) -> Strategy:
    """Labels what a command proposes. It ships without a model.

    What isn't an architecture, may not be labelled or is known already is refused, and the command is run again for the
    rest, with the reasons. Where it has fewer new ones than are wanted after all attempts, random ones make up what is
    missing.

    Args:
        domain: what may be proposed.
        command: what a POSIX shell runs in the working folder; see this module for what goes in and out.
        timeout: seconds that an attempt may take; 0 for no limit.
        retries: further attempts, after one that failed or gave too few.

    Raises:
        InputError: there is no command or the shell doesn't find it, or a number is out of range; from `ask`, the
            command gave nothing new in all its attempts.
    """
    if not command:
        raise InputError(f"{_OWNER} is empty: set config.strategies.llm.command, as 'python propose.py'")
    check_command(command, _OWNER)
    if timeout < 0 or retries < 0:
        raise InputError(f"timeout and retries of strategy 'llm' must be at least 0, found {timeout} and {retries}")

    def ask(key, state, n, pending=None):
        known = state.awaiting(domain.space, pending)
        request = _history(domain, state, known.tokens[len(state) :], key)
        found, taken, answer = known.tokens[:0], known.keys, Answer()
        for attempt in range(1 + retries):
            refused = [{"architecture": native, "reason": reason} for native, reason in answer.refused]
            answer = _run(domain, command, {**request, "n": n - len(found), "refused": refused}, timeout, taken)
            found = np.concatenate([found, answer.tokens])[:n]
            if len(found) == n:
                return found, state
            taken = np.concatenate([known.keys, domain.space.canonical(found)])
            _log.warning("attempt %d of %d of %s: %s", attempt + 1, 1 + retries, _OWNER, answer.trouble)
        if not len(found):
            raise InputError(f"{_OWNER} gave nothing new in {1 + retries} attempts: {answer.trouble}")
        _log.warning("%s gave %d of %d architectures; the others are random", _OWNER, len(found), n)
        return complete(domain, key, found, n, known.keys), state

    return Strategy(ask=ask, **remember(domain))


class Answer(NamedTuple):
    """What came of an attempt.

    Attributes:
        tokens: the new architectures, tokens `[m, N]`.
        refused: what can't be taken, each with the reason.
        failed: why there is no answer at all; empty where there is one.
    """

    tokens: np.ndarray = np.zeros((0, 0), np.int32)
    refused: tuple[tuple[str, str], ...] = ()
    failed: str = ""

    @property
    def trouble(self) -> str:
        """Why there are fewer than were wanted, in a line."""
        first = "; ".join(f"{native}: {reason}" for native, reason in self.refused[:1])
        refused = f"{len(self.refused)} refused, the first is {first}" if self.refused else ""
        return self.failed or refused or "its list is too short"


def _history(domain: Domain, state: History, pending: np.ndarray, key: jax.Array) -> dict[str, Any]:
    """What the command is told in every attempt."""
    space = domain.space
    rows = zip(space.to_native(state.tokens), state.values.tolist(), state.utilities.tolist(), strict=True)
    return {
        "space": space.describe(),
        "seed": int(jax.random.bits(key, dtype="uint32")),
        "trials": [{"architecture": native, "values": values, "value": value} for native, values, value in rows],
        "pending": space.to_native(pending),
    }


def _run(domain: Domain, command: str, request: dict[str, Any], timeout: float, taken: np.ndarray) -> Answer:
    """Runs the command once, and reads what it proposes."""
    nothing = np.zeros((0, domain.space.num_nodes), np.int32)
    processes = Processes(1, _OWNER)
    with interrupts.before_end(processes.stop):
        ended = processes.run(command, json.dumps(plain(request)), timeout or None)
    if not ended.in_time:
        return Answer(nothing, failed=f"it took more than {timeout:g} s and was stopped")
    if ended.status:
        return Answer(nothing, failed=failure(ended, command, _OWNER))
    natives = last_json(ended.output)
    if not isinstance(natives, list):
        said = quoted(tail(ended.output))
        return Answer(nothing, failed=f"expected a JSON list on stdout or on its last line, found {said}")
    return _read(domain, natives[:_MOST_READ], taken)


def _read(domain: Domain, natives: list[Any], taken: np.ndarray) -> Answer:
    """Takes what is new of an answer, one after the other."""
    space = domain.space
    found, refused = np.zeros((0, space.num_nodes), np.int32), []
    for native in natives:
        try:
            if not isinstance(native, str):
                raise InputError("it must be a string of the space's notation")
            tokens = space.from_native([native])
            if np.isin(space.canonical(tokens), taken).any():
                raise InputError("it is labelled, pending or proposed already")
            if not len(new := domain.new(tokens, taken)):
                raise InputError("the evaluator doesn't know it, or it is outside the constraints")
        except InputError as error:
            refused.append((quoted(native), str(error)))
            continue
        found, taken = np.concatenate([found, new]), np.concatenate([taken, space.canonical(new)])
    return Answer(found, tuple(refused))
