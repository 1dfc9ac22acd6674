"""Settings of evaluators."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nag_jax.settings.names import DIRECTIONS, EVALUATORS, SPLITS
from nag_jax.system.fields import NOT_NEGATIVE, option, options_of_own

METRIC = "The metric to search by: the objective."


@dataclasses.dataclass(frozen=True)
class Evaluator:
    """An evaluator: a table, a command, costs by formula, or one of the user's own. Each takes the fields it knows."""

    name: str = option("analog_nasbench", "Where labels come from; docs/evaluators.md describes each.", EVALUATORS)
    path: str = option(
        "", "The file of the evaluators `table` and `nasbench101`, CSV or Parquet; the costs of the latter need none."
    )
    column: str = option(
        "", "The column of a table's architectures; empty is `arch`, or the only one whose strings are architectures."
    )
    dataset: str = option("", "The data set of the evaluator `nas_bench_graph`.")
    metric: str = option(
        "baseline",
        f"{METRIC} Empty is the evaluator's own choice: of `mobilenet_v3` the accuracy "
        "where its predictor is given; where there is none, constraints are all there is to generate for.",
    )
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
    average_repeats: bool = option(
        False, "Whether rows of a table that repeat an architecture, as of several seeds, become one with their means."
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
    accuracy_file: str = option("", "The file of once-for-all's accuracy predictor, of the evaluator `mobilenet_v3`.")
    latency_file: str = option("", "The file of measured latencies, of the evaluator `mobilenet_v3`.")
    device: str = option(
        "", "The device whose latency of that file is called `latency`; empty has one `latency_DEVICE` for each."
    )
    own: Mapping[str, Any] = options_of_own()
