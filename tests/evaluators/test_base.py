import dataclasses

import pytest

from nag_jax.evaluators import Metric
from nag_jax.system.errors import InputError


def test_a_metric_says_everything_and_cannot_change():
    metric = Metric("latency", unit="ms", direction="min", split="none")
    assert (metric.name, metric.unit, metric.direction, metric.split) == ("latency", "ms", "min", "none")
    with pytest.raises(dataclasses.FrozenInstanceError):
        metric.unit = "s"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "value", "valid"), [("direction", "maximum", "max, min"), ("split", "tests", "'test'")]
)
def test_a_metric_refuses_what_it_does_not_know(field, value, valid):
    with pytest.raises(InputError, match=f"unknown {field} of the metric 'acc' '{value}'.*{valid}"):
        Metric("acc", **{field: value})
