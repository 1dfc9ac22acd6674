"""Latencies: the protocol of the clock, and that a longer network takes longer."""

import itertools

import numpy as np
import pytest

from nag_jax import evaluators
from nag_jax.system.errors import InputError
from nag_jax.training.latency import Protocol, timed
from nag_jax.trials import Ledger


def test_the_median_of_rounds_counts_and_warming_up_does_not():
    calls = []
    steps = itertools.chain([0.0], itertools.accumulate([4.0, 0.0, 1.0, 0.0, 1.0, 0.0, 9.0, 0.0, 1.0]))
    found = timed(lambda: calls.append(1), Protocol(warmup=2, rounds=5, seconds=0.5), lambda: next(steps))
    assert found.median == 1000.0
    assert found.spread == 3000.0
    assert len(calls) == 2 + 5


def test_short_calls_follow_each_other_until_the_round_is_over():
    calls = []
    found = timed(lambda: calls.append(1), Protocol(warmup=0, rounds=1, seconds=1.0), lambda: 0.25 * len(calls))
    assert len(calls) == 4
    assert found.median == 250.0


def test_numbers_that_can_not_be_are_refused():
    with pytest.raises(InputError, match="batch and rounds of at least 1"):
        Protocol(batch=0)


def test_more_convolutions_on_more_images_take_longer(striped):
    evaluator = evaluators.make("latency", data=striped, sizes={"channels": 8, "cells": 2, "stages": 1}, batch=256)
    one = "|{0}~0|+|{0}~0|{0}~1|+|{0}~0|{0}~1|{0}~2|"
    tokens = evaluator.space.from_native([one.format(name) for name in ("skip_connect", "nor_conv_3x3")])
    with Ledger.open(None, evaluator) as ledger:
        stored = ledger.label(tokens, "measured")
        assert stored["latency"][1] > 2 * stored["latency"][0] > 0
        np.testing.assert_array_equal(ledger.label(tokens, "again")["latency"], stored["latency"])
    other = evaluators.make("latency", data=striped, sizes={"channels": 8, "cells": 2, "stages": 1}, batch=1)
    assert other.fingerprint != evaluator.fingerprint
