"""Data that ship in an installed package: found without importing it, and pickles read without trusting them."""

import importlib.metadata
from pathlib import Path
from typing import Any

from nag_jax.system import inert_pickle
from nag_jax.system.errors import InputError
from nag_jax.system.foreign import Budget
from nag_jax.system.pickled_numbers import FUNCTIONS


def installed_file(package: str, path: str, *, needed_by: str, install: str) -> Path:
    """A file of an installed package.

    Args:
        package: its name on PyPI.
        path: the path of the file, from where packages are installed.
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
    return InputError(f"{path} is not the table of {package} ({error}): run {install} --force-reinstall --no-deps")


def read_pickle(path: Path) -> dict[Any, Any]:
    """The dictionary that a package's pickle holds, read inertly; see `inert_pickle`.

    Raises:
        Exception: nearly any, where it is damaged; InputError where it holds something else.
    """
    data = path.read_bytes()
    content, end = inert_pickle.load(data, budget=Budget(len(data)), functions=FUNCTIONS)
    if end != len(data):
        raise InputError("it goes on after its end")
    if not isinstance(content, dict):
        found = content if isinstance(content, inert_pickle.Opaque) else f"a {type(content).__name__}"
        raise InputError(f"expected a dictionary of records, found {found}")
    return content
