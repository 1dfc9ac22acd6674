"""The task `front`: kinds of objectives, refusals, and a whole small run."""

import dataclasses
import types
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from configs import nb201_pareto
from nag_jax import spaces, tasks
from nag_jax.objectives.fronts import Box
from nag_jax.predictors.labels import normalize_each
from nag_jax.reports import fronts, outcomes
from nag_jax.settings.config import from_config
from nag_jax.strategies.surrogates.costs import of_costs
from nag_jax.system.errors import InputError
from nag_jax.tasks import front
from nag_jax.tasks.known import FORMULA, MEASURED, PAID, fit_sum, learn_objective
from nag_jax.tasks.workdir import Workdir

SPACE = spaces.NASBench201()


@pytest.fixture
def latencies(tmp_path):
    """A table of latencies that add up, but for a little."""
    tokens = SPACE.all_tokens()
    cost = SPACE.costs()["macs"].of(tokens) / 1e7 + 0.01 * np.random.default_rng(0).normal(size=len(tokens))
    path = tmp_path / "latency.csv"
    pd.DataFrame({"arch": SPACE.to_native(tokens), "latency": cost}).to_csv(path, index=False)
    return path


def settings(**changes) -> Any:
    """The smoke config with other fields."""
    config = nb201_pareto.get_config("smoke")
    config.update_from_flattened_dict(changes)
    return from_config(config)


def measured(path):
    """The fields by which latencies are measured."""
    return {
        "measure.name": "table",
        "measure.path": str(path),
        "measure.metric": "latency",
        "objectives": ("baseline", "latency", "params"),
    }


def test_kinds_follow_from_where_values_come_from(tmp_path, latencies):
    run = front.check(settings(**measured(latencies)), Workdir(tmp_path / "run"))
    assert run.kinds == (PAID, MEASURED, FORMULA)
    assert [metric.direction for metric in run.metrics] == ["max", "min", "min"]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"objectives": ("baseline",)}, "two or more"),
        ({"objectives": ("baseline", "latency")}, "unknown objective 'latency'"),
        ({"objectives": ("baseline", "baseline")}, "names one twice"),
        ({"aims.bounds": "baseline <= 80"}, "write it with >="),
        ({"aims.bounds": "qat >= 80"}, "use some of baseline"),
        ({"aims.shares": (0.5, 0.1)}, "two shares in order"),
        ({"labels.training": 20_000}, "architectures that differ"),
    ],
)
def test_refusals_come_before_anything_is_paid(tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        front.check(settings(**changes), Workdir(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_sum_tells_its_error_on_what_it_was_not_fitted_to():
    tokens = np.asarray(SPACE.random(jax.random.key(0), 300))
    exact = SPACE.costs()["macs"].of(tokens) / 1e6
    found = fit_sum(SPACE, tokens, exact + np.random.default_rng(0).normal(size=len(tokens)))
    assert found.error == pytest.approx(1.0, rel=0.3)
    assert found.spearman > 0.98
    assert np.corrcoef(found.cost.of(tokens), exact)[0, 1] > 0.999


def test_costs_equal_the_table_s(shared):
    table = pd.read_csv(shared / "data" / "nb201_cifar.csv")
    tokens = SPACE.from_native(table["arch"].tolist())
    assert np.array_equal(SPACE.costs()["params"].of(tokens), table["cifar10_params"])


@pytest.mark.parametrize(
    ("device", "least"),
    [("1080ti_256", 0.98), ("titan_rtx_32", 0.98), ("gold_6226", 0.98), ("fpga", 0.98), ("eyeriss", 0.98)],
)
def test_latencies_of_servers_and_simulators_add_up(shared, device, least):
    table = pd.read_csv(shared / "data" / "nb201_latency_ms.csv")
    tokens = SPACE.from_native(pd.read_csv(shared / "data" / "nb201_cifar.csv", usecols=["arch"])["arch"].tolist())
    values = table[device].to_numpy()
    rows = np.random.default_rng(0).choice(len(tokens), 100, replace=False)
    found = fit_sum(SPACE, tokens[rows], values[rows]).cost.of(tokens)
    assert pd.Series(found).corr(pd.Series(values), method="spearman") >= least


@pytest.mark.parametrize("device", ["pixel3", "raspi4"])
def test_latencies_of_phones_are_a_sum_and_what_that_leaves_out(shared, device):
    table = pd.read_csv(shared / "data" / "nb201_latency_ms.csv")
    tokens = SPACE.from_native(pd.read_csv(shared / "data" / "nb201_cifar.csv", usecols=["arch"])["arch"].tolist())
    good = table[device].to_numpy() >= 0.1
    tokens, values = tokens[good], table[device].to_numpy()[good]
    rows = np.random.default_rng(0).choice(len(tokens), 100, replace=False)
    model = of_costs(SPACE)
    learned = learn_objective(model, SPACE, tokens[rows], normalize_each(values[rows, None], "z")[0][:, 0])
    predict = jax.jit(lambda learned, tokens: model.predict(learned, SPACE.encode(tokens))[0])
    found = np.asarray(predict(learned, tokens[:4096]))
    assert pd.Series(found).corr(pd.Series(values[:4096]), method="spearman") >= 0.92


def test_the_oracle_draws_by_what_the_space_draws_by(monkeypatch):
    near = SPACE.to_native(SPACE.all_tokens()[4242:4243])[0]
    part, n = spaces.restrict(SPACE, near=near, changes=1.0), 4000
    flat = types.SimpleNamespace(
        predict=lambda tokens: (np.zeros((len(tokens), 2)), np.ones((len(tokens), 2))), to_units=lambda means: means
    )
    aims = {"aims": np.zeros((3, 2), np.float32), "softness": np.zeros(2, np.float32)}
    monkeypatch.setattr(fronts, "aim_at", lambda *given: aims)
    config = types.SimpleNamespace(num_samples=n, seed=0, aims=types.SimpleNamespace(rule="achievement"))
    outcome: Any = types.SimpleNamespace(
        run=types.SimpleNamespace(space=part, config=config),
        learned=types.SimpleNamespace(known=flat, reference=None, spread=None),
        box=Box(np.full(2, -1.0), np.ones(2)),
    )
    drawn = fronts.oracle(outcome)["exact tilt"].tokens
    changes = (drawn != SPACE.from_native([near])).sum(axis=1).mean()
    assert changes == pytest.approx(1.0, abs=0.1)


@pytest.mark.slow
def test_a_run_pays_in_two_currencies_and_goes_on(tmp_path, latencies):
    config = settings(**measured(latencies))
    task = tasks.choose(config)
    outcome = task.run(task.check(config, Workdir(tmp_path / "run")))
    results = outcomes.write(outcome)
    assert results["labels"]["by_purpose"]["training"] == 40
    assert results["front"]["measurements"]["by_purpose"]["training"] == 30
    assert results["pools"]["guided"]["validity_argmax"] == 1.0
    assert 0 < results["pools"]["guided"]["hypervolume_share"] <= 1
    assert (tmp_path / "run" / "report.html").exists()
    tokens, final_values = outcome.pools["guided"].tokens, outcome.final_values
    del outcome  # whose workdir is locked
    again = task.run(task.check(config, Workdir(tmp_path / "run")))
    assert np.array_equal(again.pools["guided"].tokens, tokens)
    assert np.array_equal(again.final_values, final_values)
    for rule in ("epsilon_constraint", "linear_sum"):
        other = dataclasses.replace(config, aims=dataclasses.replace(config.aims, rule=rule))
        found = task.run(task.check(other, Workdir(tmp_path / rule)))
        assert found.pools["guided"].valid.all()
