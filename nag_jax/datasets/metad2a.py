"""The triples of MetaD2A: accuracies of NAS-Bench-201 cells on thousands of data sets of 20 ImageNet-32 classes each.

Source: Lee, Hyung and Hwang, *Rapid Neural Architecture Search by Learning to Generate Graphs from Datasets*, ICLR
2021. DiffusionNAG trains its predictor on them. They come as PyTorch files, which `convert` turns into an npz file:

| array | what |
|---|---|
| `acc` | float `[R]`, accuracies in % |
| `task` | int `[R]`, the data set, a row of `task_classes` |
| `ops` | int `[R, 6]`, edges in the order of NAS-Bench-201's string, indices into its `OPERATIONS` |
| `task_classes` | int `[T, 20]`, class ids from 1 |
| `perm` | int `[R]`; its first 400 are the published evaluation split |
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from nag_jax.datasets import class_names
from nag_jax.datasets import triples as triples_lib
from nag_jax.datasets.base import Description
from nag_jax.datasets.triples import Triples, select
from nag_jax.spaces.nasbench201 import EDGES, OPERATIONS, NASBench201
from nag_jax.system.errors import InputError
from nag_jax.system.foreign import Budget, read_npz
from nag_jax.system.pickled_numbers import numbers
from nag_jax.system.torch_file import read_torch_file
from nag_jax.system.whole import whole_numbers

NUM_EVALUATION = 400
TFDS_NAME = "imagenet_resized/32x32"
"""The TFDS data set of the images. Its classes are the WordNet ids of the list of classes, in the same order."""

_ARRAYS = {"acc": 1, "task": 1, "ops": 2, "task_classes": 2, "perm": 1}
"""Arrays of the npz file, with their dimensions."""
_TRIPLES, _PERMUTATION, _TASKS = (
    "meta_train_tasks_predictor.pt",
    "meta_train_tasks_predictor_idx.pt",
    "meta_train_task_lst.pt",
)


class MetaD2A(NamedTuple):
    """What the file and the list of classes hold.

    Attributes:
        triples: R of them; a task is the WordNet ids of its classes, which unlike their names are unique.
        evaluation: int `[400]`, rows of the published evaluation split.
        class_names: the name of each class by WordNet id, in the order of the list.
    """

    triples: Triples
    evaluation: np.ndarray
    class_names: dict[str, str]


def load(*, path: str | Path, classes: str | Path) -> MetaD2A:
    """Reads the triples.

    Args:
        path: the npz file of the table above.
        classes: a text file, `wnid id name` a line, that says which class an id stands for: the classes of down-sampled
            ImageNet, ids from 1.

    Raises:
        InputError: a file is missing or of another form, or a triple is of an unknown data set, cell or class.
    """
    names, wnids = _read_classes(Path(classes))
    arrays = _read_arrays(Path(path))
    ids = arrays["task_classes"]
    unknown = sorted(set(ids.ravel().tolist()) - set(wnids))
    if unknown:
        raise InputError(f"{path}: a data set has the class {unknown[0]}, which {classes} doesn't list; correct either")
    space = NASBench201()
    try:
        found = Triples(
            tokens=space.from_ops(arrays["ops"]),
            task=_narrowed(arrays["task"], np.int32, "task"),
            values=arrays["acc"].astype(np.float64),
            ids=tuple(f"metad2a/{i}" for i in range(len(ids))),
            tasks=tuple(tuple(wnids[i] for i in row) for row in ids.tolist()),
        )
        triples_lib.check(found, space)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if sorted(arrays["perm"].tolist()) != list(range(len(found.tokens))):
        raise InputError(f"{path}: perm must hold each of 0 to {len(found.tokens) - 1} once; convert it again")
    return MetaD2A(found, arrays["perm"][:NUM_EVALUATION], names)


def published_split(data: MetaD2A) -> tuple[Triples, Triples]:
    """Training and evaluation triples as published.

    90 % of the evaluation cells and more than half of its data sets are in training too, some of them together; see
    `triples.without_twins`.
    """
    held_out = np.zeros(len(data.triples.tokens), bool)
    held_out[data.evaluation] = True
    return select(data.triples, ~held_out), select(data.triples, data.evaluation)


def used_classes(data: MetaD2A) -> list[str]:
    """WordNet ids of the classes that data sets with triples have, in the order of the list of classes."""
    used = {wnid for i in np.unique(data.triples.task) for wnid in data.triples.tasks[i]}
    return [wnid for wnid in data.class_names if wnid in used]


def name_table(data: MetaD2A) -> Description:
    """A table of the used classes by WordNet id, for `class_rows`, each described by its name.

    Raises:
        InputError: the text encoder's package is missing or damaged.
    """
    wnids = used_classes(data)
    features = class_names.embed([data.class_names[wnid] for wnid in wnids])
    return Description(
        "MetaD2A's classes", features[:, None], np.ones((len(wnids), 1), bool), tuple(wnids), class_names.FACTS
    )


def _read_classes(path: Path) -> tuple[dict[str, str], dict[int, str]]:
    """Names by WordNet id, and WordNet ids by class id."""
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        names = {wnid: name for wnid, _, name in lines}
        wnids = {int(number): wnid for wnid, number, _ in lines}
    except (OSError, ValueError) as error:
        raise InputError(f"{path} isn't a list of classes ({error}): expected `wnid id name` a line") from error
    if not lines or len(names) < len(lines) or len(wnids) < len(lines):
        raise InputError(f"{path} must list classes, each wnid and each id once; correct it")
    return names, wnids


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".pt":
        raise InputError(f"{path} is a PyTorch file: run python -m experiments.convert metad2a {path} OUT.npz first")
    if not path.is_file():
        raise InputError(f"there is no file of triples {path}: correct the path")
    try:
        stored = read_npz(path)
        arrays = {name: stored[name] for name in _ARRAYS}
    except Exception as error:  # a damaged npz may raise nearly anything
        raise InputError(f"{path} isn't MetaD2A's triples ({error}): convert them again") from error
    for name, dimensions in _ARRAYS.items():
        if arrays[name].ndim != dimensions or arrays[name].dtype.kind not in ("f" if name == "acc" else "iu"):
            raise InputError(
                f"{path}: the array {name} must have {dimensions} dimensions, see nag_jax/datasets/metad2a"
            )
    return arrays


def convert(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of the npz file, from the released PyTorch files, without executing their pickles.

    Args:
        path: the path of `meta_train_tasks_predictor.pt`, beside which `meta_train_tasks_predictor_idx.pt` and
            `meta_train_task_lst.pt` lie.

    Raises:
        InputError: a file is missing or can't be read, or holds something else.
    """
    path = Path(path)
    records = read_torch_file(path)
    permutation = read_torch_file(path.with_name(_PERMUTATION))
    tasks = read_torch_file(path.with_name(_TASKS))
    if not isinstance(records, dict) or not {"acc", "task"} <= set(records) or not {"str", "x"} & set(records):
        raise InputError(f"{path} isn't MetaD2A's {_TRIPLES}: expected acc, task, and the cells as str or x")
    budget = Budget(sum(path.with_name(name).stat().st_size for name in (path.name, _PERMUTATION, _TASKS)))
    try:
        return {
            "acc": numbers(records["acc"], budget).astype(np.float64),
            "task": _narrowed(numbers(records["task"], budget), np.int64, "task"),
            "ops": _operations(records, budget).astype(np.int8),
            "task_classes": _narrowed(numbers(tasks, budget), np.int16, "task_classes"),
            "perm": _narrowed(numbers(permutation, budget), np.int64, "perm"),
        }
    except InputError as error:
        raise InputError(f"{path} or the files beside it have another form than MetaD2A's ({error})") from error


def _narrowed(values: np.ndarray, dtype: type[np.signedinteger], name: str) -> np.ndarray:
    """Whole numbers as another type, which must hold each of them."""
    values = whole_numbers(values, name)
    info = np.iinfo(dtype)
    if values.size and (values.min() < info.min or values.max() > info.max):
        raise InputError(f"{name} must be numbers of {info.bits} bits, found {values.min()} to {values.max()}")
    return values.astype(dtype)


def _operations(records: dict, budget: Budget) -> np.ndarray:
    """Operations `[R, 6]`: strings say which edge is which; x has them as one-hot rows 1 to 6, in the same order."""
    if "str" in records:
        cells = records["str"]
        if not isinstance(cells, list) or not all(isinstance(cell, str) for cell in cells):
            raise InputError("cells must be a list of strings")
        space = NASBench201()
        return space.to_ops(space.from_native(cells))
    x = numbers(records["x"], budget)
    if x.shape[1:] != (len(EDGES) + 2, len(OPERATIONS) + 2) or not ((x == 0) | (x == 1)).all():
        raise InputError(f"cells must be one-hot [8, 7], found x of the shape {list(x.shape[1:])}")
    if not (x.sum(axis=2) == 1).all() or not (x[:, 1:-1, 2:].sum(axis=2) == 1).all():
        raise InputError("cells must be one-hot [8, 7], with an operation on each edge")
    return x[:, 1:-1].argmax(axis=2) - 2
