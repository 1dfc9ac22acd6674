"""Examples that are pictures: folders of class folders, and prepared TensorFlow data sets."""

import sys
from pathlib import Path

import numpy as np

from nag_jax.datasets.examples.parts import TEST, TRAINING, VALIDATION, Examples, examples
from nag_jax.datasets.images import collect, read_folder_images
from nag_jax.datasets.tfds import open_tfds
from nag_jax.system.errors import InputError

_SUBFOLDERS = {"train": TRAINING, "validation": VALIDATION, "val": VALIDATION, "test": TEST}


def read_folder(*, path: str | Path, image_size: int = 32) -> Examples:
    """The images of a folder of class folders, or of its folders `train`, `validation` and `test` of such.

    Args:
        path: the folder; which files count is as of `datasets.images.load`.
        image_size: the size to which images are scaled, in pixels.

    Raises:
        InputError: there is no such folder, it has no class folders, parts have different ones, or an image can't be
            read.
    """
    path = Path(path)
    there = [name for name in _SUBFOLDERS if (path / name).is_dir()] if path.is_dir() else []
    if "train" not in there:
        there = [""]
    known, parts = None, []
    for name in there:
        classes, images = read_folder_images(path / name, None, sys.maxsize, 0, image_size)
        if known is not None and classes != known:
            raise InputError(f"{path / name} must have the class folders of {path / there[0]}: found {classes}")
        known = classes
        parts.append((_SUBFOLDERS.get(name, TRAINING), images))
    return _of_parts(path.resolve().name, known or [], parts, named=there != [""])


def read_tfds(
    *,
    path: str,
    split: str = "train",
    test_split: str = "",
    data_dir: str | Path | None = None,
    image_size: int = 32,
) -> Examples:
    """The images of a prepared TFDS data set.

    Args:
        path: its name, as `"cifar10"`.
        split: the split to train on.
        test_split: the split to test on; empty holds out a share of the other.
        data_dir: where TFDS data sets are; by default TFDS's own place.
        image_size: the size to which images are scaled, in pixels.

    Raises:
        InputError: see `datasets.tfds.open_tfds`.
    """
    parts, classes = [], []
    for number, name in ((TRAINING, split), (TEST, test_split)):
        if name:
            opened = open_tfds(path, split=name, data_dir=data_dir)
            classes, images = collect(opened, classes=None, images_per_class=sys.maxsize, seed=0, image_size=image_size)
            parts.append((number, images))
    return _of_parts(path, classes, parts, named=len(parts) > 1)


def _of_parts(name: str, classes: list[str], parts: list[tuple[int, list[np.ndarray]]], *, named: bool) -> Examples:
    """Examples of the images of every class of every part; only parts that the source names are kept to."""
    inputs = np.concatenate([of_class for _, images in parts for of_class in images])
    labels = np.concatenate([np.full(len(rows), i) for _, images in parts for i, rows in enumerate(images)])
    part = np.concatenate([np.full(sum(map(len, images)), number) for number, images in parts])
    return examples(name, inputs, labels, classes, part if named else ())
