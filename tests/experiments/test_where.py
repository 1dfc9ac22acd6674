"""Where generating pays: what the benchmark counts and says; the samplers have tests of their own."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.bench import where, where_cases, where_tables
from experiments.bench.sampling import half_fixed
from experiments.bench.sampling_figures import shares_of, variation
from nag_jax.spaces import DagSpace

SHARES = (0.05, 0.01, 0.001)


def row(share, family, hits, calls=30):
    return {"share": share, "family": family, "size": "", "calls": calls, "seconds": 0.1, "hits": hits, "above": hits}


def rows(**hits):
    names = {"guided": "guided", "filtering": "filtering"}
    return [row(share, names[name], n) for name, each in hits.items() for share, n in zip(SHARES, each, strict=True)]


@pytest.mark.parametrize(
    ("guided", "filtering", "words"),
    [
        ((0.5, 0.5, 0.5), (0.48, 0.46, 0.5), "nowhere"),
        ((0.5, 0.5, 0.5), (0.5, 0.2, 0.1), "from 0.01 on"),
        ((0.5, 0.5, 0.5), (0.5, 0.2, 0.5), "at 0.01"),
        ((0.5, 0.5, 0.5), (0.1, 0.2, 0.1), "everywhere"),
    ],
)
def test_the_line_beyond_which_a_sampler_loses(guided, filtering, words):
    budget = next(iter(where_tables.BUDGETS))
    assert where_tables.lost(rows(guided=guided, filtering=filtering), "filtering", budget) == words


def test_a_sampler_is_as_good_as_its_best_size_within_the_budget():
    few, many = list(where_tables.BUDGETS)[:2]
    both = [row(0.05, "filtering", 0.3, calls=32), row(0.05, "filtering", 0.2, calls=31)]
    both += [row(0.05, "filtering", 0.9, calls=200)]
    assert where_tables.best(both, 0.05, "filtering", few) is both[0]
    assert where_tables.best(both, 0.05, "filtering", many) is both[2]
    assert where_tables.lost(both[2:], "filtering", few) == ""


def test_seeds_are_averaged_by_sampler_and_size():
    found = where_tables.mean([rows(guided=(0.2, 0.4, 0.6)), rows(guided=(0.4, 0.4, 0.8))])
    assert [each["hits"] for each in found] == pytest.approx([0.3, 0.4, 0.7])


def test_hits_differ_are_above_the_target_and_keep_to_the_constraints():
    space = DagSpace("four", nodes={"a": ["x", "y"], "b": ["x", "y"]}, edges=[("a", "b")])
    unasked: Any = None
    case = where_cases.Case(
        space=space,
        generator=unasked,
        params=None,
        guidance=unasked,
        args={"target": 0.5},
        targets={},
        predict=lambda tokens: tokens.sum(axis=1).astype(float),
        hold=lambda tokens: tokens[:, 0] == 1,
    )
    tokens = np.array([[1, 1], [1, 1], [1, 0], [0, 1], [0, 0]], np.int32)
    assert where.figures(case, tokens) == {"within": 0.6, "above": 0.6, "hits": 0.4}


def test_rules_of_the_case_block_every_single_change():
    space = where_cases.declared("rules").space
    tokens = np.asarray(space.random(jax.random.key(0), 20))
    assert not np.asarray(jax.vmap(space.moves)(tokens)).any()


def test_modes_are_of_one_size_and_one_attracts_from_farther():
    space, predictor, modes = where_cases.declared("modes")
    assert modes is not None
    every = space.all_tokens()
    weights = jnp.zeros((space.num_nodes, space.num_classes), jnp.float32)
    values = np.asarray(predictor.apply(weights, space.encode(every), None))[:, 0, 0]
    near = values > -where_cases.REACH - 0.5
    assert len(set(np.bincount(modes(every[near])).tolist())) == 1
    far = every[(values < -where_cases.REACH - 0.5)]
    distances = np.stack([(far != mode).sum(axis=1) for mode in range(where_cases.CENTRES)])
    assert (values[values < -where_cases.REACH - 0.5] >= -distances[0]).all()


def test_half_of_the_nodes_are_fixed_and_enough_is_left():
    nodes, classes, fixed = half_fixed(np.random.default_rng(0))
    assert len(nodes) == len(classes) == len(fixed.split("; ")) == 3


def test_total_variation_of_what_was_drawn():
    shares = shares_of(np.array([[0, 0], [0, 0], [0, 1], [0, 0]]), np.array([[0, 0], [0, 1]]))
    assert shares.tolist() == [0.75, 0.25]
    assert variation(shares, np.array([0.5, 0.5])) == 0.25
