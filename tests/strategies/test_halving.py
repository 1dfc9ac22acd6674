"""Successive halving, in stages and as trials come: who goes on, what is spent, and what a kill costs."""

import contextlib

import jax
import numpy as np
import pytest

from nag_jax.evaluators import analog_nasbench
from nag_jax.evaluators.base import OfWholeSpace, Outcome
from nag_jax.evaluators.staged_table import Column, StagedTable
from nag_jax.objectives import Metric, Objectives
from nag_jax.spaces.distinct import random_distinct
from nag_jax.spaces.nasbench_graph import NASBenchGraph
from nag_jax.strategies.curves import extrapolate, power_law
from nag_jax.strategies.fidelities import comparable
from nag_jax.strategies.halving import Job, Ladder, Limits, Rung, Standing, climb, ladder_of
from nag_jax.system.errors import InputError
from nag_jax.trials import Ledger, Trial

OBJECTIVES = Objectives((Metric("accuracy"),))
EPOCHS = (("epochs=1", 1), ("epochs=3", 3), ("full", 9))


class Trains(OfWholeSpace):
    """An evaluator whose architectures get better by their quality times the epochs, a second for each."""

    name = "trains"
    fingerprint = "trains"
    batch_size = 1
    resumes = True
    objective = "accuracy"
    fidelities = tuple(name for name, _ in EPOCHS)

    def __init__(self):
        self.metrics = {"accuracy": Metric("accuracy")}
        self.space = NASBenchGraph()
        self.asked = []

    def __call__(self, tokens):
        raise AssertionError("outcomes are asked for one by one")

    def outcomes(self, tokens, *, fidelity="full", seed=0):
        epochs = dict(EPOCHS)[fidelity]
        before = max((e for _, e in EPOCHS if e < epochs), default=0)
        for row, each in enumerate(tokens):
            self.asked.append((self.space.to_native(each[None])[0], fidelity))
            value = float(np.asarray(each).sum() % 17 * epochs)
            yield Outcome(row, {"accuracy": value}, cost=float(epochs - before))


@pytest.fixture(scope="module")
def space():
    return NASBenchGraph()


@pytest.fixture(scope="module")
def distinct(space):
    return random_distinct(space, jax.random.key(0), 40)


def begin_of(tokens, space):
    keys = space.canonical(tokens).tolist()
    return lambda standing: tokens[[key not in standing.keys for key in keys]][:1]


def trial(key, level, value, cost=1.0):
    return Trial(
        key=key, architecture=str(key), values={"accuracy": value}, purpose="", fidelity=EPOCHS[level][0], cost=cost
    )


def standing_of(trials, factor=2, counts=None, **fields):
    counts = counts or [None] * len(EPOCHS)
    rungs = tuple(Rung(f"rung {i}", *EPOCHS[i], counts[i]) for i in range(len(EPOCHS)))
    found = Standing(Ladder(rungs=rungs, factor=factor, objectives=OBJECTIVES, **fields))
    found.add(trials)
    return found


def test_the_best_of_a_rung_goes_on_as_soon_as_there_is_one():
    limits = Limits()
    assert standing_of([]).next(limits) == Job(0)
    assert standing_of([trial(1, 0, 5.0)]).next(limits) == Job(0)
    two = [trial(1, 0, 5.0), trial(2, 0, 6.0)]
    assert standing_of(two).next(limits) == Job(1, "2")
    assert standing_of([*two, trial(2, 1, 7.0)]).next(limits) == Job(0)
    more = [*two, trial(2, 1, 7.0), trial(3, 0, 1.0), trial(4, 0, 5.5)]
    assert standing_of(more).next(limits) == Job(1, "4")
    assert standing_of([*more, trial(4, 1, 9.0)]).next(limits) == Job(2, "4")


def test_those_that_failed_count_and_do_not_go_on():
    failed = [trial(1, 0, np.nan), trial(2, 0, 3.0)]
    assert standing_of(failed).next(Limits()) == Job(1, "2")
    assert standing_of([trial(1, 0, np.nan), trial(2, 0, np.nan)]).next(Limits()) == Job(0)


def test_stages_wait_for_one_another_and_for_those_that_are_left():
    counts = [4, 2, 1]
    limits = Limits(candidates=4)
    three = [trial(i, 0, float(i)) for i in range(3)]
    assert standing_of(three, counts=counts).next(limits) == Job(0)
    four = [*three, trial(3, 0, np.nan)]
    assert standing_of(four, counts=counts).next(limits) == Job(1, "2")
    second = [*four, trial(2, 1, 9.0), trial(1, 1, 10.0)]
    assert standing_of(second, counts=counts).next(limits) == Job(2, "1")
    assert standing_of([*second, trial(1, 2, 11.0)], counts=counts).next(limits) is None
    one_left = [trial(0, 0, 1.0), *(trial(i, 0, np.nan) for i in (1, 2, 3)), trial(0, 1, 2.0)]
    assert standing_of(one_left, counts=counts).next(limits) == Job(2, "0")


@pytest.mark.parametrize("limits", [Limits(epochs=30), Limits(seconds=30.0), Limits(candidates=7)])
def test_what_may_be_spent_is_kept_to_and_ends_with_a_full_training(space, distinct, limits):
    evaluator = Trains()
    ladder = ladder_of(evaluator, EPOCHS, factor=3, objectives=OBJECTIVES)
    with Ledger.open(None, evaluator) as ledger:
        standing = climb(ladder, ledger, begin_of(distinct, space), limits=limits)
    assert standing.epochs <= limits.epochs
    assert standing.seconds == standing.epochs <= limits.seconds
    assert len(standing.rungs[0]) <= limits.candidates
    assert standing.best().fidelity == "full"
    assert len(standing.rungs[0]) > 3


def test_a_run_that_was_killed_goes_on_and_pays_nothing_twice(space, distinct, tmp_path):
    def run(path, stop=None):
        evaluator = Trains()
        ladder = ladder_of(evaluator, EPOCHS, factor=2, objectives=OBJECTIVES)

        def begin(standing):
            if stop is not None and len(standing.trials) >= stop:
                raise KeyboardInterrupt
            return begin_of(distinct, space)(standing)

        with Ledger.open(path, evaluator) as ledger:
            with contextlib.suppress(KeyboardInterrupt):
                climb(ladder, ledger, begin, limits=Limits(candidates=12))
            return evaluator.asked, [(each.architecture, each.fidelity) for each in ledger.trials()]

    _, whole = run(tmp_path / "whole.db")
    asked = []
    for stop in (2, 3, 9, None):
        asked += run(tmp_path / "killed.db", stop)[0]
    assert asked == whole
    assert len(set(whole)) == len(whole)


def test_lower_fidelities_are_shifted_by_what_going_on_changes():
    below: dict[int | str, Trial] = {
        1: trial(1, 0, 10.0),
        2: trial(2, 0, 12.0),
        3: trial(3, 0, 8.0),
        4: trial(4, 0, np.nan),
    }
    middle: dict[int | str, Trial] = {2: trial(2, 1, 22.0), 1: trial(1, 1, 18.0)}
    above: dict[int | str, Trial] = {2: trial(2, 2, 27.0)}
    found = comparable([below, middle, above], ["accuracy"])
    assert [each.key for each in found] == [1, 2, 3, 4]
    np.testing.assert_array_equal([each.values["accuracy"] for each in found], [23.0, 27.0, 22.0, np.nan])


def test_curves_are_led_on_by_power_laws():
    epochs = np.arange(1, 7)
    assert extrapolate(93.0 - 50.0 * epochs**-0.5, 100) == pytest.approx(88.0, abs=1e-6)
    assert extrapolate(np.array([1.0, 2.0, 3.0]), 100, last=3.0) == 3.0
    curve = tuple({"epoch": float(i), "accuracy": 93.0 - 50.0 / i} for i in epochs)
    slow = Trial(key=1, architecture="", values={"accuracy": 84.0, "size": 1.0}, purpose="", curve=curve)
    assert power_law(slow, 50) == {"accuracy": pytest.approx(92.0), "size": 1.0}


def test_tables_have_fidelities_at_simulated_seconds():
    table = analog_nasbench.load()
    staged = StagedTable(table, 200.0, {"quantised": Column("ptq", 12.0)})
    tokens = table.architectures()[:2]
    with Ledger.open(None, staged) as ledger:
        low = ledger.label(tokens, "rung 1", fidelity="quantised")
        high = ledger.label(tokens[:1], "rung 2")
        assert [each.cost for each in ledger.trials()] == [12.0, 12.0, 200.0]
    values = table(tokens)
    assert list(low) == ["baseline"]
    assert low["baseline"].tolist() == values["ptq"].tolist()
    assert high["baseline"].tolist() == values["baseline"][:1].tolist()
    with pytest.raises(InputError, match="column of the table"):
        StagedTable(table, 200.0, {"short": Column("nothing", 1.0)})


def test_a_ladder_of_what_an_evaluator_lacks_is_refused():
    with pytest.raises(InputError, match="trains has no fidelity 'epochs=2'"):
        ladder_of(Trains(), [("epochs=2", 2), ("full", 9)], factor=2, objectives=OBJECTIVES)
