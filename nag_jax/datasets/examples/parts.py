"""Labelled examples, and their parts for training, validation and test."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nag_jax.system.errors import InputError, quoted
from nag_jax.system.seeds import check_seed

TRAINING, VALIDATION, TEST = 0, 1, 2
"""What the numbers in `Examples.part` mean."""
MOST_BYTES = 4 * 2**30
"""Examples are held in the memory of every device."""


class Examples(NamedTuple):
    """Images, or series as images one pixel wide, with their classes. Made by `examples`.

    Attributes:
        name: what the data set is called.
        inputs: float32 `[N, h, w, 3]`, in any scale; grey ones have three equal channels.
        labels: int32 `[N]`.
        classes: names by label.
        part: int8 `[N]`, which part an example belongs to; empty where the source doesn't say.
    """

    name: str
    inputs: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    part: np.ndarray


class Part(NamedTuple):
    """Normalised examples of one part.

    Attributes:
        inputs: float32 `[n, h, w, 3]`.
        labels: int32 `[n]`.
        rows: int64 `[n]`, where they stand among all examples.
    """

    inputs: np.ndarray
    labels: np.ndarray
    rows: np.ndarray

    @property
    def size(self) -> int:
        """The number of its examples."""
        return len(self.labels)


class Parts(NamedTuple):
    """Examples cut into parts, normalised by the training part alone.

    Attributes:
        name: what the data set is called.
        classes: names by label.
        training: what weights are fitted to.
        validation: what architectures are compared by.
        test: what the chosen one is measured on, once.
        mean: float32 `[3]` of the training part's channels, which was subtracted.
        std: float32 `[3]` of them, by which was divided.
    """

    name: str
    classes: tuple[str, ...]
    training: Part
    validation: Part
    test: Part
    mean: np.ndarray
    std: np.ndarray


def examples(name: str, inputs, labels, classes: Sequence[str] = (), part: Any = ()) -> Examples:
    """Examples of arrays, checked.

    Args:
        name: what the data set is called.
        inputs: images `[N, h, w, 3]`, `[N, h, w, 1]` or `[N, h, w]`, or series `[N, length]`.
        labels: whole numbers `[N]` from 0.
        classes: names by label; the numbers by default.
        part: the parts that examples belong to, see `TRAINING`; empty where the source doesn't say.

    Raises:
        InputError: the shapes don't go together, a number isn't finite, a label is out of range, there are fewer than
            two classes, or too many examples for a device's memory.

    Example:
        >>> examples("noise", np.zeros((4, 40)), [0, 1, 0, 1]).inputs.shape
        (4, 40, 1, 3)
    """
    inputs, labels = np.asarray(inputs), np.asarray(labels)
    if inputs.ndim == 2:
        inputs = inputs[:, :, None]
    if inputs.ndim == 3:
        inputs = inputs[..., None]
    if inputs.ndim != 4 or inputs.shape[-1] not in (1, 3) or labels.shape != inputs.shape[:1] or not labels.size:
        raise InputError(
            f"data set {quoted(name)}: expected images [N, h, w, 1 or 3] or [N, h, w], or series [N, length], and "
            f"labels [N], found {list(inputs.shape)} and {list(labels.shape)}"
        )
    if inputs.dtype.kind not in "buif" or 12 * inputs[..., 0].size > MOST_BYTES:
        raise InputError(
            f"data set {quoted(name)}: examples must be numbers that fit into {MOST_BYTES / 2**30:g} GiB as float32, "
            f"found {inputs.shape} of {inputs.dtype}: scale them down, or use fewer"
        )
    if labels.dtype.kind not in "ui" or labels.min() < 0:
        raise InputError(f"data set {quoted(name)}: labels must be whole numbers from 0, found {labels.dtype}")
    classes = tuple(classes) or tuple(map(str, range(int(labels.max()) + 1)))
    if len(classes) < 2 or labels.max() >= len(classes):
        raise InputError(
            f"data set {quoted(name)}: labels must be 0 to the number of classes, at least 2, less 1: found "
            f"{labels.max()} of {len(classes)} classes"
        )
    inputs = np.broadcast_to(inputs.astype(np.float32), (*inputs.shape[:3], 3))
    if not np.isfinite(inputs).all():
        raise InputError(f"data set {quoted(name)}: all numbers of its examples must be finite")
    return Examples(name, inputs, labels.astype(np.int32), classes, np.asarray(part, np.int8))


def split(found: Examples, *, validation: float = 0.2, test: float = 0.2, seed: int = 0) -> Parts:
    """Cuts examples into parts, and normalises them by the training part's mean and standard deviation.

    A part that the source names is taken as it is. Others are drawn from the training part, class by class, so that
    every class has its share.

    Args:
        found: the examples.
        validation: the share of the training part that becomes the validation part.
        test: the share of all that becomes the test part, before that.
        seed: the seed of the draw.

    Raises:
        InputError: a part would be empty, or a class without a training example.

    Example:
        >>> noise = examples("noise", np.arange(20).reshape(10, 2), [0, 1] * 5)
        >>> parts = split(noise)
        >>> parts.training.size, parts.validation.size, parts.test.size
        (6, 2, 2)
    """
    rng = np.random.default_rng(check_seed(seed))
    part = found.part.copy() if found.part.size else np.full(len(found.labels), TRAINING, np.int8)
    for number, share in ((TEST, test), (VALIDATION, validation)):
        if not (part == number).any():
            part[_draw(rng, found.labels, part == TRAINING, share)] = number
    rows = [np.nonzero(part == number)[0] for number in (TRAINING, VALIDATION, TEST)]
    missing = sorted(set(range(len(found.classes))) - set(found.labels[rows[TRAINING]].tolist()))
    if missing or not all(map(len, rows)):
        lacks = f"no training example of the class {found.classes[missing[0]]!r}" if missing else "an empty part"
        raise InputError(
            f"data set {quoted(found.name)} has {lacks} ({len(rows[0])} examples for training, {len(rows[1])} for "
            f"validation, {len(rows[2])} for test): use more examples, or other shares"
        )
    mean, std = _moments(found.inputs[rows[TRAINING]])
    made = (Part((found.inputs[row] - mean) / std, found.labels[row], row) for row in rows)
    return Parts(found.name, found.classes, next(made), next(made), next(made), mean, std)


def _draw(rng: np.random.Generator, labels: np.ndarray, among: np.ndarray, share: float) -> np.ndarray:
    """Rows drawn from those that are True in `among`, the share of every class."""
    drawn = []
    for label in np.unique(labels[among]):
        rows = rng.permutation(np.nonzero(among & (labels == label))[0])
        drawn.append(rows[: round(share * len(rows))])
    return np.concatenate(drawn)


def _moments(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the channels, which is 1 where a channel doesn't vary."""
    mean = inputs.mean(axis=(0, 1, 2), dtype=np.float64)
    std = inputs.std(axis=(0, 1, 2), dtype=np.float64)
    return mean.astype(np.float32), np.where(std > 0, std, 1.0).astype(np.float32)
