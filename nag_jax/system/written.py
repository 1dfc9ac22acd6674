"""What is written: files that are whole or absent, and values as JSON has them."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def write_whole(path: Path, writer: Callable[[Path], Any]) -> Path:
    """Has `writer` write a file beside its place and then moves it there, so that it's whole or absent.

    Args:
        path: the file, which is replaced where there is one.
        writer: writes the file whose path it is given.
    """
    partial = path.with_name(f".partial-{path.name}")
    writer(partial)
    os.replace(partial, path)
    return path


def plain(value: Any) -> Any:
    """What JSON can hold of a tree of Python and NumPy values; floats that aren't numbers become None.

    Example:
        >>> import numpy as np
        >>> plain({"values": np.array([1.0, np.nan]), "count": np.int64(2)})
        {'values': [1.0, None], 'count': 2}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not (float("-inf") < value < float("inf")):
        return None
    return value
