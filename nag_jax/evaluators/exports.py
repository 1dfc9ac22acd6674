"""Exports of NAS-Bench-201 and NATS-Bench, recognised by their columns: what those of three data sets hold.

People write the benchmarks into CSV files of an index, a string and a column or more for each data set, whose names say
what it is: `cifar10`, `cifar100_valid_acc`, `ImageNet16-120-test`, `CIFAR10TestAccuracy200Epochs`.
"""

import re
from collections.abc import Sequence

from nag_jax.objectives.metric import Metric, guess_split

DATA_SETS = {"cifar100": "CIFAR-100", "cifar10": "CIFAR-10", "imagenet16120": "ImageNet16-120", "imagenet": "ImageNet"}
"""How columns name the data sets, without case and marks, to how people do; longer names first."""
_INDEX = ("index", "id", "unnamed: 0", "arch_index", "arch_id")
_LESS_IS_BETTER = {"loss": "", "latency": "", "time": "s", "params": "", "flops": "", "error": "%", "macs": ""}
"""What a column of a data set measures if not an accuracy, to its unit as far as the name says it."""
_FEWEST = 2
"""Data sets that make an export one of these benchmarks."""


def recognise(columns: Sequence[str]) -> dict[str, Metric]:
    """The metrics of an export's columns by name, in order; nothing where it is none of these.

    Args:
        columns: the names of the numeric columns. One that numbers the rows is no metric.

    Example:
        >>> known = recognise(["index", "cifar10", "cifar100", "ImageNet16-120"])
        >>> known["cifar10"]
        Metric(name='cifar10', unit='%', direction='max', split='test')
        >>> list(known)
        ['cifar10', 'cifar100', 'ImageNet16-120']
        >>> recognise(["index", "accuracy"])
        {}
    """
    found = {name: _data_set(name) for name in columns}
    if len(set(filter(None, found.values()))) < _FEWEST:
        return {}
    return {name: _metric(name, data_set) for name, data_set in found.items() if name.lower() not in _INDEX}


def _data_set(column: str) -> str:
    bare = re.sub(r"[^a-z0-9]", "", column.lower())
    return next((title for name, title in DATA_SETS.items() if name in bare), "")


def _metric(name: str, data_set: str) -> Metric:
    for word, unit in _LESS_IS_BETTER.items():
        if word in name.lower():
            split = guess_split(name) if word in ("loss", "error") else "none"
            return Metric(name, unit=unit, direction="min", split=split)
    if not data_set:
        return Metric(name, split=guess_split(name))
    # A data set alone is its test accuracy, as the benchmarks' own tables print it.
    split = guess_split(name)
    split = "test" if split == "none" else split
    return Metric(name, unit="%", split=split, title=f"{data_set} {split} accuracy")
