"""What long work tells its user meanwhile, and how long each phase took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


class Phases:
    """The named phases of a run: announces each, shows its bar, and keeps its seconds in `seconds`.

    Args:
        quiet: shows nothing, as in all processes of a run but one.

    Example:
        >>> phases = Phases(quiet=True)
        >>> with phases("counting") as progress:
        ...     progress(1, 1)
        >>> list(phases.seconds)
        ['counting']
    """

    def __init__(self, *, quiet: bool = False):
        self._quiet = quiet
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str, unit: str = "step") -> Iterator[Callable[..., None]]:
        """Times a phase; yields the callback (done, total, loss) that moves its bar."""
        start = time.perf_counter()
        with tqdm(desc=f"{name:<24}", unit=unit, dynamic_ncols=True, disable=self._quiet) as bar:

            def update(done: int, total: int, loss: float | None = None) -> None:
                if bar.total != total:
                    bar.reset(total)
                if loss is not None and loss == loss:
                    bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
                bar.update(done - bar.n)

            yield update
            if bar.total is None:
                bar.reset(1)
                bar.update(1)
        self.seconds[name] = round(time.perf_counter() - start, 3)
