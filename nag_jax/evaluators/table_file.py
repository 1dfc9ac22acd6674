"""Reads a benchmark of the user's own, a CSV or Parquet file or a data frame, into a table evaluator."""

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nag_jax import spaces
from nag_jax.evaluators.table import TableEvaluator
from nag_jax.objectives.metric import Direction, Split, describe_metrics, guess_split, parse_metrics
from nag_jax.spaces import Space
from nag_jax.system.columns import check_csv, check_distinct
from nag_jax.system.errors import InputError, quoted
from nag_jax.system.extras import check_installed
from nag_jax.system.foreign import Budget
from nag_jax.system.names import check_name

if TYPE_CHECKING:
    import pandas as pd

ARCHITECTURE_COLUMN = "arch"


def load(
    *,
    path: str | Path,
    metric: str,
    metrics: str = "",
    space: Space | None = None,
    directions: Mapping[str, Direction] | None = None,
    units: Mapping[str, str] | None = None,
    splits: Mapping[str, Split] | None = None,
    allow_failed: bool = False,
    average_twins: bool = False,
    one_a_class: bool = False,
) -> TableEvaluator:
    """Reads a table with a column `arch` of native strings and a numeric column for each metric.

    The metrics are `metric` and every other numeric column without gaps, or with them where failed trials are allowed.
    Columns need names that differ. The table may hold a part of the space.

    Args:
        path: a CSV file (UTF-8, commas, one header line) or a Parquet file.
        metric: the column to search by.
        metrics: what is known of other columns, in words as `"latency:min:ms"`; see `parse_metrics`.
        space: the space whose architectures the strings are; NAS-Bench-201 by default.
        directions: `"max"` or `"min"` by column; `"max"` by default.
        units: the units of columns by name; empty by default.
        splits: `"train"`, `"validation"`, `"test"` or `"none"` by column; read off its name by default.
        allow_failed: whether metrics may have gaps, which count as failed trials.
        average_twins: whether architectures that compute the same thing get the mean of their labels.
        one_a_class: whether a row holds for all architectures that compute the same thing, and not for its own alone.

    Raises:
        InputError: the file is missing or unreadable, the column `arch` or `metric` is missing, `metric`
            holds something else than numbers, a string is not an architecture of the space, a column or an
            architecture comes twice, a label is NaN, or a mapping names what isn't a metric or gives what isn't valid.
    """
    frame, place = read(Path(path))
    further = parse_metrics(metrics)
    return from_frame(
        frame,
        metric=metric,
        space=space,
        directions={**{found.name: found.direction for found in further}, **(directions or {})},
        units={**{found.name: found.unit for found in further}, **(units or {})},
        splits={**{found.name: found.split for found in further}, **(splits or {})},
        allow_failed=allow_failed,
        average_twins=average_twins,
        one_a_class=one_a_class,
        source=str(path),
        place=place,
    )


def from_frame(
    frame: "pd.DataFrame",
    *,
    metric: str,
    space: Space | None = None,
    directions: Mapping[str, Direction] | None = None,
    units: Mapping[str, str] | None = None,
    splits: Mapping[str, Split] | None = None,
    allow_failed: bool = False,
    average_twins: bool = False,
    one_a_class: bool = False,
    source: str = "the data frame",
    place: Callable[[int], str] = "row {} (from 0)".format,
) -> TableEvaluator:
    """The evaluator of a data frame with such columns; see `load`.

    Args:
        frame: a data frame with the column `arch`, or with that as its index.
        metric: the column to search by; see `load`.
        space: the space whose architectures the strings are; see `load`.
        directions: `"max"` or `"min"` by column; see `load`.
        units: the units of columns by name; see `load`.
        splits: the split of each column by name; see `load`.
        allow_failed: whether metrics may have gaps, which count as failed trials.
        average_twins: whether architectures that compute the same thing get the mean of their labels.
        one_a_class: whether a row holds for all architectures that compute the same thing.
        source: what the frame is called in messages.
        place: where in the source row i stands, for messages.

    Raises:
        InputError: see `load`.

    Example:
        >>> import pandas as pd
        >>> space = spaces.make("nasbench_graph")
        >>> frame = pd.DataFrame({"arch": ["0012|gcn|gat|fc|skip", "0123|gin|gat|fc|gcn"], "latency": [3.1, 2.5]})
        >>> evaluator = from_frame(frame, metric="latency", space=space, directions={"latency": "min"})
        >>> evaluator.num_distinct, evaluator.metrics["latency"].direction
        (2, 'min')
    """
    space = spaces.make("nasbench201") if space is None else space
    frame = tidy(frame, source)
    if frame.empty:
        raise InputError(f"{source} has no rows: expected an architecture a row")
    numeric = numeric_columns(frame, metric, source, place)
    columns = {
        name: values for name, values in numeric.items() if name == metric or allow_failed or np.isfinite(values).all()
    }
    metrics = describe_metrics(
        columns, source, directions=directions, units=units, splits=splits, guess_split=guess_split
    )
    return TableEvaluator(
        name="table",
        space=space,
        source=source,
        tokens=read_architectures(frame, space, source, place),
        columns=columns,
        metrics=metrics,
        objective=metric,
        allow_failed=allow_failed,
        average_twins=average_twins,
        one_a_class=one_a_class,
        place=place,
    )


def read(path: Path) -> tuple["pd.DataFrame", Callable[[int], str]]:
    """The file's table, and where in the file its i-th row stands."""
    if not path.is_file():
        found = "a folder" if path.exists() else "nothing"
        raise InputError(f"{path}: expected a CSV or Parquet file, found {found}; correct the path")
    try:
        return _read_parquet(path) if _is_parquet(path) else _read_csv(path)
    except InputError:
        raise
    except Exception as error:  # a damaged Parquet file may raise nearly anything
        reason = f"{type(error).__name__}: {error}" if isinstance(error, LookupError) else error
        raise InputError(f"{path} can't be read as CSV or Parquet ({reason}): export it again") from error


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1" or path.suffix in (".parquet", ".pq")


def _read_parquet(path: Path) -> tuple["pd.DataFrame", Callable[[int], str]]:
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


def tidy(frame: "pd.DataFrame", source: str) -> "pd.DataFrame":
    """The architectures as a column, columns named by strings that differ, rows numbered."""
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise InputError(
            f"{source}: expected a pandas.DataFrame, or the path of a CSV or Parquet file, found {quoted(frame)}: make "
            "a data frame of it"
        )
    if frame.columns.nlevels > 1:
        raise InputError(
            f"{source} has columns of {frame.columns.nlevels} levels, as {quoted(frame.columns[0])}: give every column "
            "one name, as frame.columns = ['_'.join(map(str, names)) for names in frame.columns]"
        )
    if ARCHITECTURE_COLUMN in frame.index.names:
        frame = frame.reset_index(allow_duplicates=True)
    frame = frame.rename(columns=str).reset_index(drop=True)
    check_distinct(frame.columns, source)
    return frame


def _read_csv(path: Path) -> tuple["pd.DataFrame", Callable[[int], str]]:
    import pandas as pd

    # Blank lines aren't skipped so that the index keeps count of the file's lines.
    options: dict[str, Any] = {"encoding": "utf-8-sig", "index_col": False, "skip_blank_lines": False}
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        check_csv(path)  # pandas itself renames a column that comes again
        frame = pd.read_csv(path, dtype={ARCHITECTURE_COLUMN: str}, low_memory=False, **options).dropna(how="all")
    lines = frame.index.to_numpy() + 2  # the header is line 1
    return frame.reset_index(drop=True), lambda row: f"line {lines[row]}"


def numeric_columns(
    frame: "pd.DataFrame", metric: str, source: str, place: Callable[[int], str]
) -> dict[str, np.ndarray]:
    """All numeric columns as float64 `[R]`, once it is clear that `metric` is one of them."""
    if ARCHITECTURE_COLUMN not in frame:
        raise InputError(
            f"{source} has no column {ARCHITECTURE_COLUMN!r} of architecture strings (commas must separate the "
            f"columns of a CSV file): rename the one that holds them, of {', '.join(frame.columns)}"
        )
    numeric = {
        name: frame[name].to_numpy(np.float64, na_value=np.nan)
        for name in frame.columns
        if name != ARCHITECTURE_COLUMN and frame[name].dtype.kind in "iuf"
    }
    if metric in frame and metric not in numeric and metric != ARCHITECTURE_COLUMN:
        values = frame[metric].tolist()
        row = next((i for i, value in enumerate(values) if _is_text(value)), 0)
        found = f"{source}, {place(row)}: the column {quoted(metric)} must hold numbers, found {quoted(values[row])}"
        raise InputError(f"{found}; correct it, or use a numeric column: {', '.join(numeric) or '(none)'}")
    check_name(metric, numeric, f"metric of {source}")
    return numeric


def read_architectures(frame: "pd.DataFrame", space: Space, source: str, place: Callable[[int], str]) -> np.ndarray:
    """Tokens `[R, N]` of the column of architecture strings."""
    empty = frame[ARCHITECTURE_COLUMN].isna().to_numpy(bool)
    if empty.any():
        row = int(np.argmax(empty))
        raise InputError(f"{source}, {place(row)}: the column {ARCHITECTURE_COLUMN!r} is empty; fill it in")
    try:
        return space.from_native([str(native) for native in frame[ARCHITECTURE_COLUMN].tolist()])
    except InputError as error:
        found = re.fullmatch(r"row (\d+): (.*)", str(error), re.DOTALL)
        if found is None:
            raise InputError(f"{source}: {error}") from error
        raise InputError(f"{source}, {place(int(found[1]))}: {found[2]}") from error


def _is_text(value: object) -> bool:
    """Whether it is a string that no number can be read from."""
    try:
        return isinstance(value, str) and bool(np.isnan(float(value)))
    except ValueError:
        return True
