"""SIGINT and SIGTERM: an exception in the main thread, and a flag for all loops, since that exception may get lost.

Python can't pass on what is raised in a callback of its garbage collector or of a weak reference, and JAX has both: it
prints "Exception ignored" and goes on. A KeyboardInterrupt that is seen to get lost there ends the process at once,
and whatever else swallows one, the next `check` raises it again.

A program asks for this by `listen`, as the command line does. Until then nothing is installed, Ctrl-C does what Python
has it do, and all functions here do nothing.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NoReturn

INTERRUPTED = 130
"""Exit status of what a signal has ended."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class _State:
    """What is known of signals in this process.

    Attributes:
        arrived: whether one has come.
        held: whether its exception waits for the end of a block.
        say: tells the user of a sudden end.
        last_acts: what is to be done before a sudden end.
    """

    arrived: bool = False
    held: bool = False
    say: Callable[[], None] = lambda: None
    last_acts: list[Callable[[], None]] = field(default_factory=list)


_state = _State()
_hook = sys.unraisablehook


def listen(say: Callable[[], None] | None = None) -> None:
    """Has the first SIGINT or SIGTERM raise KeyboardInterrupt, and the next one end the process without a word.

    Args:
        say: tells the user that the process ends, where it must do so at once; None leaves it as it is.
    """
    global _hook
    _state.arrived = False
    _state.say = say or _state.say
    if sys.unraisablehook is not _end_if_lost:
        _hook, sys.unraisablehook = sys.unraisablehook, _end_if_lost
    _handle(_interrupt)


def end_at_once() -> None:
    """Has the next SIGINT or SIGTERM end the process at once: before there is anything to end in order, and after."""
    _handle(lambda *_: end())


def end() -> NoReturn:
    """Ends the process at once with status 130; other threads, and what Python does at its exit, don't count."""
    for act in (*_state.last_acts, _state.say, sys.stdout.flush):
        with suppress(Exception):
            act()
    os._exit(INTERRUPTED)


def arrived() -> bool:
    """Whether a signal has come, even where a library has made another exception of ours."""
    return _state.arrived


def check() -> None:
    """Raises KeyboardInterrupt if a signal has come; not within `held`."""
    if _state.arrived and not _state.held:
        raise KeyboardInterrupt


@contextmanager
def held() -> Iterator[None]:
    """Holds back a signal's exception until the end of the block, so that what was paid for can be stored."""
    with _holding(True):
        yield
    check()


@contextmanager
def let_through() -> Iterator[None]:
    """Lets a signal's exception through within `held`, as while something long is waited for."""
    with _holding(False):
        check()
        yield


@contextmanager
def before_end(act: Callable[[], None]) -> Iterator[None]:
    """Has `act` called before a sudden end that comes within the block."""
    _state.last_acts.append(act)
    try:
        yield
    finally:
        _state.last_acts.remove(act)


@contextmanager
def _holding(held: bool) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # where signals raise nothing
        yield
        return
    before, _state.held = _state.held, held
    try:
        yield
    finally:
        _state.held = before


def _interrupt(*_) -> None:
    _state.arrived = True
    _handle(signal.SIG_DFL)
    check()


def _end_if_lost(unraisable) -> None:
    if _state.arrived and issubclass(unraisable.exc_type, KeyboardInterrupt):
        end()
    _hook(unraisable)


def _handle(handler) -> None:
    for number in _SIGNALS:
        signal.signal(number, handler)
