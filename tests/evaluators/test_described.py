"""What evaluators and spaces say of themselves where Python shows them."""

import pandas as pd
import pytest

import nag_jax
from nag_jax import evaluators, spaces
from nag_jax.evaluators.base import Unlabelled


@pytest.mark.parametrize("name", sorted(spaces.REGISTRY))
def test_spaces_say_their_name_and_size(name):
    shown = repr(spaces.make(name))
    assert shown.startswith(f"<space {name!r}: ")
    assert len(shown) < 120


def test_evaluators_say_objective_metrics_and_space(space):
    shown = repr(evaluators.make("analog_nasbench"))
    assert shown == (
        "<evaluator 'analog_nasbench': baseline, CIFAR-10 accuracy (%, max, test) of 21 metrics, "
        "15,625 architectures of 'nasbench201'>"
    )
    cells = spaces.make("nasbench201").to_native(space.from_index([0, 1]))
    frame = pd.DataFrame({"arch": [*cells, cells[0]], "acc": [1.0, 2.0, 3.0]})
    table = nag_jax.evaluator(frame, space, metric="acc", average_repeats=True)
    assert repr(table) == (
        "<evaluator 'table': acc (max), the data frame, 3 rows for 2 architectures of 'nasbench201'>"
    )

    def length(arch):
        return len(arch)

    assert repr(nag_jax.evaluator(length, space)).endswith(": value (max), architectures of 'nasbench201'>")
    assert (
        repr(Unlabelled(space)) == "<evaluator 'unlabelled': no objective of 0 metrics, architectures of 'nasbench201'>"
    )
    command = evaluators.make("command", command="cat", metric="acc", space=space)
    assert repr(command) == "<evaluator 'command': acc (max), architectures of 'nasbench201'>"


@pytest.mark.parametrize("name", ["accuracy", "CIFAR-10 accuracy", "baseline"])
def test_the_default_metric_is_found_by_what_it_is_called(name):
    evaluator = evaluators.make("analog_nasbench", metric=name)
    assert evaluators.objective(evaluator) == evaluator.metrics["baseline"]
    assert evaluators.objective(evaluator, name).label == "CIFAR-10 accuracy"  # pyright: ignore[reportOptionalMemberAccess]
