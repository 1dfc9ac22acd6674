# pyright: reportArgumentType=false
import threading

import jax
import numpy as np
import pytest

from nag_jax.evaluators import Metric
from nag_jax.trials import Ledger


class Counting:
    """Labels a cell with its index and its index squared, remembers every question, fails where told to."""

    name = "counting"
    fingerprint = "v1"

    def __init__(self, space, batch_size=3, failing=()):
        self.space = space
        self.batch_size = batch_size
        self.failing = set(failing)
        self.metrics = {"index": Metric("index"), "square": Metric("square", direction="min")}
        self.calls = []

    @property
    def asked(self):
        return [index for call in self.calls for index in call]

    def __call__(self, tokens):
        index = self.space.to_index(tokens)
        self.calls.append(index.tolist())
        values = np.where(np.isin(index, list(self.failing)), np.nan, index.astype(float))
        return {"index": values, "square": values**2 / 7}


class Answering(Counting):
    """Answers every call with what a function returns."""

    def __init__(self, space, answer):
        super().__init__(space)
        self.answer = answer

    def __call__(self, tokens):
        return self.answer()


@pytest.fixture
def counting(space):
    return Counting(space)


@pytest.fixture
def distinct(space):
    """Tokens `[n, 8]` of cells that compute n different things."""
    tokens = space.from_index(np.arange(space.size))
    first = np.unique(space.canonical(tokens), return_index=True)[1]
    return lambda n: tokens[first[5 : 5 + n]]


@pytest.fixture
def pair(space):
    """Two cells that are written differently and compute the same."""
    tokens = space.from_index(np.arange(space.size))
    keys, count = np.unique(space.canonical(tokens), return_counts=True)
    members = np.nonzero(space.canonical(tokens) == keys[np.argmax(count > 1)])[0]
    return tokens[members[:2]]


def test_labels_come_in_the_order_asked(tmp_path, counting, distinct, space):
    tokens = distinct(7)[[4, 1, 1, 6, 0, 5, 4]]
    with Ledger.open(tmp_path / "trials.db", counting) as ledger:
        labels = ledger.label(tokens, "test")
    index = space.to_index(tokens)
    assert set(labels) == {"index", "square"}
    assert labels["index"].dtype == np.float64
    np.testing.assert_array_equal(labels["index"], index)
    np.testing.assert_array_equal(labels["square"], index.astype(float) ** 2 / 7)


def test_calls_are_of_the_evaluators_batch_size(tmp_path, counting, distinct, space):
    with Ledger.open(tmp_path / "trials.db", counting) as ledger:
        ledger.label(distinct(7), "test")
    assert [len(call) for call in counting.calls] == [3, 3, 1]
    assert counting.asked == space.to_index(distinct(7)).tolist()


def test_each_call_is_stored_before_the_next(tmp_path, counting, distinct):
    path, paid = tmp_path / "trials.db", []
    with Ledger.open(path, counting) as ledger, Ledger.open(path, counting) as other:
        ledger.label(distinct(7), "test", lambda done, total: paid.append((done, total, other.num_paid)))
    assert paid == [(3, 7, 3), (6, 7, 6), (7, 7, 7)]


def test_repetitions_are_paid_once(tmp_path, counting, distinct):
    tokens = distinct(2)[[0, 1, 0, 0, 1]]
    with Ledger.open(tmp_path / "trials.db", counting) as ledger:
        ledger.label(tokens, "test")
        ledger.label(tokens, "test")
        assert ledger.num_paid == 2
    assert len(counting.asked) == 2


def test_cells_that_compute_the_same_are_paid_once(tmp_path, counting, pair, space):
    with Ledger.open(tmp_path / "trials.db", counting) as ledger:
        first = ledger.label(pair[:1], "test")
        both = ledger.label(pair, "test")
        assert ledger.num_paid == 1
        assert ledger.trials()[0].architecture == space.to_native(pair[:1])[0]
    assert both["index"].tolist() == [first["index"][0]] * 2
    assert counting.asked == space.to_index(pair[:1]).tolist()


def test_a_reopened_ledger_pays_nothing_twice(tmp_path, counting, distinct, space):
    with Ledger.open(tmp_path / "trials.db", counting) as ledger:
        before = ledger.label(distinct(5), "first")
    again = Counting(space)
    with Ledger.open(tmp_path / "trials.db", again) as ledger:
        after = ledger.label(distinct(8), "second")
        assert ledger.paid_by_purpose() == {"first": 5, "second": 3}
    assert again.asked == space.to_index(distinct(8)[5:]).tolist()
    np.testing.assert_array_equal(after["square"][:5], before["square"])


def test_a_failed_trial_is_paid_counted_and_not_asked_again(tmp_path, space, distinct):
    index = space.to_index(distinct(4)).tolist()
    failing = Counting(space, failing=index[1:2])
    with Ledger.open(tmp_path / "trials.db", failing) as ledger:
        for _ in range(2):
            labels = ledger.label(distinct(4), "test")
            assert np.isnan(labels["index"]).tolist() == [False, True, False, False]
        assert (ledger.num_paid, ledger.num_failed) == (4, 1)
        assert [trial.failed for trial in ledger.trials()] == [False, True, False, False]
    assert failing.asked == index


def test_infinity_is_a_failure(tmp_path, space, distinct):
    diverging = Answering(space, lambda: {"index": np.full(2, np.inf), "square": np.zeros(2)})
    with Ledger.open(tmp_path / "trials.db", diverging) as ledger:
        labels = ledger.label(distinct(2), "test")
        assert np.isnan(labels["index"]).all()
        assert labels["square"].tolist() == [0, 0]
        assert ledger.num_failed == 2


def test_values_survive_the_file_bit_for_bit(tmp_path, counting, distinct):
    with Ledger.open(tmp_path / "trials.db", counting) as ledger:
        ledger.label(distinct(50), "test")
    with Ledger.open(tmp_path / "trials.db", counting) as ledger:
        stored = ledger.label(distinct(50), "test")["square"]
    np.testing.assert_array_equal(stored, counting(distinct(50))["square"])


def test_trials_say_everything(tmp_path, counting, distinct, space):
    with Ledger.open(tmp_path / "trials.db", counting) as ledger:
        ledger.label(distinct(3), "predictor")
        ledger.label(distinct(4), "final")
        trials = ledger.trials()
    assert [trial.id for trial in trials] == [1, 2, 3, 4]
    assert [trial.key for trial in trials] == space.canonical(distinct(4)).tolist()
    assert [trial.architecture for trial in trials] == space.to_native(distinct(4))
    assert [trial.purpose for trial in trials] == ["predictor"] * 3 + ["final"]
    assert [trial.values["index"] for trial in trials] == space.to_index(distinct(4)).tolist()
    assert all(trial.time.endswith("+00:00") for trial in trials)


def test_it_says_what_a_request_would_cost(tmp_path, counting, distinct):
    with Ledger.open(tmp_path / "trials.db", counting) as ledger:
        ledger.label(distinct(2), "test")
        assert ledger.is_paid(distinct(3)).tolist() == [True, True, False]
        assert ledger.num_new(distinct(6)[[0, 2, 2, 5, 5, 5]]) == 2
    assert len(counting.asked) == 2


def test_jax_tokens_and_empty_requests_are_fine(tmp_path, counting, space):
    with Ledger.open(tmp_path / "trials.db", counting) as ledger:
        tokens = space.random(jax.random.key(0), 10)
        assert ledger.label(tokens, "test")["index"].shape == (10,)
        assert ledger.label(np.zeros((0, 8), np.int32), "test")["index"].shape == (0,)


def test_an_evaluator_that_raises_costs_nothing_and_locks_nothing(tmp_path, counting, distinct, space):
    def explode():
        raise RuntimeError("out of memory")

    with Ledger.open(tmp_path / "trials.db", Answering(space, explode)) as ledger:
        with pytest.raises(RuntimeError, match="out of memory"):
            ledger.label(distinct(2), "test")
        assert ledger.num_paid == 0
        with Ledger.open(tmp_path / "trials.db", counting) as other:
            other.label(distinct(2), "test")
        assert ledger.num_paid == 2


@pytest.mark.parametrize(
    "answer",
    [
        {"index": np.zeros(2)},
        {"index": np.zeros(2), "square": np.zeros(1)},
        {"index": np.zeros(2), "square": 0.0},
        {"index": np.zeros(2), "square": np.zeros(2), "other": np.zeros(2)},
    ],
)
def test_an_evaluator_that_breaks_its_contract_is_a_defect(tmp_path, space, distinct, answer):
    with Ledger.open(tmp_path / "trials.db", Answering(space, lambda: answer)) as ledger:
        with pytest.raises(TypeError, match="must return 2 values for each of"):
            ledger.label(distinct(2), "test")
        assert ledger.num_paid == 0


def test_two_handles_at_once_pay_for_nothing_twice(tmp_path, distinct, space):
    path, tokens = tmp_path / "trials.db", distinct(40)
    evaluators = [Counting(space, batch_size=1), Counting(space, batch_size=3)]
    results, start = {}, threading.Barrier(2)

    def work(i):
        start.wait()
        with Ledger.open(path, evaluators[i]) as ledger:
            results[i] = ledger.label(tokens[:: 1 if i else -1], f"handle {i}")["index"]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    asked = evaluators[0].asked + evaluators[1].asked
    assert sorted(asked) == sorted(space.to_index(tokens).tolist())
    np.testing.assert_array_equal(results[1], space.to_index(tokens))
    np.testing.assert_array_equal(results[0], results[1][::-1])


def test_the_settings_that_make_it_durable(tmp_path, counting):
    with Ledger.open(tmp_path / "trials.db", counting) as ledger:
        assert ledger._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert ledger._connection.execute("PRAGMA synchronous").fetchone() == (2,)
