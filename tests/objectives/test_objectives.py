import numpy as np
import pytest

from nag_jax.objectives import Metric, Objectives
from nag_jax.objectives import utility as utilities
from nag_jax.system.errors import InputError

ACCURACY, LATENCY = Metric("accuracy", unit="%"), Metric("latency", unit="ms", direction="min")
LABELS = {"accuracy": [90.0, 92.0, np.nan], "latency": [4.0, 6.0, 1.0], "size": [1.0, 2.0, 3.0]}


def both(name="weighted_sum", **options):
    return Objectives((ACCURACY, LATENCY), utilities.make(name, 2, **options))


def test_one_objective_is_its_own_utility():
    objectives = Objectives((LATENCY,))
    values = objectives.of(LABELS)
    assert (objectives.metric, objectives.is_single, len(objectives)) == (LATENCY, True, 1)
    np.testing.assert_array_equal(values, [[-4.0], [-6.0], [-1.0]])
    np.testing.assert_array_equal(objectives.utilities(values), [-4.0, -6.0, -1.0])
    np.testing.assert_array_equal(objectives.worth(values), LABELS["latency"])


def test_several_are_in_order_and_what_fails_in_one_has_no_utility():
    objectives = both(weights=(1.0, 0.5))
    values = objectives.of(LABELS)
    np.testing.assert_array_equal(values, [[90.0, -4.0], [92.0, -6.0], [np.nan, -1.0]])
    np.testing.assert_array_equal(objectives.worth(values), [88.0, 89.0, np.nan])
    assert objectives.metric == Metric("utility")
    np.testing.assert_array_equal(objectives.in_units(values)["latency"], LABELS["latency"])


def test_labels_of_one_architecture_after_the_other_are_the_same():
    rows = [{name: column[i] for name, column in LABELS.items()} for i in range(3)]
    np.testing.assert_array_equal(both(weights=(1.0, 1.0)).of_each(rows), both(weights=(1.0, 1.0)).of(LABELS))
    assert both(weights=(1.0, 1.0)).of_each([]).shape == (0, 2)


def test_chebyshev_finds_what_a_weighted_sum_cannot():
    """Three architectures of a front that bends inward: no weights make the middle one the best of a sum."""
    values = np.array([[0.0, 1.0], [0.4, 0.4], [1.0, 0.0]])
    sums = [both(weights=(w, 1.0 - w)).utilities(values) for w in np.linspace(0.0, 1.0, 21)]
    assert all(np.argmax(found) != 1 for found in sums)
    assert np.argmax(both("chebyshev", weights=(1.0, 1.0), ideal=(1.0, 1.0)).utilities(values)) == 1


def test_several_without_a_utility_are_refused():
    with pytest.raises(InputError, match="of one objective, found 2: use 'weighted_sum'"):
        Objectives((ACCURACY, LATENCY))


def test_a_metric_comes_once():
    with pytest.raises(InputError, match="'accuracy' comes twice"):
        Objectives((ACCURACY, ACCURACY), utilities.make("weighted_sum", 2, weights=(1.0, 1.0)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def make(): return 3", "must be a function"),
        ("def make(): return lambda values: values", r"must make values \[2, 3\]"),
    ],
)
def test_a_utility_of_your_own_is_tried_when_it_is_made(text, message, tmp_path):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(InputError, match=message):
        utilities.make(f"{tmp_path / 'mine.py'}:make", 2)
