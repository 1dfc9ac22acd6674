"""A benchmark of the user's own, a file or a data frame, as a table evaluator: its columns, and what they mean."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nag_jax import spaces
from nag_jax.evaluators import exports
from nag_jax.evaluators.table import TableEvaluator
from nag_jax.evaluators.table_formats import read
from nag_jax.objectives.metric import (
    Direction,
    Metric,
    Split,
    describe_metrics,
    find_metric,
    guess_split,
    parse_metrics,
)
from nag_jax.spaces import Space
from nag_jax.system.columns import check_distinct
from nag_jax.system.errors import InputError, quoted
from nag_jax.system.names import check_name

if TYPE_CHECKING:
    import pandas as pd

ARCHITECTURE_COLUMN = "arch"
"""What the column of architectures is called, unless it is named or known by its strings."""
_TRIED = 5
"""Strings of a column that are read to see whether it holds architectures."""


def load(
    *,
    path: str | Path,
    metric: str,
    metrics: str = "",
    column: str = "",
    space: Space | None = None,
    directions: Mapping[str, Direction] | None = None,
    units: Mapping[str, str] | None = None,
    splits: Mapping[str, Split] | None = None,
    allow_failed: bool = False,
    average_twins: bool = False,
    average_repeats: bool = False,
    one_a_class: bool = False,
) -> TableEvaluator:
    """Reads a table with a column of native strings and a numeric column for each metric.

    The metrics are `metric` and every other numeric column without gaps, or with them where failed trials are allowed.
    Columns need names that differ. The table may hold a part of the space. Units, directions and splits of exports of
    NAS-Bench-201 and NATS-Bench are known by their columns; see `exports`.

    Args:
        path: a CSV file (UTF-8, one header line; commas, semicolons or tabs) or a Parquet file.
        metric: the column to search by.
        column: the column of architectures; by default `arch`, or the only one whose strings are some.
        metrics: what is known of other columns, in words as `"latency:min:ms"`; see `parse_metrics`.
        space: the space whose architectures the strings are; NAS-Bench-201 by default.
        directions: `"max"` or `"min"` by column; `"max"` by default.
        units: the units of columns by name; empty by default.
        splits: `"train"`, `"validation"`, `"test"` or `"none"` by column; read off its name by default.
        allow_failed: whether metrics may have gaps, which count as failed trials.
        average_twins: whether architectures that compute the same thing get the mean of their labels.
        average_repeats: whether rows of the same architecture, as of several seeds, become one with their means.
        one_a_class: whether a row holds for all architectures that compute the same thing, and not for its own alone.

    Raises:
        InputError: the file is missing or unreadable, the column of architectures or `metric` is missing, `metric`
            holds something else than numbers, a string is not an architecture of the space, a column or an
            architecture comes twice, a label is NaN, or a mapping names what isn't a metric or gives what isn't valid.
    """
    frame, place = read(Path(path))
    further = parse_metrics(metrics)
    return from_frame(
        frame,
        metric=metric,
        column=column,
        space=space,
        directions={**{found.name: found.direction for found in further}, **(directions or {})},
        units={**{found.name: found.unit for found in further}, **(units or {})},
        splits={**{found.name: found.split for found in further}, **(splits or {})},
        allow_failed=allow_failed,
        average_twins=average_twins,
        average_repeats=average_repeats,
        one_a_class=one_a_class,
        source=str(path),
        place=place,
    )


def from_frame(
    frame: "pd.DataFrame",
    *,
    metric: str,
    column: str = "",
    space: Space | None = None,
    directions: Mapping[str, Direction] | None = None,
    units: Mapping[str, str] | None = None,
    splits: Mapping[str, Split] | None = None,
    allow_failed: bool = False,
    average_twins: bool = False,
    average_repeats: bool = False,
    one_a_class: bool = False,
    source: str = "the data frame",
    place: Callable[[int], str] = "row {} (from 0)".format,
) -> TableEvaluator:
    """The evaluator of a data frame with such columns; see `load`.

    Args:
        frame: a data frame with a column of architectures, or with `arch` as its index.
        metric: the column to search by; see `load`.
        column: the column of architectures; see `load`.
        space: the space whose architectures the strings are; see `load`.
        directions: `"max"` or `"min"` by column; see `load`.
        units: the units of columns by name; see `load`.
        splits: the split of each column by name; see `load`.
        allow_failed: whether metrics may have gaps, which count as failed trials.
        average_twins: whether architectures that compute the same thing get the mean of their labels.
        average_repeats: whether rows of the same architecture become one with their means.
        one_a_class: whether a row holds for all architectures that compute the same thing.
        source: what the frame is called in messages.
        place: where in the source row i stands, for messages.

    Raises:
        InputError: the column of architectures or `metric` is missing, a row can't be read, an architecture or a
            column comes twice, or a label is NaN.

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
    frame = name_architectures(frame, space, source, column)
    known = exports.recognise([name for name in frame.columns if frame[name].dtype.kind in "iuf"])
    metric = _meant(metric, known)
    numeric = numeric_columns(frame, metric, source, place)
    columns = {
        name: values
        for name, values in numeric.items()
        if name == metric or ((not known or name in known) and (allow_failed or np.isfinite(values).all()))
    }
    metrics = describe_metrics(
        columns, source, directions=directions, units=units, splits=splits, guess_split=guess_split, known=known
    )
    tokens, rows = read_architectures(frame, space, source, place), len(frame)
    if average_repeats:
        tokens, columns = _average_repeats(tokens, columns)
    return TableEvaluator(
        name="table",
        space=space,
        source=source,
        tokens=tokens,
        columns=columns,
        metrics=metrics,
        objective=metric,
        allow_failed=allow_failed,
        average_twins=average_twins,
        one_a_class=one_a_class,
        place=place,
        rows=rows,
    )


def _meant(metric: str, known: Mapping[str, Metric]) -> str:
    """The column that is meant by a metric's title where it is no column's name."""
    return find_metric(known, metric, "metric") if any(metric == each.title for each in known.values()) else metric


def _average_repeats(tokens: np.ndarray, columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Each architecture once, where it came first, with the means of its values that there are."""
    _, first, inverse = np.unique(tokens, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    means = {}
    for name, values in columns.items():
        there = np.isfinite(values)
        counts = np.bincount(inverse.ravel(), there)
        sums = np.bincount(inverse.ravel(), np.where(there, values, 0.0))
        means[name] = (sums / np.where(counts > 0, counts, np.nan))[order]
    return tokens[first[order]], means


def name_architectures(frame: "pd.DataFrame", space: Space, source: str, column: str = "") -> "pd.DataFrame":
    """The frame whose column of architectures is called `arch`.

    Args:
        frame: a tidy frame.
        space: the space of the architectures.
        source: what the frame is called in messages.
        column: the column that holds them; by default `arch`, or the only one whose first strings are some.

    Raises:
        InputError: there is no such column, or none or several hold architectures.
    """
    if not column and ARCHITECTURE_COLUMN in frame:
        return frame
    there = ", ".join(frame.columns)
    if column:
        if column not in frame:
            raise InputError(f"{source} has no column {quoted(column)} of architecture strings: name one of {there}")
        if column != ARCHITECTURE_COLUMN and ARCHITECTURE_COLUMN in frame:
            frame = frame.drop(columns=ARCHITECTURE_COLUMN)
        return frame.rename(columns={column: ARCHITECTURE_COLUMN})
    found = [name for name in frame.columns if _holds_architectures(frame[name], space)]
    if len(found) != 1:
        which = f"several, {', '.join(found)}" if found else "none"
        raise InputError(
            f"{source} has no column {ARCHITECTURE_COLUMN!r} of architecture strings, and of the others {which} that "
            f"hold{'s' * (not found)} those of {space.name}: name one with column, of {there}"
        )
    return frame.rename(columns={found[0]: ARCHITECTURE_COLUMN})


def _holds_architectures(values: Any, space: Space) -> bool:
    strings = [value for value in values.head(_TRIED).tolist() if isinstance(value, str)]
    try:
        return bool(strings) and len(space.from_native(strings)) > 0
    except InputError:
        return False


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


def numeric_columns(
    frame: "pd.DataFrame", metric: str, source: str, place: Callable[[int], str]
) -> dict[str, np.ndarray]:
    """All numeric columns as float64 `[R]`, once it is clear that `metric` is one of them."""
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
