"""The PyPI package analog-nasbench: every NAS-Bench-201 cell on CIFAR-10, on digital and analog hardware.

Source: *AnalogNAS-Bench: A NAS Benchmark for Analog In-Memory Computing*, 2025, arXiv 2506.18495.

The package keeps its table as a pickle of records. It is read here without importing the package (which needs
`pkg_resources`, gone from current setuptools) and without trusting the pickle: see `inert_pickle`.
"""

from pathlib import Path
from typing import Any

import numpy as np

from nag_jax.evaluators.base import own_space
from nag_jax.evaluators.table import TableEvaluator
from nag_jax.objectives.metric import Metric
from nag_jax.spaces import Space
from nag_jax.spaces.nasbench201 import NASBench201
from nag_jax.system.inert_pickle import Opaque
from nag_jax.system.packaged import installed_file, not_the_table, read_pickle
from nag_jax.system.whole import whole_numbers

PACKAGE = "analog-nasbench"
_INSTALL = f"pip install '{PACKAGE}>=0.1.3,<0.2'"

ACCURACIES = ("baseline", "ptq", "qat", "noisy", "analog")
"""Float; quantised after and during training; with analog noise, trained without and with it."""
_TITLES = {"baseline": "CIFAR-10 accuracy"}
DRIFTS = tuple(
    f"{training}_drift_{seconds}" for training in ("baseline", "analog") for seconds in (60, 3600, 86400, 2592000)
)
"""Accuracy on analog hardware, so many seconds after programming."""

OPERATION_OF_CODE = np.array([1, 0, 3, 2, 4])
"""Index in `OPERATIONS` of the file's skip_connect, none, nor_conv_3x3, nor_conv_1x1, avg_pool_3x3."""
POSITION_OF_EDGE = np.array([0, 1, 3, 2, 4, 5])
"""Where the edges in official order (01, 02, 12, 03, 13, 23) are in the file's (01, 02, 03, 12, 13, 23)."""


def load(*, metric: str = "baseline", space: Space | None = None, average_twins: bool = False) -> TableEvaluator:
    """Reads the installed package's table: 15,625 cells, 13 accuracies, 8 spreads.

    Accuracies are CIFAR-10 test accuracies in %. Those after drift are means over repeated measurements, and
    each has its spread beside it as `<name>_std`: the standard deviation of an accuracy, so less is better.

    Args:
        metric: what to search by, one of `ACCURACIES`, `DRIFTS` or their spreads.
        space: NAS-Bench-201, which is the default.
        average_twins: whether architectures that compute the same thing get the mean of their labels.

    Raises:
        InputError: the package is missing or damaged, or there is no such metric, or the space is another.
    """
    own = own_space(space, NASBench201(), has="analog_nasbench has cells")
    ops, columns = read_records(find_file())
    return TableEvaluator(
        name="analog_nasbench",
        space=own,
        source="analog_nasbench",
        tokens=own.from_ops(ops),
        columns=columns,
        metrics={name: _metric(name) for name in columns},
        objective=metric,
        average_twins=average_twins,
    )


def find_file() -> Path:
    """The table inside the installed package.

    Raises:
        InputError: the package isn't installed.
    """
    return installed_file(PACKAGE, "analognasbench/data.anb", needed_by="evaluator analog_nasbench", install=_INSTALL)


def read_records(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Reads the package's pickle.

    Returns:
        Operations `[R, 6]` (indices into `nasbench201.OPERATIONS`, edges in the official order), and float64
        `[R]` in % for each metric.

    Raises:
        InputError: the file is missing or damaged, or holds anything but the records it should.
    """
    try:
        records = read_pickle(path)
        codes = whole_numbers(list(records), "operation codes").reshape(-1, 6)
        if codes.min() < 0 or codes.max() > 4:
            raise ValueError("an operation code is not in 0..4")
        cells = [_fields(record, "Architecture") for record in records.values()]
        columns = {name: _column(cells, f"{name}_accuracy") for name in ACCURACIES}
        for name in DRIFTS:
            drifts = [_fields(cell[name], "DriftMeasurement") for cell in cells]
            columns[name] = _column(drifts, "value")
            columns[f"{name}_std"] = _column(drifts, "uncertainty")
    except Exception as error:  # a damaged pickle may raise nearly anything
        raise not_the_table(path, error, package=PACKAGE, install=_INSTALL) from error
    return OPERATION_OF_CODE[codes[:, POSITION_OF_EDGE]], columns


def _fields(record: Any, name: str) -> dict[str, Any]:
    """The attributes of an object of one of the package's classes."""
    if not isinstance(record, Opaque) or record.name != f"analognasbench.data.{name}" or not record.made:
        raise ValueError(f"expected objects of {name}, found {type(record).__name__}")
    return dict(record.state)


def _column(rows: list[dict[str, Any]], field: str) -> np.ndarray:
    return np.fromiter((row[field] for row in rows), np.float64, len(rows))


def _metric(name: str) -> Metric:
    if name.endswith("_std"):
        return Metric(name, unit="% (std)", direction="min", split="test")
    return Metric(name, unit="%", direction="max", split="test", title=_TITLES.get(name, ""))
