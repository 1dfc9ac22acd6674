"""The tasks of `experiments.bench.suite`: tables of several spaces, in families, with and without noise.

A search of a task sees what was observed and is judged by the truth. They differ where noise was added, and where
architectures that compute the same thing were trained apart: the truth of these is the mean of theirs.
"""

import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd

from experiments.bench.pareto import LEAST_LATENCY
from nag_jax import evaluators, spaces
from nag_jax.evaluators import analog_nasbench
from nag_jax.evaluators.nas_bench_graph import DATASETS
from nag_jax.evaluators.ofa_accuracy import predict_accuracy, read_predictor
from nag_jax.spaces import DagSpace, NodeSpace
from nag_jax.strategies.base import Domain

NOISE = {"noise": 0.03, "strong noise": 0.3}
"""Standard deviations of added noise, in units of `Task.reach`."""
GROWING = "growing noise"
"""What grows from none at the best label to `GROWTH` at the median one and below."""
GROWTH = 0.1
DEVICES = ("1080ti_256", "titan_rtx_32", "gold_6226", "pixel3", "raspi4", "fpga", "eyeriss")
NETWORKS = 16_384
"""How many of MobileNetV3's architectures stand for the space."""
KINDS = ("conv3", "separable3", "conv5", "separable5", "average", "maximum")
"""Operations of D-VAE's ENAS nets, in the order of the file."""


class Listed(NamedTuple):
    """The architectures of a space that a search chooses from.

    Attributes:
        space: the space of the architectures.
        tokens: int32 `[A, N]`, one architecture a canonical class.
    """

    space: NodeSpace
    tokens: np.ndarray


class Task(NamedTuple):
    """What is searched; higher is better.

    Attributes:
        family: what it has in common with others, which are left out together.
        space: the name of the space, of `SPACES`.
        observed: labels float64 `[A]`, NaN where there is none.
        truth: what they are judged by, float64 `[A]`, NaN likewise.
    """

    family: str
    space: str
    observed: np.ndarray
    truth: np.ndarray

    @property
    def reach(self) -> float:
        """How far the best truth lies above the median one, the unit of regrets."""
        return float(np.nanmax(self.truth) - np.nanmedian(self.truth))

    def regret(self, rows: np.ndarray) -> np.ndarray:
        """By how much the truth of rows falls short of the best, in units of `reach`."""
        return (np.nanmax(self.truth) - self.truth[rows]) / self.reach


def noisy(task: Task, kind: str, rng: np.random.Generator) -> Task:
    """The task with Gaussian noise on its labels, which are the truth otherwise.

    Args:
        task: a task.
        kind: a name of `NOISE`, or `GROWING`.
        rng: where the noise comes from.
    """
    size = (
        GROWTH * np.minimum((np.nanmax(task.truth) - task.truth) / task.reach, 1.0) if kind == GROWING else NOISE[kind]
    )
    noise = size * task.reach * rng.standard_normal(len(task.truth))
    return task._replace(family=f"{task.family}, {kind}", observed=task.truth + noise)


@functools.cache
def listed(name: str, data: Path) -> Listed:
    """The architectures of a space of the suite."""
    if name == "enas":
        return Listed(*_enas(data)[:2])
    space = spaces.make(name)
    if not space.listable:
        tokens = np.asarray(space.random(jax.random.key(0), NETWORKS))
        return Listed(space, Domain(space).new(tokens, space.canonical(tokens[:0])))
    return Listed(space, Domain(space).all)


def _enas(data: Path) -> tuple[NodeSpace, np.ndarray, np.ndarray]:
    """D-VAE's nets: six operations, each of which may read any before it. Space, tokens and accuracies in %."""
    nodes = {f"op{i + 1}": list(KINDS) for i in range(6)}
    links = {f"skip{i}_{j}": ["cut", "kept"] for i in range(1, 6) for j in range(i)}
    names = [*nodes, *links]
    space = DagSpace("enas", nodes={**nodes, **links}, edges=list(itertools.pairwise(names)))
    file = np.load(data / "dags" / "enas6.npz", allow_pickle=False)
    ops, skips = file["ops"].astype(np.int32), file["skips"].astype(np.int32)
    offsets = np.array([space.class_names.index(name) for name in ("cut", "kept")])
    kinds = np.array([space.class_names.index(name) for name in KINDS])
    tokens = np.concatenate([kinds[ops], offsets[skips]], axis=1).astype(np.int32)
    first = np.unique(tokens, axis=0, return_index=True)[1]
    first = np.sort(first[first >= 1000])  # the published loader leaves the first thousand out
    return space, tokens[first], 100.0 * file["accuracy"][first].astype(np.float64)


def _cells(data: Path) -> Iterator[tuple[str, Task]]:
    cells, latencies = pd.read_csv(data / "nb201_cifar.csv"), pd.read_csv(data / "nb201_latency_ms.csv")
    where = listed("nasbench201", data)
    tokens = where.space.from_native(cells["arch"].tolist())
    for column in ("cifar10_valid_acc", "cifar100_valid_acc", "cifar10_valid_acc_12ep", "cifar100_valid_acc_12ep"):
        family = "12 epochs" if column.endswith("12ep") else "CIFAR"
        yield column, _of_classes(family, where, tokens, cells[column].to_numpy(np.float64))
    for device in DEVICES:
        measured = latencies[device].to_numpy(np.float64)
        task = _of_classes("latency", where, tokens, np.where(measured >= LEAST_LATENCY, -measured, np.nan))
        yield device, task
    table = analog_nasbench.load()
    found = table(table.architectures())
    for metric in (*analog_nasbench.ACCURACIES, *analog_nasbench.DRIFTS):
        yield metric, _of_classes("analog", where, table.architectures(), found[metric])


def _of_classes(family: str, where: Listed, tokens: np.ndarray, values: np.ndarray) -> Task:
    """A task of canonical classes: one architecture of a class is observed, and the mean of all is the truth."""
    keys, wanted = where.space.canonical(tokens), where.space.canonical(where.tokens)
    known = np.isfinite(values)
    classes, members = np.unique(keys[known], return_inverse=True)
    means = dict(zip(classes.tolist(), np.bincount(members, values[known]) / np.bincount(members), strict=True))
    of_row = dict(zip(map(tuple, tokens.tolist()), values.tolist(), strict=True))
    observed = np.array([of_row[tuple(row)] for row in where.tokens.tolist()])
    truth = np.array([means.get(key, np.nan) for key in wanted.tolist()])
    return Task(family, where.space.name, observed, np.where(np.isnan(observed), np.nan, truth))


def _exact(family: str, where: Listed, values: np.ndarray) -> Task:
    return Task(family, where.space.name, values, values)


def _widths(data: Path) -> Iterator[tuple[str, Task]]:
    table, where = pd.read_csv(data / "nats_size_cifar.csv"), listed("nats_size", data)
    rows = table.set_index("arch").loc[where.space.to_native(where.tokens)]
    for dataset in ("cifar10", "cifar100"):
        yield f"size_{dataset}", _exact("widths", where, rows[f"{dataset}_test_acc"].to_numpy(np.float64))


def _graphs(data: Path) -> Iterator[tuple[str, Task]]:
    where = listed("nasbench_graph", data)
    for dataset in DATASETS:
        table = evaluators.make("nas_bench_graph", dataset=dataset)
        covered = table.covers(where.tokens)
        found = table(where.tokens[covered])
        for metric, sign in (("validation", 1.0), ("latency", -1.0), ("parameters", -1.0)):
            values = np.full(len(covered), np.nan)
            values[covered] = sign * found[metric]
            yield f"{dataset}_{metric}", _exact(f"graphs, {metric}", where, values)


def _mobile(data: Path) -> Iterator[tuple[str, Task]]:
    where = listed("mobilenet_v3", data)
    layers = read_predictor(data / "ofa_acc_predictor.npz")
    yield "mobilenet", _exact("MobileNetV3", where, predict_accuracy(layers, spaces.MobileNetV3(), where.tokens))


def _nets(data: Path) -> Iterator[tuple[str, Task]]:
    yield "enas", _exact("ENAS", listed("enas", data), _enas(data)[2])


SPACES: dict[str, tuple[Callable[[Path], Iterator[tuple[str, Task]]], tuple[str, ...]]] = {
    "nasbench201": (_cells, ("cifar10_valid_acc", "cifar100_valid_acc", "baseline", "titan_rtx_32")),
    "nats_size": (_widths, ("size_cifar10", "size_cifar100")),
    "nasbench_graph": (_graphs, ("cora_validation", "arxiv_validation", "computers_validation")),
    "mobilenet_v3": (_mobile, ("mobilenet",)),
    "enas": (_nets, ()),
}
"""The tasks of each space, and which of them have noisy versions."""


def make(space: str, data: Path) -> dict[str, Task]:
    """The tasks of a space by name, with their noisy versions behind them.

    Args:
        space: a name of `SPACES`.
        data: the folder of the tables.
    """
    make_tasks, with_noise = SPACES[space]
    tasks = dict(make_tasks(data))
    for number, name in enumerate(with_noise):
        rng = np.random.default_rng(number)
        tasks |= {f"{name}, {kind}": noisy(tasks[name], kind, rng) for kind in (*NOISE, GROWING)}
    return tasks
