"""Outcomes in a file of JSON: what pools and what searches found have in common."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np

from nag_jax.objectives import Metric
from nag_jax.system.errors import InputError
from nag_jax.system.foreign import load_json
from nag_jax.system.written import plain, write_whole


class Kept:
    """A frozen dataclass of arrays, a metric and plain values that is saved to a file and loaded from there."""

    def save(self, path: str | Path) -> None:
        """Writes all of it as JSON, whole or not at all.

        Args:
            path: the file, which is replaced where there is one.

        Raises:
            InputError: it can't be written.
        """
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # pyright: ignore[reportArgumentType]
        fields = {name: vars(value) if isinstance(value, Metric) else value for name, value in fields.items()}
        text = json.dumps({"kind": type(self).__name__, **plain(fields)}, allow_nan=False)
        try:
            write_whole(Path(path), lambda partial: partial.write_text(text + "\n"))
        except OSError as error:
            raise InputError(f"{path} can't be written ({error}): name another file") from error

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """What `save` wrote into a file.

        Raises:
            InputError: there is no such file, or it holds something else.
        """
        try:
            found = load_json(Path(path).read_bytes())
            if found.pop("kind") != cls.__name__:
                raise ValueError("it is of another kind")
            fields: Any = dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]
            return cls(**{field.name: _read(field.type, found.pop(field.name)) for field in fields})
        except FileNotFoundError as error:
            raise InputError(f"there is no file {path}: correct the path") from error
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{path} isn't what {cls.__name__}.save writes ({error}): save it again") from error


def _read(kind: Any, value: Any) -> Any:
    """A field of that type; numbers that aren't finite are null in the file."""
    if kind is np.ndarray:
        return np.array([np.nan if number is None else number for number in value])
    if kind == dict[str, np.ndarray]:
        return {name: _read(np.ndarray, numbers) for name, numbers in value.items()}
    if value is not None and Metric in (kind, *get_args(kind)):
        return Metric(**value)
    return np.nan if value is None and kind is float else value
