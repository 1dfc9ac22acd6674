"""Triples: (data set, architecture, value), from which a predictor of many data sets learns."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from nag_jax.datasets.base import Description, class_rows, stack
from nag_jax.spaces.capabilities import TokenSpace
from nag_jax.system.errors import InputError
from nag_jax.system.seeds import check_seed


class Triples(NamedTuple):
    """R values of architectures on T data sets.

    Attributes:
        tokens: int32 `[R, N]`, the architectures.
        task: int32 `[R]`, which data set, as an index into `ids` and `tasks`.
        values: float64 `[R]`, the metric.
        ids: names of the T data sets.
        tasks: what is known of each: a description, or the names of its classes in a table of classes (`class_rows`).

    Example:
        >>> found = Triples(np.zeros((1, 5), np.int32), np.array([0]), np.array([93.1]), ("pets",), (("cats", "dogs"),))
        >>> found.ids[found.task[0]], found.values.item()
        ('pets', 93.1)
    """

    tokens: np.ndarray
    task: np.ndarray
    values: np.ndarray
    ids: tuple[str, ...]
    tasks: tuple[Description | tuple[str, ...], ...]


class TaskTable(NamedTuple):
    """What T data sets look like, as rows of one table of classes.

    Attributes:
        features: float32 `[A, I, F]`, of the table's classes.
        items: bool `[A, I]`, which items there are.
        rows: int32 `[T, C]`, the classes of each data set.
        mask: bool `[T, C]`, which of them there are.
    """

    features: np.ndarray
    items: np.ndarray
    rows: np.ndarray
    mask: np.ndarray

    def of(self, task):
        """Features `[C, I, F]` and mask `[C, I]` of a data set, whose index may be traced."""
        rows = jnp.asarray(self.rows)[task]
        present = jnp.asarray(self.mask)[task]
        return jnp.asarray(self.features)[rows], jnp.asarray(self.items)[rows] & present[:, None]


def task_table(triples: Triples, classes: Description | None = None) -> TaskTable:
    """The table of the triples' data sets.

    Args:
        triples: the triples, whose data sets have descriptions, or are names of classes.
        classes: the table that names are rows of.

    Raises:
        InputError: a data set has names where there is no table, or a class that the table hasn't; or descriptions have
            items of different shapes.
    """
    if classes is not None:
        rows, mask = class_rows(classes, list(triples.tasks))
        return TaskTable(classes.features, classes.mask, rows, mask)
    for name, task in zip(triples.ids, triples.tasks, strict=True):
        if not isinstance(task, Description):
            raise InputError(f"data set {name!r} is known by the names of its classes: describe them by a table")
    batch = stack([task for task in triples.tasks if isinstance(task, Description)])
    tasks, most = batch.mask.shape[:2]
    rows = np.arange(tasks * most, dtype=np.int32).reshape(tasks, most)
    flat = batch.features.reshape(tasks * most, *batch.features.shape[2:])
    return TaskTable(flat, batch.mask.reshape(tasks * most, -1), rows, np.asarray(batch.mask.any(axis=2)))


def check(triples: Triples, space: TokenSpace) -> None:
    """Raises InputError unless every triple has an architecture of the space, a known data set and a finite value."""
    rows = len(triples.tokens)
    if not rows or rows != len(triples.task) or rows != len(triples.values) or len(triples.ids) != len(triples.tasks):
        raise InputError(
            f"triples must have as many architectures, data sets and values, at least one, and data sets as many names "
            f"as descriptions: found {rows}, {len(triples.task)}, {len(triples.values)}, {len(triples.ids)} and "
            f"{len(triples.tasks)}"
        )
    if len(set(triples.ids)) < len(triples.ids):
        raise InputError("two data sets of the triples have the same name: tell them apart")
    known = (triples.task >= 0) & (triples.task < len(triples.ids))
    if not known.all():
        row = int(np.argmin(known))
        raise InputError(
            f"triple {row} is of the unknown data set {triples.task[row]}: there are 0 to {len(triples.ids) - 1}"
        )
    if triples.tokens.ndim != 2 or triples.tokens.shape[1] != space.width:
        raise InputError(
            f"architectures of {space.name} have {space.width} tokens, found triples of the shape "
            f"{list(triples.tokens.shape)}"
        )
    classes = (triples.tokens >= 0) & (triples.tokens < space.num_classes)
    inside = classes.all(axis=1) & np.asarray(space.contains(np.clip(triples.tokens, 0, space.num_classes - 1)))
    for what, good in (("an architecture of " + space.name, inside), ("a finite value", np.isfinite(triples.values))):
        if not good.all():
            raise InputError(f"triple {int(np.argmin(good))} has not {what}: correct or remove it")


def join(
    values: Mapping[str, tuple[np.ndarray, np.ndarray]], tasks: Mapping[str, Description | tuple[str, ...]]
) -> Triples:
    """Triples of several data sets.

    Args:
        values: tokens `[R_t, N]` and their values `[R_t]`, by the name of the data set.
        tasks: what is known of each data set; more of them than `values` has may be there.

    Raises:
        InputError: there are no values, or values of a data set of which nothing is known.
    """
    unknown = [name for name in values if name not in tasks]
    if unknown:
        raise InputError(f"there are values of the data set {unknown[0]!r}, which none of {', '.join(tasks)} describes")
    if not values:
        raise InputError("expected values of at least one data set, found none")
    ids = tuple(tasks)
    return Triples(
        tokens=np.concatenate([np.asarray(tokens, np.int32) for tokens, _ in values.values()]),
        task=np.repeat([ids.index(name) for name in values], [len(v) for _, v in values.values()]).astype(np.int32),
        values=np.concatenate([np.asarray(v, np.float64) for _, v in values.values()]),
        ids=ids,
        tasks=tuple(tasks.values()),
    )


def select(triples: Triples, rows: np.ndarray) -> Triples:
    """The triples of these rows, int or bool; the data sets and their numbers stay."""
    return triples._replace(tokens=triples.tokens[rows], task=triples.task[rows], values=triples.values[rows])


def split_by_task(triples: Triples, held_out: Sequence[str]) -> tuple[Triples, Triples]:
    """Triples of all other data sets, and those of the data sets held out.

    Raises:
        InputError: a name is unknown, or either part would be empty.
    """
    unknown = [name for name in held_out if name not in triples.ids]
    if unknown:
        raise InputError(f"the triples have no data set {unknown[0]!r} to hold out: use names of theirs")
    out = np.isin(triples.task, [triples.ids.index(name) for name in held_out])
    if out.all() or not out.any():
        raise InputError(
            "data sets to hold out must leave triples on both sides: name some, not all, that have triples"
        )
    return select(triples, ~out), select(triples, out)


def draw_tasks(triples: Triples, share: float, *, seed: int) -> tuple[str, ...]:
    """Names of a random share of the data sets that have triples, at least one, for `split_by_task`."""
    seed, present = check_seed(seed), np.unique(triples.task)
    count = max(1, round(share * len(present)))
    if not 0 < share < 1 or count >= len(present):
        raise InputError(f"the share of {len(present)} data sets must leave some on both sides, found {share:g}")
    drawn = np.random.default_rng(seed).permutation(present)[:count]
    return tuple(triples.ids[i] for i in np.sort(drawn))


def without_twins(training: Triples, evaluation: Triples, space: TokenSpace) -> Triples:
    """The training triples but those that give an evaluation triple away.

    One gives another away where both are of the same data set and of architectures that compute the same thing.
    Both must number the data sets alike, as parts of the same triples do.
    """
    if training.ids != evaluation.ids:
        raise InputError("twins can be told only between parts of the same triples: split them from the same ones")
    taken = set(zip(evaluation.task.tolist(), space.canonical(evaluation.tokens).tolist(), strict=True))
    pairs = zip(training.task.tolist(), space.canonical(training.tokens).tolist(), strict=True)
    return select(training, np.array([pair not in taken for pair in pairs], bool))
