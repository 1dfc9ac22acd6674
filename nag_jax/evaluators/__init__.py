"""Evaluators: what an architecture is worth.

`REGISTRY` maps a name to the function that makes the evaluator; its keyword arguments are the options.
"""

import inspect

from nag_jax.errors import InputError
from nag_jax.evaluators import analog_nasbench, mobilenet_v3, nas_bench_graph, table_file
from nag_jax.evaluators.base import Evaluator, Metric
from nag_jax.evaluators.ledger import Ledger, Trial, read_trials
from nag_jax.evaluators.names import check_name

REGISTRY = {
    "analog_nasbench": analog_nasbench.load,
    "mobilenet_v3": mobilenet_v3.load,
    "nas_bench_graph": nas_bench_graph.load,
    "table": table_file.load,
}

__all__ = ["REGISTRY", "Evaluator", "Ledger", "Metric", "Trial", "make", "read_trials"]


def make(name: str, **options) -> Evaluator:
    """Makes the evaluator of that name.

    Args:
        name: a key of `REGISTRY`.
        **options: keyword arguments of the function there.

    Raises:
        InputError: no evaluator has that name, it has no such option or lacks one that it needs, or what the
            options point to is wrong.

    Example:
        >>> make("analog_nasbench", metric="qat").metrics["qat"].unit
        '%'
    """
    check_name(name, REGISTRY, "evaluator")
    parameters = inspect.signature(REGISTRY[name]).parameters
    for option in options:
        check_name(option, parameters, f"option of the evaluator {name!r}")
    for option, parameter in parameters.items():
        if parameter.default is parameter.empty and options.get(option) is None:
            raise InputError(f"the evaluator {name!r} needs the option {option!r}: give it one")
    return REGISTRY[name](**options)
