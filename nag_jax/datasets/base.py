"""Descriptions of data sets, as predictors see them: feature vectors of the items of their classes."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nag_jax.system.errors import InputError, quoted
from nag_jax.system.foreign import read_npz

_ARRAYS = {"name": "U", "features": "f", "mask": "b", "classes": "U"}
"""Arrays of the npz file, with the kinds of their dtypes."""


@dataclasses.dataclass(frozen=True, eq=False)
class Description:
    """A data set as classes of items; figures of a whole data set are one class of one item.

    Attributes:
        name: the name of the data set.
        features: float32 `[C, I, F]`, or pixels `[C, I, H, W, 3]` from -1 to 1; zero where masked.
        mask: bool `[C, I]`, True where there is an item.
        classes: the C classes' names; empty where they have none.
        facts: what a report should say of how it was made, as plain values by name.

    Example:
        >>> describe("two classes", [np.ones((3, 4)), np.ones((2, 4))], classes=("cats", "dogs")).features.shape
        (2, 3, 4)
    """

    name: str
    features: np.ndarray
    mask: np.ndarray
    classes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        features = np.asarray(self.features, np.float32)
        mask = np.asarray(self.mask, bool)
        if features.ndim not in (3, 5) or mask.shape != features.shape[:2]:
            raise InputError(
                f"data set {self.name!r}: features must have the shape [C, I, F] or [C, I, H, W, 3] and mask [C, I], "
                f"found {list(features.shape)} and {list(mask.shape)}"
            )
        if not mask.size or not mask.any(axis=1).all():
            raise InputError(f"data set {self.name!r}: every class needs an item, and there must be a class")
        if self.classes and len(self.classes) != len(mask):
            raise InputError(f"data set {self.name!r}: found {len(self.classes)} names of {len(mask)} classes")
        features = np.where(mask.reshape(*mask.shape, *(1,) * (features.ndim - 2)), features, np.float32(0))
        if not np.isfinite(features).all():
            raise InputError(f"data set {self.name!r}: features must be finite numbers")
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "mask", mask)

    @property
    def item_shape(self) -> tuple[int, ...]:
        """The shape of one item: `(F,)` or `(H, W, 3)`."""
        return self.features.shape[2:]


class Batch(NamedTuple):
    """Several data sets, padded to the same shape.

    Attributes:
        features: float32 `[T, C, I, ...]`.
        mask: bool `[T, C, I]`.

    Example:
        >>> Batch(np.zeros((2, 1, 3, 4)), np.ones((2, 1, 3), bool))._fields
        ('features', 'mask')
    """

    features: np.ndarray
    mask: np.ndarray


def describe(
    name: str, items: Sequence[np.ndarray], *, classes: Sequence[str] = (), facts: Mapping[str, Any] | None = None
) -> Description:
    """A description from the items of each class, `[I_c, ...]`, however many a class has."""
    longest = max((len(rows) for rows in items), default=0)
    shape = np.shape(items[0])[1:] if items else ()
    features = np.zeros((len(items), longest, *shape), np.float32)
    mask = np.zeros((len(items), longest), bool)
    for i, rows in enumerate(items):
        features[i, : len(rows)] = rows
        mask[i, : len(rows)] = True
    return Description(name, features, mask, tuple(classes), facts or {})


def single(name: str, figures: np.ndarray, *, facts: Mapping[str, Any] | None = None) -> Description:
    """A description by figures of the whole data set, `[F]`."""
    return Description(name, np.asarray(figures)[None, None], np.ones((1, 1), bool), (), facts or {})


def stack(descriptions: Sequence[Description]) -> Batch:
    """Pads the descriptions with masked items and classes to the same shape.

    Raises:
        InputError: there is none, or their items differ in shape.

    Example:
        >>> stack([describe("a", [np.ones((3, 4))]), describe("b", [np.ones((2, 4))])]).mask.sum(axis=2).tolist()
        [[3], [2]]
    """
    shapes = {description.item_shape for description in descriptions}
    if len(shapes) != 1:
        raise InputError(f"data sets to stack must have items of one shape, found {sorted(map(list, shapes))}")
    largest = [max(d.mask.shape[axis] for d in descriptions) for axis in (0, 1)]
    features = np.zeros((len(descriptions), *largest, *shapes.pop()), np.float32)
    mask = np.zeros((len(descriptions), *largest), bool)
    for i, description in enumerate(descriptions):
        place = i, slice(description.mask.shape[0]), slice(description.mask.shape[1])
        features[place] = description.features
        mask[place] = description.mask
    return Batch(features, mask)


def class_rows(table: Description, tasks: Sequence[Description | Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Where the classes of each task stand in a table of classes, so that tasks that share classes share features.

    `table.features[rows]` and `table.mask[rows] & mask[:, :, None]` are what `stack` gives for the tasks one by one.

    Args:
        table: a description with all the classes.
        tasks: the classes of T tasks: their names, or a description with names.

    Returns:
        rows int32 `[T, C]` and mask bool `[T, C]`, False where a task has no more classes.

    Raises:
        InputError: a task has no class, or one that the table hasn't.

    Example:
        >>> table = describe("table", [np.ones((1, 4))] * 3, classes=("cats", "dogs", "owls"))
        >>> class_rows(table, [("owls", "cats")])[0].tolist()
        [[2, 0]]
    """
    place = {name: i for i, name in enumerate(table.classes)}
    by_task = [task.classes if isinstance(task, Description) else task for task in tasks]
    rows = np.zeros((len(tasks), max(map(len, by_task), default=0)), np.int32)
    mask = np.zeros(rows.shape, bool)
    for i, names in enumerate(by_task):
        unknown = [name for name in names if name not in place]
        if unknown or not names:
            found = f"the unknown class {quoted(unknown[0])}" if unknown else "no class"
            raise InputError(f"task {i} has {found}: give it classes of {table.name!r}, which has {len(place)}")
        rows[i, : len(names)] = [place[name] for name in names]
        mask[i, : len(names)] = True
    return rows, mask


def select_classes(table: Description, names: Sequence[str], *, name: str) -> Description:
    """The data set of some classes of a table; raises InputError where it has no such class.

    Example:
        >>> table = describe("table", [np.ones((1, 4))] * 3, classes=("cats", "dogs", "owls"))
        >>> select_classes(table, ("owls",), name="birds").classes
        ('owls',)
    """
    rows, _ = class_rows(table, [names])
    return Description(name, table.features[rows[0]], table.mask[rows[0]], tuple(names), table.facts)


def save(path: str | Path, description: Description) -> None:
    """Writes a description as an npz file, without its facts."""
    np.savez(
        path,
        name=np.array(description.name),
        features=description.features,
        mask=description.mask,
        classes=np.array(description.classes, np.str_),
    )


def load(*, path: str | Path) -> Description:
    """Reads a description that `save` wrote.

    Raises:
        InputError: the file is missing, or holds something else.
    """
    try:
        arrays = read_npz(path)
        for field, kind in _ARRAYS.items():
            if arrays[field].dtype.kind != kind:
                raise InputError(f"{field} is an array of {arrays[field].dtype}")
        classes = tuple(map(str, arrays["classes"]))
        return Description(str(arrays["name"]), arrays["features"], arrays["mask"], classes, facts={"file": str(path)})
    except FileNotFoundError as error:
        raise InputError(f"there is no file of features {path}: correct the path") from error
    except Exception as error:  # a damaged npz may raise nearly anything
        raise InputError(f"{path} isn't a description of a data set ({error}): write it again") from error
