"""The end of every command line: exit codes, one line for what is wrong, and how to go on after Ctrl-C.

Imports nothing heavy, so that a command is listening to Ctrl-C before it loads JAX.
"""

import contextlib
import errno
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import NoReturn

from nag_jax.system import interrupts, started

DEFECT, BAD_INPUT = 1, 2
"""Exit codes other than 0 and 130; Python itself ends with the first one after an exception that nobody expected."""
_FULL = ("No space left on device", "database or disk is full", "Disk quota exceeded", "disk I/O error")
"""What storage layers say of a full disk in errors of their own; SQLite says the last of a quota."""


@contextlib.contextmanager
def ending(
    module: str, *, goes_on: bool = True, loads: bool = False, joined: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Ends the process as documented, whatever happens within: never with a traceback for what the user did.

    SIGTERM, which clusters send before they take a machine away, counts as Ctrl-C.

    Args:
        module: what `python -m` ran, where this process doesn't know.
        goes_on: whether the same command continues where this one stops.
        loads: whether libraries are still to be imported, in which an exception would get lost: until `listen` is
            called, when there is something to end in order, a signal ends the process at once.
        joined: whether other processes wait for this one, which must then end at once instead of in order.
    """

    def say() -> None:
        advice = "what was finished is kept, and this goes on from there" if goes_on else "this starts again"
        command = started.command() or shlex.join(["python", "-m", module, *sys.argv[1:]])
        # On a line of its own, whatever a progress bar has left on this one; past `sys.stderr`, which may be at work.
        os.write(2, f"\ninterrupted: {advice}:\n    {command}\n".encode(errors="replace"))

    interrupts.listen(say)
    if loads:
        interrupts.end_at_once()
    try:
        yield
    except BaseException as error:
        interrupts.end_at_once()
        if interrupts.arrived():
            interrupts.end()  # an orderly exit of Python would take JAX down while its threads are at work
        if not isinstance(error, Exception):
            raise
        _explain(error, joined())
        if not joined():
            raise
        _fail_for_all()
    interrupts.end_at_once()
    if interrupts.arrived():
        interrupts.end()


def listen() -> None:
    """Has the first SIGINT or SIGTERM raise KeyboardInterrupt, and the next one end the process without a word."""
    interrupts.listen()


def fail(message: str) -> NoReturn:
    """Ends with the one line that says what is wrong with the input, whatever it was made of."""
    _print(message)
    sys.exit(BAD_INPUT)


def _print(message: str) -> None:
    from nag_jax.system.errors import shown

    print(f"error: {shown(message)}", file=sys.stderr, flush=True)


def _explain(error: Exception, joined: bool) -> None:
    """Ends with one line where the error is no defect of ours."""
    from nag_jax.system.errors import InputError

    if full := _full_disk(error):
        _print(f"the disk is full ({full}): make room and run it again")
        os._exit(BAD_INPUT) if joined else sys.exit(BAD_INPUT)  # the disk is this process's, and others would wait
    if isinstance(error, InputError):
        fail(str(error))


def _full_disk(error: BaseException | None) -> str:
    """What an error, or one that it came from, says of a full disk; empty where that isn't the trouble."""
    while error is not None:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        for line in str(error).splitlines():
            if full or any(words in line for words in _FULL):
                return line
        error = error.__cause__ or error.__context__
    return ""


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
