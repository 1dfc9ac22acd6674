"""A finished run, as its files tell it: nothing is computed again."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from nag_jax.errors import InputError

KINDS = {"strategies": "search", "files": "stream", "objective": "generate", "constraints": "constraints"}
"""What a run did, by the first of these fields that its `results.json` has."""


class Cell(NamedTuple):
    """A value as the page shows it.

    Attributes:
        text: for people.
        source: JSON pointer (RFC 6901) to where it stands in `results.json`; None for words and sums.
        value: what stands there.
    """

    text: str
    source: str | None = None
    value: Any = None


EMPTY = Cell("")


@dataclasses.dataclass(frozen=True)
class Finished:
    """A run that ended.

    Attributes:
        path: its workdir.
        results: what stands in `results.json`.
        figures: name to SVG file.
    """

    path: Path
    results: dict[str, Any]
    figures: dict[str, Path]

    @property
    def kind(self) -> str:
        """One of the values of `KINDS`."""
        return next(kind for field, kind in KINDS.items() if field in self.results)

    @property
    def config(self) -> dict[str, Any]:
        """The config that it ran with."""
        return self.results["config"]

    def at(self, *keys: str | int) -> Any:
        """What stands under these keys, or None."""
        found: Any = self.results
        for key in keys:
            if isinstance(found, list) and isinstance(key, int) and key < len(found):
                found = found[key]
            elif isinstance(found, dict):
                found = found.get(key)
            else:
                return None
        return found

    def cell(self, *keys: str | int, form: Callable[[Any], str] = str) -> Cell:
        """What stands under these keys, written by `form`; an empty cell where there is nothing."""
        value = self.at(*keys)
        if value is None:
            return EMPTY
        return Cell(form(value), "".join(f"/{_escaped(str(key))}" for key in keys), value)


def read(path: Path) -> Finished:
    """Reads a run's folder.

    Raises:
        InputError: it isn't one, or the run hasn't ended.
    """
    file = path / "results.json"
    if not path.is_dir():
        raise InputError(f"there is no folder {path}: name the workdirs of finished runs, as runs/nb201")
    if not file.is_file():
        hint = (
            "the run there hasn't ended: start it again with the same command, and it goes on where it was"
            if (path / "config.json").is_file()
            else "it isn't a run: name the workdirs of finished runs, as runs/nb201"
        )
        raise InputError(f"{path} holds no results.json; {hint}")
    try:
        results = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{file} is not readable ({error}): run it again, which restores what was paid for") from error
    if not isinstance(results, dict) or not isinstance(results.get("config"), dict) or not KINDS.keys() & results:
        raise InputError(f"{file} isn't what a run writes: name the workdirs of finished runs, as runs/nb201")
    return Finished(path, results, {figure.stem: figure for figure in sorted((path / "figures").glob("*.svg"))})


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
