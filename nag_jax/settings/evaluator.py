"""Settings of evaluators."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nag_jax.settings.names import DIRECTIONS, EVALUATORS, SPLITS
from nag_jax.system.fields import NOT_NEGATIVE, option, options_of_own

METRIC = "The metric to search by: the objective."


@dataclasses.dataclass(frozen=True)
class Evaluator:
    """An evaluator: a table, a command, or one of the user's own."""

    name: str = option("analog_nasbench", "Where labels come from; docs/evaluators.md describes each.", EVALUATORS)
    path: str = option("", "The file of the evaluator `table`, CSV or Parquet.")
    dataset: str = option("", "The data set of the evaluator `nas_bench_graph`.")
    metric: str = option("baseline", METRIC)
    direction: str = option(
        "",
        "Whether more or less of a table's or a command's metric is better; empty is max.",
        DIRECTIONS,
    )
    unit: str = option("", "The unit of a table's or a command's metric, for reports.")
    split: str = option(
        "",
        "The data that a table's or a command's metric was measured on; empty reads it off the metric's name.",
        SPLITS,
    )
    allow_failed: bool = option(False, "Whether empty labels of a table are failed trials instead of errors.")
    average_twins: bool = option(
        False, "Whether architectures of a table that compute the same thing get the mean of their labels."
    )
    command: str = option(
        "", "The shell command that reads an architecture as JSON and prints its metrics; see docs/extending.md."
    )
    metrics: str = option(
        "",
        "Metrics that the command prints beside the objective, or what is known of a table's other columns, as "
        "`latency:min:ms, test_accuracy:max:%:test`.",
    )
    timeout: float = option(0.0, "How many seconds a command may take; 0 sets no limit.", NOT_NEGATIVE)
    retries: int = option(0, "How often a failed command is tried again.", NOT_NEGATIVE)
    workers: int = option(0, "How many commands run at the same time; 0 is one.", NOT_NEGATIVE)
    own: Mapping[str, Any] = options_of_own()


@dataclasses.dataclass(frozen=True)
class MobileNetEvaluator:
    """Costs of once-for-all's networks, and with its files their accuracy and latency."""

    name: str = option("mobilenet_v3", "Where labels come from.", EVALUATORS)
    metric: str = option("", f"{METRIC} Empty is the accuracy where its predictor is given, and nothing where not.")
    accuracy_file: str = option("", "The file of once-for-all's accuracy predictor.")
    latency_file: str = option("", "The file of measured latencies.")
    device: str = option("", "The device whose latency is called `latency`; empty has one `latency_DEVICE` for each.")
    own: Mapping[str, Any] = options_of_own()


@dataclasses.dataclass(frozen=True)
class NASBench101Evaluator:
    """Costs of NAS-Bench-101's cells, and with a table their labels."""

    name: str = option("nasbench101", "Where labels come from.", EVALUATORS)
    path: str = option("", "The file of a table of cells, CSV or Parquet, by string or digest; costs need none.")
    metric: str = option("", f"{METRIC} Empty for none, where constraints are all there is to generate for.")
    direction: str = option("", "Whether more or less of the metric is better; empty is max.", DIRECTIONS)
    unit: str = option("", "The unit of the metric, for reports.")
    split: str = option("", "The data that the metric was measured on; empty reads it off the metric's name.", SPLITS)
    metrics: str = option("", "What is known of the table's other columns, as `latency:min:ms`.")
    allow_failed: bool = option(False, "Whether empty labels of a table are failed trials instead of errors.")
    own: Mapping[str, Any] = options_of_own()
