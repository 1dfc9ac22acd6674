"""Checks of names: a misspelt one gets one line with the nearest valid name and all the others."""

import difflib
from collections.abc import Iterable

from nag_jax.system.errors import InputError, quoted


def check_name(name: str, valid: Iterable[str], what: str) -> None:
    """Raises InputError unless `name` is one of `valid`.

    Args:
        name: what the user wrote.
        valid: the names that exist.
        what: what they are names of, as in "unknown {what} 'x'".
    """
    valid = list(valid)
    if name in valid:
        return
    close = difflib.get_close_matches(str(name), valid, n=1)
    hint = f"did you mean {quoted(close[0])}? There are" if close else "use one of"
    raise InputError(f"unknown {what} {quoted(name)}: {hint} {', '.join(valid) or '(none)'}")
