"""Factories by name, `make(name, **options)`: finding what a name means, and checking its options.

Wherever a name of a registry may stand, `FILE.py:NAME` may stand too: a function or class of the user's own.
"""

import functools
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from nag_jax.system.errors import InputError, quoted


def find(what: str, name: str, registry: Mapping[str, Callable]) -> Callable:
    """The function or class that a name of a registry, or `FILE.py:NAME`, stands for.

    Args:
        what: the registry's contents are called, for the messages.
        name: asked for.
        registry: name to function or class.

    Raises:
        InputError: there is none of that name, or the file can't be read or run.
    """
    if name in registry:
        return registry[name]
    if is_own(name):
        return own(name)
    raise InputError(f"unknown {what} {quoted(name)}: use one of {sorted(registry)}, or FILE.py:NAME of your own")


def is_own(name: str) -> bool:
    """Whether a name has the form `FILE.py:NAME`."""
    return name.rpartition(":")[0].endswith(".py")


def split_own(name: str) -> tuple[str, str]:
    """The file and the name in it of `FILE.py:NAME`."""
    path, _, attribute = name.rpartition(":")
    return path, attribute


def own(name: str) -> Callable:
    """The function or class that `FILE.py:NAME` stands for; the file is run once, from the working folder.

    Raises:
        InputError: there is no such file or no such function or class in it, or it can't be run.
    """
    path, attribute = split_own(name)
    if not Path(path).is_file():
        raise InputError(f"{quoted(name)}: there is no file {path!r} in {Path.cwd()}: correct the path")
    found = getattr(_run(str(Path(path).resolve())), attribute, None)
    if not callable(found):
        raise InputError(f"{path} has no function or class {attribute!r}: define it, or name another as FILE.py:NAME")
    return found


@functools.cache
def _run(path: str) -> ModuleType:
    """The module of a file."""
    name = f"own_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} can't be read as Python: correct the path")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pickle look for what is defined in it
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else "?"
        raise InputError(f"{path}, line {line}: {type(error).__name__}: {error}; correct it") from error
    return module


def check_options(
    what: str, name: str, registry: Mapping[str, Callable], options: Mapping[str, Any], *, given: Collection[str] = ()
) -> Callable:
    """Finds what is asked for, see `find`, and checks the options.

    Args:
        what: the registry's contents are called, for the messages.
        name: asked for.
        registry: name to the function or class whose keyword arguments are the options.
        options: asked for; one that is None counts as left out.
        given: arguments that are no options, because the caller gives them.

    Returns:
        The function or class.

    Raises:
        InputError: nothing has that name, what it names has no such option, or lacks one that it needs.
    """
    found = find(what, name, registry)
    parameters = inspect.signature(found).parameters
    known = sorted(set(parameters) - set(given))
    if unknown := sorted(set(options) - set(known)):
        raise InputError(f"{what} {quoted(name)} has no option {unknown}: use {known}")
    for option in known:
        if parameters[option].default is inspect.Parameter.empty and options.get(option) is None:
            raise InputError(f"{what} {quoted(name)} needs the option {quoted(option)}: give it one")
    return found
