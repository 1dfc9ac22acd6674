"""The PyPI package nas-bench-graph: every NAS-Bench-Graph architecture, trained on nine graphs.

Source: Qin et al., *NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search*, NeurIPS 2022, arXiv 2206.09166.

The package keeps the table of a data set as a pickle: a dictionary by `Arch.valid_hash` of dictionaries, some of whose
numbers are NumPy scalars. It is read here without importing the package and without trusting the pickle: see
`inert_pickle`.
"""

from operator import itemgetter
from pathlib import Path

import numpy as np

from nag_jax.evaluators.base import own_space
from nag_jax.evaluators.table import TableEvaluator
from nag_jax.objectives.metric import Metric
from nag_jax.spaces import Space
from nag_jax.spaces.nasbench_graph import NASBenchGraph
from nag_jax.system.names import check_name
from nag_jax.system.packaged import installed_file, not_the_table, read_pickle

PACKAGE = "nas-bench-graph"
_REINSTALL = f"pip install '{PACKAGE}>=1.4,<2'"

DATASETS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")
_FIELDS = {
    "validation": ("valid_perf", 100.0),
    "test": ("perf", 100.0),
    "latency": ("latency", 1000.0),
    "parameters": ("para", 1.0),
}
"""The package's name of each metric, and what brings its numbers into our unit."""


def load(*, dataset: str, metric: str = "validation", space: Space | None = None) -> TableEvaluator:
    """Reads one data set of the installed package: 26,206 architectures, on proteins 2,021.

    All numbers are means over three trainings with different seeds, one number per training:

    * `validation` and `test`: accuracy in %, on proteins ROC-AUC in %; the package's `valid_perf` and `perf`. It
      does not say of which epoch; figures by epoch are in its full records, a download of their own. A training's
      validation figure has three decimals as a fraction, so ties are common. The two may rank architectures quite
      differently (Spearman .50 on proteins, .54 on pubmed): search by the first and report the second.
    * `latency`: in ms. The package does not name a unit; its numbers can only be seconds.
    * `parameters`: in millions. On physics 4 % of the means are not whole, so those trainings differed in size.

    Each architecture that the package has stands for all that are the same by `canonical`. On proteins it has those of
    gcn, sage, arma, fc and skip only; `covers` tells.

    Args:
        dataset: one of `DATASETS`.
        metric: what to search by: `"validation"`, `"test"`, `"latency"` or `"parameters"`.
        space: NAS-Bench-Graph, which is the default.

    Raises:
        InputError: the package is missing or damaged, or there is no such data set or metric, or the space is another.
    """
    check_name(dataset, DATASETS, "data set of nas_bench_graph")
    own = own_space(space, NASBenchGraph(), has="nas_bench_graph has architectures")
    tokens, columns = read_records(find_file(dataset), own)
    return TableEvaluator(
        name="nas_bench_graph",
        space=own,
        source=f"nas_bench_graph, {dataset}",
        tokens=tokens,
        columns=columns,
        metrics=_metrics("% ROC-AUC" if dataset == "proteins" else "%"),
        objective=metric,
        one_a_class=True,
    )


def find_file(dataset: str) -> Path:
    """The table of a data set inside the installed package.

    Raises:
        InputError: the package isn't installed.
    """
    path = f"nas_bench_graph/light/{dataset}.bench"
    install = "pip install 'nag-jax[graphs]'"
    return installed_file(PACKAGE, path, needed_by="evaluator nas_bench_graph", install=install)


def read_records(path: Path, space: NASBenchGraph) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Reads one of the package's pickles.

    Returns:
        Tokens int32 `[R, 5]`, one architecture per class, and float64 `[R]` for each metric.

    Raises:
        InputError: the file is missing or damaged, or holds anything but the records it should.
    """
    try:
        records = read_pickle(path)
        tokens = space.from_keys(list(records))
        columns = {
            metric: scale * np.fromiter(map(itemgetter(field), records.values()), np.float64, len(records))
            for metric, (field, scale) in _FIELDS.items()
        }
        if not len(tokens):
            raise ValueError("it has no records")
    except Exception as error:  # a damaged pickle may raise nearly anything
        raise not_the_table(path, error, package=PACKAGE, install=_REINSTALL) from error
    return tokens, columns


def _metrics(performance_unit: str) -> dict[str, Metric]:
    metrics = (
        Metric("validation", unit=performance_unit, direction="max", split="validation"),
        Metric("test", unit=performance_unit, direction="max", split="test"),
        Metric("latency", unit="ms", direction="min"),
        Metric("parameters", unit="M", direction="min"),
    )
    return {metric.name: metric for metric in metrics}
