"""Data that ship in an installed package: found without importing it, and pickles read without trusting them."""

import importlib.metadata
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from nag_jax.system.errors import InputError


def installed_file(package: str, path: str, *, needed_by: str, install: str) -> Path:
    """A file of an installed package.

    Args:
        package: its name on PyPI.
        path: of the file, from where packages are installed.
        needed_by: who needs it, for the message.
        install: the command that installs it, for the message.

    Raises:
        InputError: the package isn't installed.
    """
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError as error:
        raise InputError(f"{needed_by} needs the package {package}: run {install}") from error
    return Path(str(distribution.locate_file(path)))


def not_the_table(path: Path, error: Exception, *, package: str, install: str) -> InputError:
    """The error for a damaged file of a package, on one line, with the command that mends it."""
    reason = " ".join(str(error).split())
    return InputError(f"{path} is not the table of {package} ({reason}): run {install} --force-reinstall --no-deps")


class RestrictedUnpickler(pickle.Unpickler):
    """Unpickles plain values and what a table's own names stand for, and can run no code.

    Everything a pickle can do to run code starts from a name that it looks up. The names of the table get stand-ins
    of ours, which are `Record` classes or `Function`s; every other name is refused.
    """

    def __init__(self, file: IO[bytes], names: Mapping[tuple[str, str], Any]):
        super().__init__(file)
        self._names = names

    def find_class(self, module_name: str, global_name: str) -> Any:
        """The stand-in of that name; raises UnpicklingError for any name but those of the table."""
        try:
            return self._names[module_name, global_name]
        except KeyError:
            name = f"{module_name}.{global_name}"
            raise pickle.UnpicklingError(f"it asks for {name}, which no table needs") from None


class Record(type):
    """Classes that a pickle may make bare instances of (NEWOBJ), but not call (REDUCE) or alter (BUILD)."""

    def __call__(cls, *args, **kwargs):
        """Refuses."""
        raise pickle.UnpicklingError(f"it calls {cls.__name__}, which no table needs")

    def __setattr__(cls, name, value):
        raise pickle.UnpicklingError(f"it alters {cls.__name__}, which no table needs")


class Function:
    """A function of ours that a pickle may call (REDUCE), but not alter (BUILD)."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable):
        self._function = function

    def __call__(self, *args):
        """Calls the function."""
        return self._function(*args)

    def __setstate__(self, state):
        raise pickle.UnpicklingError("it alters a function, which no table needs")
