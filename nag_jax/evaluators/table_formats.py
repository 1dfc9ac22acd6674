"""Files of tables: CSV, with commas, semicolons or tabs, and Parquet. What else people have is named as what it is."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nag_jax.system.columns import check_csv
from nag_jax.system.errors import InputError
from nag_jax.system.extras import check_installed
from nag_jax.system.foreign import Budget

if TYPE_CHECKING:
    import pandas as pd

Place = Callable[[int], str]
"""Where in a table its i-th row stands, for messages."""
SEPARATORS = (",", ";", "\t")
_HEAD = 2**16
"""Bytes in which a file's first lines are looked for."""
_OTHERS = {
    "an Excel workbook": (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"),
    "JSON": (b"{", b"["),
    "an HDF5 file": (b"\x89HDF",),
    "an SQLite file": (b"SQLite",),
    "a pickle": (b"\x80",),
}
"""Kinds of files that aren't read, and how they begin."""
_MEND = {"an Excel workbook": "save its sheet as CSV"}


def read(path: Path) -> tuple["pd.DataFrame", Place]:
    """The file's table, and where in the file its i-th row stands.

    Raises:
        InputError: it is missing, damaged or of another format.
    """
    if not path.is_file():
        found = "a folder" if path.exists() else "nothing"
        raise InputError(f"{path}: expected a CSV or Parquet file, found {found}; correct the path")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if head.startswith(b"PAR1") or path.suffix in (".parquet", ".pq"):
            return _read_parquet(path)
        for kind, beginnings in _OTHERS.items():
            if head.lstrip().startswith(beginnings):
                mend = _MEND.get(kind, "write it as CSV, as with pandas' to_csv")
                raise InputError(f"{path} is {kind}, expected a CSV or Parquet file: {mend}")
        return _read_csv(path, head.decode("utf-8-sig", "replace").splitlines()[:2])
    except InputError:
        raise
    except Exception as error:  # a damaged Parquet file may raise nearly anything
        reason = f"{type(error).__name__}: {error}" if isinstance(error, LookupError) else error
        raise InputError(f"{path} can't be read as CSV or Parquet ({reason}): export it again") from error


def separator_of(header: str) -> str:
    r"""What separates the columns that a header names: the one of `SEPARATORS` that it has most of.

    Example:
        >>> separator_of("arch;accuracy, %;latency, ms;params"), separator_of("arch\taccuracy"), separator_of("arch")
        (';', '\t', ',')
    """
    bare = re.sub(r'"[^"]*"', "", header)
    return max(SEPARATORS, key=bare.count)


def _read_csv(path: Path, lines: list[str]) -> tuple["pd.DataFrame", Place]:
    import pandas as pd

    separator = separator_of(lines[0] if lines else "")
    # Where commas don't separate columns they may be decimal points.
    points = any(re.search(r"(^|[;\t])-?\d+,\d+([;\t]|$)", line) for line in lines)
    decimal = "," if separator != "," and points else "."
    # Blank lines aren't skipped so that the index keeps count of the file's lines.
    options: dict[str, Any] = {"encoding": "utf-8-sig", "index_col": False, "skip_blank_lines": False}
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        names = check_csv(path, separator)  # pandas itself renames a column that comes again
        texts: Any = {name: str for name in names if re.search(r"arch|cell|string", name, re.IGNORECASE)}
        frame = pd.read_csv(path, sep=separator, decimal=decimal, dtype=texts, low_memory=False, **options)
    frame = frame.dropna(how="all")
    lines_of_rows = frame.index.to_numpy() + 2  # the header is line 1
    return frame.reset_index(drop=True), lambda row: f"line {lines_of_rows[row]}"


def _read_parquet(path: Path) -> tuple["pd.DataFrame", Place]:
    check_installed("pyarrow", extra="parquet", needed_by=f"reading {path}")
    import pandas as pd
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        columns = [file.schema.column(i) for i in range(len(file.schema))]
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    # A column of one value takes a few bytes, however many rows it has.
    chunks = [group.column(i) for group in groups for i in range(group.num_columns)]
    Budget(path.stat().st_size, path).take(
        sum(16 * chunk.num_values + chunk.total_uncompressed_size for chunk in chunks)
    )
    # As dictionaries, equal texts share their memory.
    texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
    frame = pd.read_parquet(path, engine="pyarrow", read_dictionary=texts)
    shared = frame.select_dtypes("category").columns
    return frame.astype(dict.fromkeys(shared, object)), "row {} (from 0)".format
