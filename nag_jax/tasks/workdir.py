"""Workdirs, where runs keep what they learn and pay for: a folder of their own, or nowhere."""

import fcntl
import json
import shutil
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from nag_jax.evaluators import Evaluator
from nag_jax.fitting.checkpoint import Checkpoints
from nag_jax.system.errors import InputError
from nag_jax.system.events import NAME as EVENTS
from nag_jax.system.events import TRIAL, EventFile, Events
from nag_jax.system.foreign import load_json
from nag_jax.system.options import is_own, split_own
from nag_jax.system.written import plain, write_whole
from nag_jax.trials import Ledger, Trial, read_trials

LEDGER = "trials.db"
"""The name of a run's ledger, where it has one alone."""
OWN = ("space", "utility")
"""Blocks of a config whose `FILE.py` a run keeps: who exports or reports it needs them."""


class Workdir:
    """A run's folder: claimed by one config and one process at a time, written atomically.

    Attributes:
        path: the folder.
        events: is told every label that is stored in one of its ledgers.
    """

    def __init__(self, path: Path):
        self.path = path
        self.events = Events()

    def check(self, config: dict[str, Any]) -> None:
        """Refuses the folder if it belongs to another process or to a run of another config; changes nothing.

        Raises:
            InputError: in use, another config, an unreadable one, or something that isn't a run.
        """
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise InputError(f"workdir {self.path} is a file: name a folder with --workdir")
        if (self.path / "lock").exists():
            with open(self.path / "lock") as lock:
                self._take(lock)
        stored = self.path / "config.json"
        if not stored.exists():
            if any(entry.name not in ("lock", ".partial-config.json") for entry in self.path.iterdir()):
                raise InputError(
                    f"workdir {self.path} holds files but no config.json, so it isn't a run: name another --workdir"
                )
            return
        try:
            found = load_json(stored.read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(
                f"{stored} is not readable ({error}): put back an intact copy, or name another --workdir"
            ) from error
        changes = list(_differences(found, json.loads(json.dumps(config))))
        if changes:
            raise InputError(
                f"workdir {self.path} belongs to another config ({'; '.join(changes)}): name another --workdir, "
                f"and --config.score.checkpoint={self.path / 'score'} to use its score network"
            )

    def claim(self, config: dict[str, Any]) -> None:
        """Makes the folder this run's own until this object or the process is gone, however either goes.

        Raises:
            InputError: another process is at work in it, or it can't be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open(self.path / "lock", "w")  # noqa: SIM115 (held as long as this object)
        except OSError as error:
            raise InputError(f"workdir {self.path} can't be written ({error}): name another --workdir") from error
        weakref.finalize(self, lock.close)
        self._take(lock)
        if not (self.path / "config.json").exists():
            self._keep_own(config)
            self.write_json("config.json", config)

    def _keep_own(self, config: dict[str, Any]) -> None:
        """Copies the files of a space and a utility of one's own, which the run is read with from anywhere later."""
        for block in OWN:
            name = config.get(block, {}).get("name", "")
            if is_own(name):
                self.write(_own_file(block), lambda path, name=name: shutil.copyfile(split_own(name)[0], path))

    def kept_name(self, block: str, name: str) -> str:
        """A block's name as it is found from anywhere: `FILE.py:NAME` by the copy that the run kept, if it did."""
        if not (is_own(name) and self.holds(_own_file(block))):
            return name
        return f"{self.path / _own_file(block)}:{split_own(name)[1]}"

    def _take(self, lock: TextIO) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(
                f"workdir {self.path} is in use by another process: wait for it, or name another --workdir"
            ) from error

    def report(self, events: Events) -> None:
        """Has the ledgers tell their labels to the events of a run, and the file `events.jsonl` be written of all."""
        self.events = events
        events.add(EventFile(self.path / EVENTS))

    def _tell(self, ledger: str, trial: Trial) -> None:
        self.events(
            TRIAL,
            trial.purpose,
            architecture=trial.architecture,
            values=trial.values,
            failed=trial.failed,
            reason=trial.reason.partition("\n")[0],
            cost=trial.cost,
            worker=trial.worker,
            ledger=ledger.removesuffix(".db"),
        )

    def holds(self, name: str) -> bool:
        """Whether a file or folder of that name is there."""
        return (self.path / name).exists()

    def place(self, name: str) -> str:
        """Where the file of that name is, for messages."""
        return str(self.path / name)

    def folder(self, name: str) -> Path | None:
        """The folder of that name, which need not be there yet; None where nothing is kept."""
        return self.path / name

    @contextmanager
    def ledger(self, evaluator: Evaluator, name: str = LEDGER) -> Iterator[Ledger]:
        """Opens the ledger of that name, which is made where there is none.

        Raises:
            InputError: it is of another evaluator, or can't be read.
        """
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with Ledger.open(path, evaluator) as ledger:
            ledger.listener = partial(self._tell, name)
            yield ledger

    def trials(self, evaluator: Evaluator, name: str = LEDGER) -> list[Trial]:
        """What the ledger of that name holds, nothing where there is none; opens no ledger to write."""
        return read_trials(self.path / name, evaluator) if self.holds(name) else []

    def checkpoints(self, name: str, description: dict[str, Any], *, max_to_keep: int = 2) -> Checkpoints | None:
        """The checkpoints of the fit of that name, of what is described; None where none are kept."""
        return Checkpoints(self.path / name, description, max_to_keep=max_to_keep)

    def read_json(self, name: str) -> Any:
        """What `write_json` wrote under that name, or None where nothing is there that can be read."""
        try:
            return load_json((self.path / name).read_bytes())
        except (OSError, ValueError):
            return None

    def write(self, name: str, writer: Callable[[Path], Any]) -> Path:
        """Has `writer` write the file of that name, which is whole or absent; see `system.written.write_whole`."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return write_whole(target, writer)

    def write_json(self, name: str, value: Any) -> Path:
        """Writes JSON; floats that aren't numbers become null."""
        return self.write(
            name, lambda path: path.write_text(json.dumps(plain(value), indent=1, allow_nan=False) + "\n")
        )


class Unkept(Workdir):
    """No folder: nothing is kept but the labels of one open ledger, which belongs to whoever made this.

    Args:
        book: the ledger.
    """

    def __init__(self, book: Ledger | None = None):
        self.book = book
        self.events = Events()

    def report(self, events: Events) -> None:
        """Has the ledger tell its labels to the events of a run; no file is written."""
        self.events = events
        if self.book is not None:
            self.book.listener = partial(self._tell, LEDGER)

    def check(self, config: dict[str, Any]) -> None:
        """Nothing can be another's."""

    def claim(self, config: dict[str, Any]) -> None:
        """Nothing has to be claimed."""

    def holds(self, name: str) -> bool:
        """Nothing is there."""
        return False

    def place(self, name: str) -> str:
        """Words for the ledger."""
        return "the ledger"

    def folder(self, name: str) -> None:
        """Nothing is kept."""

    @contextmanager
    def ledger(self, evaluator: Evaluator, name: str = LEDGER) -> Iterator[Ledger]:
        """The open ledger, whatever it is called."""
        assert self.book is not None, "whoever pays has opened a ledger"
        yield self.book

    def checkpoints(self, name: str, description: dict[str, Any], *, max_to_keep: int = 2) -> None:
        """None are kept."""

    def read_json(self, name: str) -> None:
        """Nothing was written."""

    def write_json(self, name: str, value: Any) -> None:
        """Nothing is written."""


def _own_file(block: str) -> str:
    return f"own/{block}.py"


def _differences(there: Any, here: Any, path: str = "") -> list[str]:
    if isinstance(there, dict) and isinstance(here, dict):
        changes = []
        for key in sorted({*there, *here}):
            changes += _differences(there.get(key), here.get(key), f"{path}.{key}" if path else key)
        return changes
    return [] if there == here else [f"{path}: {there!r} there, {here!r} here"]
