"""A finished run, as its files tell it: nothing is computed again."""

import dataclasses
import difflib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from nag_jax.reports.page import shape
from nag_jax.system.errors import InputError

KINDS = {
    "trained": "train",
    "front": "front",
    "strategies": "search",
    "files": "stream",
    "objective": "generate",
    "constraints": "constraints",
}
"""What a run did, by the first of these fields that its `results.json` has."""


class Cell(NamedTuple):
    """A value as the page shows it.

    Attributes:
        text: the value as people read it.
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
        InputError: there is no such folder, it isn't a run's, the run hasn't ended, or what it wrote can't be read.
    """
    results = read_results(path)
    kind = next((kind for field, kind in KINDS.items() if field in results), None)
    if kind is None:
        raise _strange(path, f"it has none of {', '.join(KINDS)}")
    _check(path, results, shape.PAGE | shape.OF_KIND[kind])
    return Finished(path, results, {figure.stem: figure for figure in sorted((path / "figures").glob("*.svg"))})


def read_results(path: Path) -> dict[str, Any]:
    """The `results.json` of a run's folder.

    Raises:
        InputError: there is no such folder, it isn't a run's, the run hasn't ended, or the file can't be read or was
            changed into what a run doesn't write.
    """
    file = path / "results.json"
    if not path.is_dir():
        raise InputError(
            f"there is no run {path}{_near(path)}: there is no folder of that name; name one as runs/nb201"
        )
    if not (path / "config.json").is_file():
        raise InputError(f"{path} holds no config.json, so it isn't a run{_near(path)}: name the folder of one")
    if not file.is_file():
        raise InputError(
            f"run {path} hasn't ended, so it isn't finished: start it again with the same command, and it goes on "
            "where it was"
        )
    try:
        results = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file} is not readable ({error}): run it again, which restores what was paid for") from error
    _check(path, results, shape.ANY_RUN)
    return results


def _check(path: Path, results: Any, wanted: dict[str, Any]) -> None:
    try:
        shape.check_values(results)
        shape.check(results, wanted)
    except InputError as error:
        raise _strange(path, str(error)) from None


def _strange(path: Path, why: str) -> InputError:
    return InputError(
        f"{path / 'results.json'} isn't what a run writes, for {why}: run it again with the same command, which writes "
        "it anew, or name the workdir of a finished run"
    )


def _near(path: Path) -> str:
    """What to say of the runs beside a folder that isn't one."""
    folders = [path, path.parent] if path.is_dir() else [path.parent]
    runs = [str(found.parent) for folder in folders for found in sorted(folder.glob("*/config.json"))]
    close = difflib.get_close_matches(str(path), runs, 1) or runs
    return f" (did you mean {', '.join(itertools.islice(close, 5))}?)" if close else ""


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
