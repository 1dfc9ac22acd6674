import types

import numpy as np
import pytest

from nag_jax import evaluators
from nag_jax.evaluators.reporting import reporting_view
from nag_jax.system.errors import InputError


@pytest.fixture
def table(table_path):
    return evaluators.make(
        "table", path=table_path, metric="measured_late", allow_failed=True, directions={"latency": "min"}
    )


def test_values_follow_the_order_asked(table):
    tokens = table.architectures()[[3, 0, 3]]
    assert reporting_view(table).values(tokens, "valid_acc").tolist() == [10.0, 93.5, 10.0]


def test_all_follows_architectures_and_is_a_copy(table):
    view = reporting_view(table)
    view.all("valid_acc")[:] = 0
    assert view.all("valid_acc").tolist() == [93.5, 89.5, 50.25, 10.0]
    np.testing.assert_array_equal(view.all("valid_acc"), table(table.architectures())["valid_acc"])


def test_best_follows_the_direction(table):
    view = reporting_view(table)
    assert view.best("valid_acc") == 93.5
    assert view.best("latency") == 1.0
    assert view.best_mean("valid_acc", 2) == 91.5
    assert view.best_mean("latency", 2) == pytest.approx((1.0 + 5.025) / 2)


def test_best_passes_over_failed_trials(table):
    view = reporting_view(table)
    assert view.best_mean("measured_late", 3) == pytest.approx((93.5 + 89.5 + 50.25) / 3)
    with pytest.raises(InputError, match="best 4 by 'measured_late': expected 1 to 3"):
        view.best_mean("measured_late", 4)


@pytest.mark.parametrize("k", [0, -1, 5])
def test_best_mean_refuses_a_k_outside_the_table(table, k):
    with pytest.raises(InputError, match=f"best {k} by 'valid_acc': expected 1 to 4"):
        reporting_view(table).best_mean("valid_acc", k)


def test_an_unknown_metric_is_refused_everywhere(table):
    view, tokens = reporting_view(table), table.architectures()
    asks = [view.all, view.best, lambda name: view.best_mean(name, 1), lambda name: view.values(tokens, name)]
    for ask in asks:
        with pytest.raises(InputError, match="'valid_ac': did you mean 'valid_acc'"):
            ask("valid_ac")


def test_an_architecture_outside_the_table_is_refused(table, space):
    with pytest.raises(InputError, match="has no architecture"):
        reporting_view(table).values(space.from_index([7]), "valid_acc")


def test_an_evaluator_without_a_table_is_refused():
    training = types.SimpleNamespace(name="train_cifar10", metrics={})
    with pytest.raises(InputError, match="'train_cifar10' has no table to report from"):
        reporting_view(training)  # type: ignore[arg-type]


def test_the_best_k_of_the_real_benchmark():
    view = reporting_view(evaluators.make("analog_nasbench"))
    assert view.best_mean("baseline", 500) == pytest.approx(93.3571, abs=0.0001)
    assert view.best_mean("baseline", 15625) == pytest.approx(view.all("baseline").mean())
