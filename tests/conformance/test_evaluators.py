"""The contract of an evaluator, over the whole registry.

An evaluator is made with no more than the options that it can't do without. A new one that needs other options than
these must be told here what to get.
"""

import inspect
import shlex
import sys

import jax
import numpy as np
import pytest

from nag_jax import evaluators, spaces
from nag_jax.datasets.examples.parts import examples, split
from nag_jax.evaluators import Metric
from nag_jax.spaces import Space
from nag_jax.spaces.distinct import distinct_rows
from nag_jax.system.errors import InputError
from nag_jax.training.recipe import Recipe
from nag_jax.trials import Ledger

B = 7
TINY = {"channels": 2, "cells": 1, "stages": 1}
"""Sizes of networks that are trained."""


@pytest.fixture(scope="module")
def table_path(tmp_path_factory):
    """A small table of real cells, for evaluators that read one."""
    source = evaluators.make("analog_nasbench")
    tokens = spaces.make("nasbench201").all_tokens()[::37]
    labels = source(tokens)["baseline"]
    path = tmp_path_factory.mktemp("table") / "cells.csv"
    rows = [f"{arch},{labels[i]},{i + 0.5}" for i, arch in enumerate(source.space.to_native(tokens))]
    path.write_text("\n".join(["arch,test_acc,latency", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """A command that gives the mean of the tokens."""
    script = tmp_path_factory.mktemp("command") / "evaluate.py"
    script.write_text(
        "import json, sys\ntokens = json.load(sys.stdin)['tokens']\n"
        "print(json.dumps({'test_acc': sum(tokens) / len(tokens)}))\n"
    )
    return shlex.join([sys.executable, "-S", str(script)])


@pytest.fixture(scope="module")
def make(table_path, command):
    """Makes an evaluator by name with what it needs; keyword arguments are further options."""
    noise = np.random.default_rng(0).standard_normal((24, 4, 4))
    recipe = Recipe(epochs=2, batch_size=8, warmup_epochs=0)
    known = {
        "path": table_path,
        "metric": "test_acc",
        "dataset": "cora",
        "command": command,
        "data": split(examples("noise", noise, np.arange(24) % 2)),
        "recipe": recipe,
        "sizes": TINY,
    }

    def make(name, **options):
        parameters = inspect.signature(evaluators.REGISTRY[name]).parameters
        needed = [option for option in parameters if parameters[option].default is inspect.Parameter.empty]
        assert set(needed) <= set(known), f"tell this test what to give {name!r}"
        return evaluators.make(name, **{option: known[option] for option in needed} | options)

    return make


@pytest.fixture(scope="module", params=sorted(evaluators.REGISTRY))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def evaluator(make, name):
    return make(name)


@pytest.fixture(scope="module")
def known(evaluator):
    """The architectures that it covers, of the whole space or of a sample."""
    space = evaluator.space
    tokens = space.all_tokens() if space.size <= 10**6 else np.asarray(space.random(jax.random.key(0), 10_000))
    return tokens[evaluator.covers(tokens)]


@pytest.fixture(scope="module")
def tokens(evaluator, known):
    """A few of them that compute different things."""
    first = distinct_rows(evaluator.space.canonical(known))
    return known[first[:: len(first) // B][:B]]


def assert_equal(found, expected):
    assert list(found) == list(expected)
    for metric in expected:
        np.testing.assert_array_equal(found[metric], expected[metric])


def assert_repeated(evaluator, found, expected):
    """The same values, or values of the same kind where an evaluator says that it measures anew."""
    if not getattr(evaluator, "noisy", False):
        assert_equal(found, expected)
        return
    assert list(found) == list(expected)
    for metric in expected:
        assert found[metric].shape == expected[metric].shape
        assert np.isfinite(found[metric]).all()


def test_it_says_what_it_is(evaluator, name):
    assert evaluator.name == name
    assert isinstance(evaluator.space, Space)
    assert isinstance(evaluator.batch_size, int)
    assert evaluator.batch_size >= 1


def test_metrics_say_name_unit_direction_and_split(evaluator):
    assert evaluator.metrics
    for key, metric in evaluator.metrics.items():
        assert isinstance(metric, Metric)
        assert metric.name == key
        assert isinstance(metric.unit, str)
        assert metric.direction in ("max", "min")
        assert metric.split in ("train", "validation", "test", "none")


def test_a_call_gives_every_metric_as_floats(evaluator, tokens):
    labels = evaluator(tokens)
    assert list(labels) == list(evaluator.metrics)
    for values in labels.values():
        assert isinstance(values, np.ndarray)
        assert (values.shape, values.dtype) == ((B,), np.float64)
        assert not np.isinf(values).any()  # a failed trial is NaN


def test_labels_belong_to_architectures_not_to_places(evaluator, tokens):
    labels = evaluator(tokens)
    assert_repeated(evaluator, evaluator(tokens), labels)
    order = np.array([3, 0, 6, 2, 1, 5, 4])
    for rows in (order, [2], [1, 1]):
        found = evaluator(tokens[np.array(rows)])
        assert_repeated(evaluator, found, {metric: values[rows] for metric, values in labels.items()})


def test_tokens_and_labels_are_the_callers(evaluator, tokens):
    """Neither does a call write into its input, nor does writing into its output change the next."""
    before = tokens.copy()
    labels = evaluator(tokens)
    np.testing.assert_array_equal(tokens, before)
    kept = {metric: values.copy() for metric, values in labels.items()}
    for values in labels.values():
        values[:] = -1.0
    assert_repeated(evaluator, evaluator(tokens), kept)


def test_the_fingerprint_is_that_of_the_content(evaluator, make, name, tokens):
    assert isinstance(evaluator.fingerprint, str)
    assert len(evaluator.fingerprint) >= 8
    again = make(name)
    assert again.fingerprint == evaluator.fingerprint
    again(tokens)
    assert again.fingerprint == evaluator.fingerprint
    assert_repeated(evaluator, again(tokens), evaluator(tokens))


def test_fingerprints_tell_evaluators_apart(make):
    fingerprints = {make(name).fingerprint for name in evaluators.REGISTRY}
    assert len(fingerprints) == len(evaluators.REGISTRY)


def test_it_says_for_free_what_it_covers(evaluator, known, tokens):
    assert evaluator.covers(tokens).tolist() == [True] * B
    assert evaluator.num_distinct >= B
    if evaluator.space.size <= 10**6:
        assert evaluator.num_distinct == len(np.unique(evaluator.space.canonical(known)))


def test_a_ledger_stores_what_it_gives_once(evaluator, tokens, tmp_path):
    with Ledger.open(tmp_path / "trials.db", evaluator) as ledger:
        stored = ledger.label(tokens, "conformance")
        assert ledger.num_paid == B
        assert_equal(ledger.label(tokens, "again"), stored)
        assert ledger.num_paid == B
    assert_repeated(evaluator, stored, evaluator(tokens))


def test_an_unknown_metric_gets_the_metrics(make, name, evaluator):
    if "metric" not in inspect.signature(evaluators.REGISTRY[name]).parameters:
        pytest.skip(f"{name} has no metric to choose")
    if name == "command":
        pytest.skip("what a command prints is only known once it has run")
    with pytest.raises(InputError, match="'accurracy'") as error:
        make(name, metric="accurracy")
    assert "\n" not in str(error.value)
    assert all(metric in str(error.value) for metric in evaluator.metrics)


def test_an_unknown_option_gets_the_options(make, name):
    with pytest.raises(InputError, match=f"unknown option of the evaluator {name!r} 'widht'") as error:
        make(name, widht=3)
    assert all(option in str(error.value) for option in inspect.signature(evaluators.REGISTRY[name]).parameters)


def test_an_unknown_name_gets_the_names():
    with pytest.raises(InputError, match="unknown evaluator 'oracle'") as error:
        evaluators.make("oracle")
    assert all(known in str(error.value) for known in evaluators.REGISTRY)


def test_a_gap_in_a_table_is_an_error_or_a_failed_trial(table_path, tmp_path):
    path = tmp_path / "gap.csv"
    lines = table_path.read_text().splitlines()
    arch, _, latency = lines[3].split(",")
    lines[3] = f"{arch},,{latency}"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"line 4: the label 'test_acc' is nan.*allow_failed=True"):
        evaluators.make("table", path=path, metric="test_acc")
    evaluator = evaluators.make("table", path=path, metric="test_acc", allow_failed=True)
    labels = evaluator(evaluator.space.from_native([line.split(",")[0] for line in lines[1:]]))
    assert np.nonzero(np.isnan(labels["test_acc"]))[0].tolist() == [2]
    assert np.isfinite(labels["latency"]).all()
