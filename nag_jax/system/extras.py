"""Packages that only some work needs, which extras of this library bring."""

import importlib.util

from nag_jax.system.errors import InputError


def check_installed(package: str, *, extra: str, needed_by: str) -> None:
    """Checks that an optional package is there, before it is imported where it is used.

    Args:
        package: the name under which it is imported.
        extra: the extra of this library that installs it.
        needed_by: the work that needs it, as the message's subject.

    Raises:
        InputError: it isn't installed.

    Example:
        >>> check_installed("json", extra="none", needed_by="a report")
        >>> check_installed("no_such_package", extra="none", needed_by="a report")
        Traceback (most recent call last):
            ...
        nag_jax.system.errors.InputError: a report needs the package no_such_package: run pip install 'nag-jax[none]'
    """
    if importlib.util.find_spec(package) is None:
        raise InputError(f"{needed_by} needs the package {package}: run pip install 'nag-jax[{extra}]'")
