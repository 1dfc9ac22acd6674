"""Examples from arrays: files of them, and data sets that Python packages bring along."""

import importlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nag_jax.datasets.examples.parts import TEST, TRAINING, VALIDATION, Examples, examples
from nag_jax.system.errors import InputError, quoted
from nag_jax.system.extras import check_installed
from nag_jax.system.foreign import read_npz

_PARTS = {"train": TRAINING, "training": TRAINING, "validation": VALIDATION, "test": TEST}


def read_arrays(*, path: str | Path) -> Examples:
    """Examples of an npz file.

    It holds `inputs` (images `[N, h, w, 3]`, `[N, h, w, 1]` or `[N, h, w]`, or series `[N, length]`) and `labels`
    `[N]`, and may hold `classes` (their names) and `part` (`train`, `validation` or `test` for each example).

    Raises:
        InputError: the file is missing, damaged, or doesn't hold those.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file of examples {path}: correct the path")
    try:
        found = read_npz(path)
    except Exception as error:  # a damaged file may raise nearly anything
        raise InputError(f"{path} can't be read as an npz file ({error}): put back an intact copy") from error
    if missing := [name for name in ("inputs", "labels") if name not in found]:
        there = ", ".join(map(quoted, found)) or "nothing"
        raise InputError(f"{path} has no array {missing[0]!r}, it has {there}: save it with inputs and labels")
    words = [str(word) for word in found.get("part", [])]
    if unknown := [word for word in words if word not in _PARTS]:
        raise InputError(f"{path}: unknown part {quoted(unknown[0])}: use 'train', 'validation' or 'test'")
    if words and len(words) != len(found["labels"]):
        raise InputError(f"{path}: part must name the part of every example, found {len(words)}")
    classes = [str(name) for name in found.get("classes", [])]
    return examples(path.stem, found["inputs"], found["labels"], classes, [_PARTS[word] for word in words])


def digits() -> Examples:
    """Scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, which its package brings along.

    Raises:
        InputError: scikit-learn isn't installed.
    """
    found = _package("sklearn.datasets", "digits").load_digits()
    return examples("digits", found.images, found.target)


def mnist1d() -> Examples:
    """MNIST-1D (Greydanus and Kobak, ICML 2024): 5,000 series of length 40, the last 1,000 for test.

    The package `mnist1d` makes them anew, always the same ones.

    Raises:
        InputError: the package isn't installed.
    """
    package = _package("mnist1d.data", "mnist1d")
    with _own_randomness():
        found = package.make_dataset()
    part = [TRAINING] * len(found["y"]) + [TEST] * len(found["y_test"])
    series, labels = (np.concatenate([found[name], found[f"{name}_test"]]) for name in ("x", "y"))
    return examples("mnist1d", series, labels, part=part)


def _package(module: str, name: str) -> Any:
    check_installed(module.partition(".")[0], extra="train", needed_by=f"the data set {name}")
    return importlib.import_module(module)


@contextmanager
def _own_randomness() -> Iterator[None]:
    """Keeps the global generators as they are, which the package seeds."""
    state, other = np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        np.random.set_state(state)
        random.setstate(other)
