"""The running digest over the rows of a ledger, by which changed, swapped and deleted rows are noticed.

Every row's digest covers the row, its id included, and the digest of the row before it; the ledger keeps the last one
apart from the rows. It guards against damage and mistakes, not against somebody who computes it anew.
"""

import hashlib
import json
from collections.abc import Sequence

EMPTY = ""
"""The digest before the first row."""


def link(before: str, row: Sequence) -> str:
    """The digest of a row.

    Args:
        before: the digest of the row before it, or `EMPTY`.
        row: numbers, strings and Nones.

    Example:
        >>> link(EMPTY, [1, "a cell"]) == link("another", [1, "a cell"])
        False
    """
    return hashlib.sha256(json.dumps([before, *row]).encode()).hexdigest()
