"""The check behind every `make(name, **options)`: names and options, before anything is made of them."""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from nag_jax.errors import InputError


def check_options(
    what: str, name: str, registry: Mapping[str, Callable], options: Mapping[str, Any], *, given: Collection[str] = ()
) -> None:
    """Checks what a registry is asked to make.

    Args:
        what: the registry's contents are called, for the messages.
        name: asked for.
        registry: name to the function or class whose keyword arguments are the options.
        options: asked for; one that is None counts as left out.
        given: arguments that are no options, because the caller gives them.

    Raises:
        InputError: the registry has no such name, what it names has no such option, or lacks one that it needs.
    """
    if name not in registry:
        raise InputError(f"unknown {what} {name!r}: use one of {sorted(registry)}")
    parameters = inspect.signature(registry[name]).parameters
    known = sorted(set(parameters) - set(given))
    if unknown := sorted(set(options) - set(known)):
        raise InputError(f"{what} {name!r} has no option {unknown}: use {known}")
    for option in known:
        if parameters[option].default is inspect.Parameter.empty and options.get(option) is None:
            raise InputError(f"{what} {name!r} needs the option {option!r}: give it one")
