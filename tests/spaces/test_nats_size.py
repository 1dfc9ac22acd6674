"""NATS-Bench's size space: its strings, its costs against the benchmark's own, and its network."""

import jax
import numpy as np
import pandas as pd
import pytest

from nag_jax import evaluators, spaces
from nag_jax.guidance.constraints import Constraints, parse
from nag_jax.system.errors import InputError


@pytest.fixture(scope="module")
def space():
    return spaces.make("nats_size")


def test_parameters_of_some_networks_are_those_of_the_benchmark(space):
    known = {"8:8:8:8:8": 11_714, "8:8:8:8:16": 18_386}
    assert space.costs()["params"].of(space.from_native(list(known))).tolist() == list(known.values())


def test_parameters_of_all_networks_are_those_of_the_benchmark(space, shared):
    frame = pd.read_csv(shared / "data" / "nats_size_cifar.csv")
    params = space.costs()["params"].of(space.from_native(frame.arch.tolist()))
    assert len(frame) == space.size
    np.testing.assert_array_equal(np.round(params / 1e6, 6), frame.params_m)


@pytest.mark.parametrize("native", ["8:8:8:8:8", "64:8:16:24:32"])
def test_the_network_has_the_parameters_that_the_formula_says(space, native):
    tokens = space.from_native([native])
    assert space.blueprint(tokens[0]).num_params() == space.costs()["params"].of(tokens)[0]


@pytest.mark.parametrize(
    "native", ["", "8:8:8:8", "8:8:8:8:8:8", "8:8:8:8:12", "8:8:8:8:72", "8:8:8:8:-8", "8:8:8:8:٨"]
)
def test_what_is_no_network_is_refused(space, native):
    with pytest.raises(InputError, match=r"^row 1: .* is not a network of NATS-Bench; expected 5 widths of \[8, 16"):
        space.from_native(["8:8:8:8:8", native])


@pytest.mark.parametrize("name", ["params", "macs"])
def test_moments_are_those_of_independent_layers(space, name):
    cost, rng = space.costs()[name], np.random.default_rng(0)
    p = rng.dirichlet(np.ones(8), (1, 5)).astype(np.float32)
    mean, variance = (np.asarray(part)[0] for part in cost.moments(space, p, 1e5))
    tokens = space.all_tokens()
    costs = cost.of(tokens) / 1e5
    weights = p[0][np.arange(5), tokens].prod(axis=1, dtype=float)
    for node, token in ((0, 0), (2, 5), (4, 7)):
        held = tokens[:, node] == token
        expected = np.average(costs[held], weights=weights[held])
        spread = np.average((costs[held] - expected) ** 2, weights=weights[held])
        assert mean[node, token] == pytest.approx(expected, rel=1e-4)
        assert variance[node, token] == pytest.approx(spread, rel=1e-3)


def test_relaxed_costs_are_the_costs_of_networks(space):
    tokens = np.asarray(space.random(jax.random.key(0), 20))
    for cost in space.costs().values():
        np.testing.assert_allclose(cost.relaxed(space.encode(tokens)), cost.of(tokens), rtol=1e-5)


def test_budgets_that_nothing_keeps_to_are_refused(space):
    budget = Constraints(space, space.costs(), parse("params <= 50e3; macs >= 1e6"))
    held = budget.hold(space.all_tokens())
    assert 0 < held.sum() < space.size
    with pytest.raises(InputError, match="reaches from"):
        Constraints(space, space.costs(), parse("params <= 50e3; macs >= 100e6"))


def test_the_benchmarks_table_is_read(space, shared):
    path = shared / "data" / "nats_size_cifar.csv"
    evaluator = evaluators.make("table", path=path, metric="cifar10_test_acc", space=space)
    assert evaluator.num_distinct == 32_768
    assert evaluator(space.from_native(["8:8:8:8:8"]))["cifar10_test_acc"].tolist() == [79.79]
