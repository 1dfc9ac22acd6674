"""Progress and timing of the named phases of a run: bars on a terminal, a line per phase anywhere else."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tqdm import tqdm

from nag_jax.system import interrupts
from nag_jax.system.events import END, PHASE, PROGRESS, Events

_WIDTH = 24
"""Characters that names are padded to."""


class Phases:
    """The named phases of a run: announces each, shows how far it is, and keeps its seconds in `seconds`.

    Args:
        quiet: shows nothing, as in all processes of a run but one.
        events: is told when a phase begins, how far it is, and when it is over.

    Attributes:
        events: what they are told to, which may have more listeners added.
        seconds: seconds by phase.
        before_first: called once, as the first phase begins: when nothing can be refused any more.

    Example:
        >>> phases = Phases(quiet=True)
        >>> with phases("counting") as progress:
        ...     progress(1, 1)
        >>> list(phases.seconds)
        ['counting']
    """

    def __init__(self, *, quiet: bool = False, events: Events | None = None):
        self._quiet = quiet
        self.events = Events() if events is None else events
        self.seconds: dict[str, float] = {}
        self.before_first: Callable[[], None] | None = None

    @contextmanager
    def __call__(self, name: str, unit: str = "step") -> Iterator[Callable[..., None]]:
        """Times a phase; yields the callback (done, total, loss) that says how far it is.

        What is reported with a loss that is NaN was done by an earlier run.
        """
        if self.before_first is not None:
            announce, self.before_first = self.before_first, None
            announce()
        start = time.perf_counter()
        self.events(PHASE, name, unit=unit)
        with _shown(name, unit, quiet=self._quiet) as show:

            def update(done: int, total: int, loss: float | None = None) -> None:
                interrupts.check()
                show(done, total, loss)
                self.events(PROGRESS, name, done=done, total=total, **({} if loss is None else {"loss": loss}))

            yield update
        self.seconds[name] = round(time.perf_counter() - start, 3)
        self.events(END, name, seconds=self.seconds[name])


def _shown(name: str, unit: str, *, quiet: bool) -> AbstractContextManager[Callable[..., None]]:
    if quiet:
        return _nothing()
    return _bar(name, unit) if sys.stderr.isatty() else _line(name, unit)


@contextmanager
def _nothing() -> Iterator[Callable[..., None]]:
    yield lambda done, total, loss=None: None


@contextmanager
def _bar(name: str, unit: str) -> Iterator[Callable[..., None]]:
    """A bar, whose clock runs from the beginning of the phase."""
    with tqdm(desc=f"{name:<{_WIDTH}}", unit=unit, dynamic_ncols=True) as bar:

        def update(done: int, total: int, loss: float | None = None) -> None:
            bar.total = total  # `bar.reset` would set the clock to zero
            if loss is not None and loss != loss:
                bar.initial = done  # the rate is that of this run
            elif loss is not None:
                bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
            bar.update(done - bar.n)

        yield update
        if bar.total is None:
            update(1, 1)


@contextmanager
def _line(name: str, unit: str) -> Iterator[Callable[..., None]]:
    """One line, for files: the name at once, so that a log says what is going on, the rest at the end."""
    start = time.perf_counter()
    count = restored = last = ""

    def update(done: int, total: int, loss: float | None = None) -> None:
        nonlocal count, restored, last
        count = f", {done:,} {unit}{'' if done == 1 else 's'}"
        if loss is not None and loss != loss:
            restored = f" ({done:,} restored)" if done else ""
        elif loss is not None:
            last = f", loss={loss:.4f}"

    print(f"{name:<{_WIDTH}}: ", end="", file=sys.stderr, flush=True)
    try:
        yield update
        print(f"{time.perf_counter() - start:.1f} s{count}{restored}{last}", end="", file=sys.stderr)
    finally:
        print(file=sys.stderr, flush=True)  # whatever comes next, as an error, has a line of its own
