"""The check of a table's columns, which need names that differ."""

from collections import Counter
from collections.abc import Iterable

from nag_jax.system.errors import InputError, quoted


def check_distinct(names: Iterable[str], source: object, what: str = "column") -> None:
    """Raises InputError where a name comes twice, since nobody can know which of the two was meant.

    Args:
        names: the names as they stand in the table, before a reader renames or drops some of them.
        source: the file or data frame, for the message.
        what: what they are names of.
    """
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(f"{source} has the {what} {quoted(name)} {count} times: rename or remove the others")
