"""Corpora: files of architectures that a generator learns, in place of a space."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nag_jax.evaluators.table_file import (
    ARCHITECTURE_COLUMN,
    name_architectures,
    numeric_columns,
    read_architectures,
    tidy,
)
from nag_jax.evaluators.table_formats import read
from nag_jax.generators.fit import Corpus, weighted_rows
from nag_jax.spaces import NodeSpace, whole
from nag_jax.system.errors import InputError, quoted

_WEIGHT = "weight"


def read_corpus(source: str | Path | Mapping[str, float], space: NodeSpace, seed: int) -> Corpus:
    """The corpus of a file, or of architectures with their weights.

    Args:
        source: the path of a CSV or Parquet file with a column `arch`, and perhaps one `weight`; or weights by
            architecture.
        space: the space of the architectures.
        seed: the seed of what is rounded.

    Raises:
        InputError: the file can't be read, there is no architecture, one isn't of the space, or a weight isn't a
            positive number.

    Example:
        >>> from nag_jax import spaces
        >>> cells = spaces.make("nasbench_graph")
        >>> found = read_corpus({"0012|gcn|gat|fc|skip": 1.0, "0123|gin|gat|fc|gcn": 3.0}, cells, 0)
        >>> found.tokens.shape
        (131072, 5)
    """
    import pandas as pd

    if isinstance(source, Mapping):
        frame = pd.DataFrame({ARCHITECTURE_COLUMN: list(source), _WEIGHT: list(source.values())})
        name, place = "the corpus", "architecture {} (from 0)".format
    else:
        (frame, place), name = read(Path(source)), str(source)
    frame = tidy(frame, name)
    if frame.empty:
        raise InputError(f"{name} has no architectures: expected one per row")
    tokens = read_architectures(name_architectures(frame, space, name), whole(space), name, place)
    weights = np.ones(len(frame))
    if _WEIGHT in frame:
        weights = numeric_columns(frame, _WEIGHT, name, place)[_WEIGHT]
    if not (good := np.isfinite(weights) & (weights > 0)).all():
        row = int(np.argmin(good))
        found = quoted(frame[_WEIGHT].tolist()[row])
        raise InputError(f"{name}, {place(row)}: a weight must be a positive number, found {found}; correct it")
    return Corpus(tokens[weighted_rows(weights, seed)])
