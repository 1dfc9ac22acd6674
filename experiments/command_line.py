"""How every command line here ends: its exit codes, one line for what is wrong, and how to go on after Ctrl-C.

Imports nothing heavy, so that a command is listening to Ctrl-C before it loads JAX.
"""

import contextlib
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

DEFECT, BAD_INPUT, INTERRUPTED = 1, 2, 130
"""Exit codes other than 0; Python itself ends with the first one after an exception that nobody expected."""


@contextlib.contextmanager
def ending(
    module: str, *, goes_on: bool = True, loads: bool = False, joined: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Ends the process as documented, whatever happens within: never with a traceback for what the user did.

    SIGTERM, which clusters send before they take a machine away, counts as Ctrl-C.

    Args:
        module: what `python -m` ran.
        goes_on: whether the same command continues where this one stops.
        loads: whether libraries are still to be imported, in which an exception would get lost: until `listen` is
            called, when there is something to end in order, a signal ends the process at once.
        joined: whether other processes wait for this one, which must then end at once instead of in order.
    """

    def say() -> None:
        advice = "what was finished is kept, and this goes on from there" if goes_on else "this starts again"
        command = shlex.join(["python", "-m", module, *sys.argv[1:]])
        # On a line of its own, whatever a progress bar has left on this one.
        print(f"\ninterrupted: {advice}:\n    {command}", file=sys.stderr, flush=True)

    def end_at_once(*_) -> None:
        say()
        os._exit(INTERRUPTED)

    _handle(end_at_once) if loads else listen()
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if _was_interrupted():
            say()
            os._exit(INTERRUPTED) if joined() else sys.exit(INTERRUPTED)
        from nag_jax.system.errors import InputError

        if isinstance(error, InputError):
            fail(str(error))
        if not joined():
            raise
        _fail_for_all()


def listen() -> None:
    """Has the first SIGINT or SIGTERM raise KeyboardInterrupt, and the next one end the process without a word."""
    _handle(_interrupt)


def fail(message: str) -> NoReturn:
    """Ends with the one line that says what is wrong with the input."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(BAD_INPUT)


def _interrupt(*_) -> NoReturn:
    _handle(signal.SIG_DFL)
    raise KeyboardInterrupt


def _handle(handler: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _was_interrupted() -> bool:
    """Whether a signal has come, even where a library has made another exception of ours."""
    return signal.getsignal(signal.SIGINT) is signal.SIG_DFL


def _fail_for_all() -> NoReturn:
    """Ends this process at once: an orderly exit would wait for the others, which wait for this one."""
    traceback.print_exc()
    print(
        "error: a process of this run has ended, this one or one that it was waiting for: start all of them again with "
        "the same --workdir, on as many machines as you like, and the run goes on where it was",
        file=sys.stderr,
        flush=True,
    )
    os._exit(DEFECT)
