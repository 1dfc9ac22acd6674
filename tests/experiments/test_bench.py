"""What the benchmarks share; what they measure takes too long for a test."""

import json

import jax
import jax.numpy as jnp
import pytest

from experiments.bench import machine, search_tables
from experiments.bench.products import Product, dense_products, flops, seconds_alone
from experiments.terminal import write_interval


def test_parts_that_are_not_run_are_kept_with_how_they_were_made(tmp_path):
    path = tmp_path / "results.json"
    machine.keep_parts(path, "python -m it", {"first": ("--seeds 2", lambda: [1.0]), "second": ("", lambda: [2.0])})
    known = machine.keep_parts(path, "python -m it", {"second": ("--seeds 3", lambda: [float("nan")])})
    assert known == json.loads(path.read_text())["parts"]
    assert {part: kept["found"] for part, kept in known.items()} == {"first": [1.0], "second": [None]}
    commands = [kept["about"]["command"] for kept in known.values()]
    assert commands == ["python -m it --parts first --seeds 2", "python -m it --parts second --seeds 3"]
    assert machine.keep_parts(path, "python -m it", {}) == known
    assert f"    {commands[0]}" in machine.made_by(known["first"]["about"])


def test_a_part_that_fails_loses_none_of_those_before_it(tmp_path):
    path = tmp_path / "results.json"

    def fails():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        machine.keep_parts(path, "it", {"first": ("", lambda: 1), "second": ("", fails)})
    assert list(json.loads(path.read_text())["parts"]) == ["first"]


def test_an_interval_of_one_seed_has_no_half_width():
    assert write_interval({"estimate": 1.0, "low": 0.5, "high": 1.5}) == "1.00 ± 0.50"
    assert write_interval({"estimate": 1.0, "low": None, "high": None}) == "1.00"
    assert write_interval({"estimate": 1.0, "low": float("nan"), "high": float("nan")}) == "1.00"


def test_products_are_those_of_dense_layers():
    """Nested calls are looked into, leading axes are rows, and products in batches don't count."""

    @jax.jit
    def layer(h):
        return jnp.tanh(h @ jnp.ones((4, 5)))

    def network(h):
        within = jnp.einsum("bid,bjd->bij", h, h)
        return layer(h).sum() + within.sum() + jnp.tensordot(h, jnp.ones((4, 2, 3)), 1).sum()

    products = dense_products(network, jnp.ones((2, 3, 4)))
    assert products == [Product(6, 4, 5), Product(6, 4, 6)]
    assert flops(products) == 2 * 6 * 4 * (5 + 6)
    assert seconds_alone(products, times=2) > 0.0


def test_searches_are_compared_by_labels_where_all_seeds_found_the_optimum():
    def strategy(labels):
        shares = {"median": labels[0], "quartiles": [labels[0]] * 2, "share_of_seeds_that_reached_it": 1.0}
        return {"reported_after": {}, "labels_to_optimum": {"by_seed": labels, **shares}}

    metric = {"metric": "accuracy", "best_of_table": 1.0}
    found = {
        "objective": metric,
        "reported": metric,
        "evaluator": "table",
        "seeds": 6,
        "initial": 1,
        "significance": {},
    }
    own, slower, never = [10.0, 11, 12, 13, 14, 15], [20.0, 22, 24, 26, 28, 30], [10.0, 11, 12, 13, 14, None]
    strategies = {"bo_nag": strategy(own), "bo_random": strategy(slower), "tpe": strategy(never)}
    *_, line = search_tables.task_table("cells", {**found, "git_commit": "0" * 40, "strategies": strategies})
    assert line.endswith("(Wilcoxon's p): bo_nag 12.5, bo_random 25.0 (0.031).")
    *_, line = search_tables.task_table(
        "cells", {**found, "git_commit": "0" * 40, "strategies": {"tpe": strategy(never)}}
    )
    assert "Wilcoxon" not in line
