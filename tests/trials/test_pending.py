"""Pending trials: in the ledger beside the paid ones, which they don't disturb."""

import numpy as np
import pytest

from nag_jax import evaluators
from nag_jax.system.errors import InputError
from nag_jax.trials import Ledger, Trial, read_trials


@pytest.fixture(scope="module")
def evaluator():
    return evaluators.make("analog_nasbench")


def trial_of(space, index, **fields):
    (native,) = space.to_native(space.from_index([index]))
    key = space.canonical(space.from_index([index])).tolist()[0]
    return Trial(key=key, architecture=native, values={}, purpose="search", **fields)


def test_pending_trials_are_no_labels_and_paying_settles_them(tmp_path, evaluator, space):
    path = tmp_path / "trials.db"
    with Ledger.open(path, evaluator) as ledger:
        ledger.label(space.from_index([7]), "before")
        ledger.reserve([trial_of(space, 4242), trial_of(space, 77)], seconds=60)
        assert [trial.id for trial in ledger.pending()] == [-1, -2]
        assert (ledger.num_paid, ledger.is_paid(space.from_index([4242])).tolist()) == (1, [False])
        ledger.label(space.from_index([4242]), "after")
        assert [trial.id for trial in ledger.trials()] == [1, 2]
        assert [trial.architecture for trial in ledger.pending()] == [trial_of(space, 77).architecture]
        assert ledger.paid_by_purpose() == {"before": 1, "after": 1}
    assert [trial.purpose for trial in read_trials(path)] == ["before", "after"]
    with Ledger.open(path, evaluator) as ledger:
        assert len(ledger.pending()) == 1
        ledger.release(ledger.pending())
        assert ledger.pending() == []


def test_a_lease_ends_and_can_be_renewed(evaluator, space):
    with Ledger.open(None, evaluator) as ledger:
        ledger.reserve([trial_of(space, 4242)], seconds=-1)
        assert ledger.pending() == []
        (late,) = ledger.pending(expired=True)
        ledger.reserve([late], seconds=60)
        assert [trial.id for trial in ledger.pending()] == [-1]


def test_what_is_settled_stays(evaluator, space):
    values = dict.fromkeys(evaluator.metrics, 90.0)
    with Ledger.open(None, evaluator) as ledger:
        told = Trial(**{**trial_of(space, 4242).__dict__, "values": values, "status": ""})
        assert ledger.settle(told).id == ledger.settle(told).id == 1
        with pytest.raises(InputError, match="what is stored stays"):
            ledger.settle(Trial(**{**told.__dict__, "values": dict.fromkeys(values, np.nan), "status": ""}))
        assert ledger.num_paid == 1
