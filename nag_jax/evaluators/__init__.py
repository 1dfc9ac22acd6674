"""Evaluators: what an architecture is worth.

`REGISTRY` maps a name to the function that makes the evaluator; its keyword arguments are the options.
"""

import inspect

from nag_jax.evaluators import (
    analog_nasbench,
    command,
    latency,
    mobilenet_v3,
    nas_bench_graph,
    nasbench101,
    proxies,
    table_file,
    trained,
)
from nag_jax.evaluators.base import Evaluator, Outcome, objective
from nag_jax.objectives.metric import Metric
from nag_jax.system.errors import InputError, quoted
from nag_jax.system.names import check_name
from nag_jax.system.options import find, is_own

REGISTRY = {
    "analog_nasbench": analog_nasbench.load,
    "command": command.load,
    "latency": latency.load,
    "mobilenet_v3": mobilenet_v3.load,
    "nas_bench_graph": nas_bench_graph.load,
    "nasbench101": nasbench101.load,
    "proxies": proxies.load,
    "table": table_file.load,
    "trained": trained.load,
}

__all__ = [
    "REGISTRY",
    "Evaluator",
    "Metric",
    "Outcome",
    "make",
    "objective",
    "of_metric",
]


def make(name: str, **options) -> Evaluator:
    """Makes the evaluator of that name.

    Args:
        name: a key of `REGISTRY`, or `FILE.py:NAME` of a function or class of your own.
        **options: keyword arguments of the function there.

    Raises:
        InputError: no evaluator has that name, it has no such option or lacks one that it needs, or what the
            options point to is wrong.

    Example:
        >>> make("analog_nasbench", metric="qat").metrics["qat"].unit
        '%'
    """
    if not is_own(name):
        check_name(name, REGISTRY, "evaluator")
    load = find("evaluator", name, REGISTRY)
    parameters = inspect.signature(load).parameters
    for option in options:
        check_name(option, parameters, f"option of the evaluator {quoted(name)}")
    for option, parameter in parameters.items():
        if parameter.default is parameter.empty and options.get(option) is None:
            raise InputError(f"the evaluator {quoted(name)} needs the option {quoted(option)}: give it one")
    return load(**options)


def of_metric(metric: str, **facts: str | None) -> dict[str, dict[str, str]]:
    """What is known of one metric as the options of evaluators that don't know it themselves.

    Args:
        metric: its name.
        **facts: its direction, unit and split; None or empty counts as left out.

    Example:
        >>> of_metric("latency", direction="min", unit="ms", split="")
        {'directions': {'latency': 'min'}, 'units': {'latency': 'ms'}}
    """
    return {f"{fact}s": {metric: value} for fact, value in facts.items() if value}
