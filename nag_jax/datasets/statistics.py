"""Statistics of graph data sets: published figures of the nine of NAS-Bench-Graph, and a user's own.

Sources of `FIGURES`, by column:

* nodes, edges, features and classes of cora, citeseer and pubmed: the Planetoid files of Yang et al. (ICML 2016); of
  cs, physics, photo and computers: the files of Shchur et al. (*Pitfalls of Graph Neural Network Evaluation*, 2018).
  Both as the documentation of PyTorch Geometric counts them, each undirected edge once. (The papers' own tables count
  duplicate citations, and largest components of the Amazon graphs.)
* of arxiv and proteins: Hu et al. (*Open Graph Benchmark*, NeurIPS 2020). Proteins has features of edges only, 8, which
  NAS-Bench-Graph moves to the nodes, and 112 binary tasks in place of classes.
* homophily, the share of edges that join nodes of one class (edge homophily): Platonov et al. (*Characterizing Graph
  Datasets for Node Classification*, NeurIPS 2023), to two decimals. Those of cora, citeseer and pubmed are also in Zhu
  et al. (*Beyond Homophily in Graph Neural Networks*, NeurIPS 2020). Proteins has no single class per node, so it has
  none.
"""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nag_jax.datasets.base import Description, single
from nag_jax.system.columns import check_csv, check_distinct
from nag_jax.system.errors import InputError, quoted

COLUMNS = ("nodes", "edges", "features", "classes", "homophily")
FIGURES = {
    "cora": (2_708, 5_278, 1_433, 7, 0.81),
    "citeseer": (3_327, 4_552, 3_703, 6, 0.74),
    "pubmed": (19_717, 44_324, 500, 3, 0.80),
    "cs": (18_333, 81_894, 6_805, 15, 0.81),
    "physics": (34_493, 247_962, 8_415, 5, 0.93),
    "photo": (7_650, 119_081, 745, 8, 0.83),
    "computers": (13_752, 245_861, 767, 10, 0.78),
    "arxiv": (169_343, 1_166_243, 128, 40, 0.65),
    "proteins": (132_534, 39_561_252, 8, 112, math.nan),
}
"""`COLUMNS` by data set; NaN where nothing is published."""

_COUNTS = len(COLUMNS) - 1


def load(*, name: str, figures: Mapping[str, float] | None = None, path: str | Path | None = None) -> Description:
    """Describes a graph data set by its figures.

    Args:
        name: the name of the data set; without `figures` and `path`, one of `FIGURES`.
        figures: the user's own, by `COLUMNS`; homophily may be missing or NaN.
        path: a CSV file with a column `name` and those of `COLUMNS`, in place of `figures`.

    Returns:
        A description of one item, F = 6: the logarithms of the four counts and the homophily, less their means over the
        nine data sets of `FIGURES` and divided by their standard deviations there; 1 where the homophily is known and
        0 where the mean stands in for it.

    Raises:
        InputError: there is no such data set, the file is missing, or a figure is missing or impossible.
    """
    if figures is None:
        figures = _published(name) if path is None else _read(Path(path), name)
    values = _checked(name, figures)
    scores = (_transformed(values) - _MEAN) / _STD
    known = np.isfinite(scores[-1])
    facts = dict(zip(COLUMNS, values, strict=True)) | {"homophily_known": bool(known)}
    return single(name, np.append(np.where(np.isfinite(scores), scores, 0.0), known), facts=facts)


def _published(name: str) -> dict[str, float]:
    if name not in FIGURES:
        raise InputError(
            f"there are no published statistics of the data set {name!r}, only of {', '.join(FIGURES)}: give figures "
            f"or the path of a CSV file, with {', '.join(COLUMNS)}"
        )
    return dict(zip(COLUMNS, FIGURES[name], strict=True))


def _read(path: Path, name: str) -> dict[str, float]:
    if not path.is_file():
        raise InputError(f"there is no file of statistics {path}: correct the path")
    names, found = [], {}
    try:
        check_csv(path)
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or ())
            for row in reader:
                names.append(row.get("name"))
                found = row if row.get("name") == name else found
    except InputError:
        raise
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} can't be read as CSV in UTF-8 ({error}): export it again") from error
    if "name" not in columns:
        raise InputError(f"{path} has no column 'name': expected the columns name, {', '.join(COLUMNS)}")
    check_distinct(names, path, "data set")
    if not found:
        raise InputError(f"{path} has no data set {name!r}: it has {', '.join(map(str, names)) or 'none'}")
    figures = {}
    for column in COLUMNS:
        try:
            figures[column] = float(found.get(column) or math.nan)
        except (TypeError, ValueError) as error:
            value = quoted(found[column])
            raise InputError(f"{path}, {name}: {column} must be a number, found {value}; correct it") from error
    return figures


def _checked(name: str, figures: Mapping[str, float]) -> tuple[float, ...]:
    """The figures in the order of `COLUMNS`."""
    unknown = [column for column in figures if column not in COLUMNS]
    if unknown:
        raise InputError(f"data set {name!r}: unknown statistic {unknown[0]!r}; use {', '.join(COLUMNS)}")
    values = tuple(float(figures.get(column, math.nan)) for column in COLUMNS)
    for column, value in zip(COLUMNS[:_COUNTS], values, strict=False):
        if not 0 < value < math.inf:
            raise InputError(f"data set {name!r}: {column} must be a positive number, found {value:g}; give it one")
    if not (0 <= values[-1] <= 1 or math.isnan(values[-1])):
        raise InputError(f"data set {name!r}: homophily must be a fraction of 0 to 1, found {values[-1]:g}")
    return values


def _transformed(values) -> np.ndarray:
    values = np.asarray(values, np.float64)
    return np.concatenate([np.log(values[..., :_COUNTS]), values[..., _COUNTS:]], axis=-1)


_TABLE = _transformed(list(FIGURES.values()))
_MEAN, _STD = np.nanmean(_TABLE, axis=0), np.nanstd(_TABLE, axis=0)
