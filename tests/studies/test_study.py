"""A study: asked, told, killed and opened again; everything it knows is in its ledger."""

import re
from typing import Any, cast

import numpy as np
import pytest

import nag_jax as nag
from nag_jax import spaces
from nag_jax.strategies.scalarized import chebyshev
from nag_jax.system.errors import InputError
from nag_jax.trials import read_trials

BOTH = {"accuracy": "max", "latency": "min"}


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench201")


def accuracy(architecture):
    return 80.0 + architecture.count("nor_conv_3x3") - 0.1 * architecture.index("|")


def latency(architecture):
    return 1.0 + 2.0 * architecture.count("conv") + architecture.count("pool")


def value(architecture):
    return {"accuracy": accuracy(architecture), "latency": latency(architecture)}


def opened(space, ledger=None, **options) -> Any:
    given = {"objectives": BOTH, "strategy": "regularized_evolution", "initial": 4, "progress": False} | options
    return nag.study(space, ledger=ledger, **given)


def asked_and_told(study, counts):
    """The architectures of so many asks, each of which is told at once."""
    found = []
    for n in counts:
        proposals = study.ask(n)
        found += [proposal.architecture for proposal in proposals]
        for proposal in proposals:
            study.tell(proposal, value(proposal.architecture))
    return found


def test_values_have_their_own_units_and_directions(space):
    study = opened(space)
    asked_and_told(study, [6, 6])
    told = [trial.values for trial in study.trials]
    assert told == [value(trial.architecture) for trial in study.trials]
    assert study.best.values["accuracy"] == max(values["accuracy"] for values in told)
    front = [(trial.values["accuracy"], trial.values["latency"]) for trial in study.front()]
    assert front == sorted(front, reverse=True)
    for more, less in front:
        assert not any(
            (v["accuracy"] >= more and v["latency"] < less) or (v["accuracy"] > more and v["latency"] <= less)
            for v in told
        )
    frame = study.to_pandas()
    assert frame["latency"].tolist() == [values["latency"] for values in told]


@pytest.mark.parametrize("strategy", ["random_search", "regularized_evolution", "local_search"])
def test_the_same_calls_give_the_same_trials_after_a_kill(space, tmp_path, strategy):
    counts = [3, 3, 1, 2, 1]
    undisturbed = asked_and_told(opened(space, strategy=strategy), counts)
    found = []
    for n in counts:  # nothing is left of a study but its file
        found += asked_and_told(opened(space, tmp_path / "mine.db", strategy=strategy), [n])
    assert found == undisturbed
    assert len(set(space.canonical(space.from_native(found)).tolist())) == sum(counts)


def test_what_is_pending_is_not_proposed_until_its_lease_is_over(space, tmp_path):
    path = tmp_path / "mine.db"
    one, other = opened(space, path), opened(space, path)
    first, second = one.ask(5), other.ask(5)
    keys = space.canonical(space.from_native([proposal.architecture for proposal in first + second]))
    assert len(set(keys.tolist())) == 10
    assert len(one.pending) == len(other.pending) == 10
    short = opened(space, tmp_path / "short.db", lease=1e-9)
    assert [p.architecture for p in short.ask(3)] == [p.architecture for p in short.ask(3)]
    short.tell(short.ask(1)[0], value("|conv"))  # late, but paid for
    assert len(short.trials) == 1
    one.release(first[0])
    assert len(other.pending) == 9


def test_a_curve_grows_while_its_trial_is_pending(space, tmp_path):
    study = opened(space, tmp_path / "mine.db")
    (proposal,) = study.ask()
    study.tell(proposal, {"accuracy": 50.0, "loss": 0.7}, step=1)
    opened(space, tmp_path / "mine.db").tell(proposal.architecture, {"accuracy": 60.0}, step=2)
    assert [trial.status for trial in study.pending] == ["pending"]
    assert study.trials == []
    trial = study.tell(proposal, value(proposal.architecture), cost=3.0)
    assert trial.curve == ({"step": 1, "accuracy": 50.0, "loss": 0.7}, {"step": 2, "accuracy": 60.0})
    assert (trial.origin, trial.purpose, trial.cost) == ("regularized_evolution", "initial design", 3.0)
    assert study.pending == []


def test_less_fidelity_stands_beside_and_settles_nothing(space):
    study = opened(space)
    (proposal,) = study.ask()
    study.tell(proposal, {"accuracy": 1.0, "latency": 1.0}, fidelity=12)
    assert (len(study.trials), len(study.pending)) == (0, 1)
    study.tell(proposal, value(proposal.architecture))
    assert [trial.fidelity for trial in study.ledger.trials()] == ["12", "full"]
    assert len(study.trials) == 1


def test_failures_count_and_their_reasons_are_kept(space):
    study = opened(space)
    proposals = study.ask(2)
    study.fail(proposals[0], "out of memory\nTraceback ...")
    study.tell(proposals[1], value(proposals[1].architecture))
    assert [trial.failed for trial in study.trials] == [True, False]
    assert study.trials[0].brief_reason == "out of memory"
    assert study.best.architecture == proposals[1].architecture


def test_anybody_may_tell_of_what_was_not_asked(space):
    study = opened(space)
    drawn = space.to_native(space.from_index([4242, 77]))
    study.tell(drawn[0], value(drawn[0]), origin="an agent")
    assert study.trials[0].origin == "an agent"
    same = study.tell(drawn[0], value(drawn[0]))
    assert same.id == 1
    with pytest.raises(InputError, match=r"has the values .* already"):
        study.tell(drawn[0], {"accuracy": 1.0, "latency": 1.0})


def test_a_ledger_knows_its_objectives(space, tmp_path):
    asked_and_told(opened(space, tmp_path / "mine.db"), [2])
    again = nag.study("nasbench201", ledger=tmp_path / "mine.db", strategy="random_search")
    assert [metric.direction for metric in again.objectives.metrics] == ["max", "min"]
    assert len(again.trials) == 2
    with pytest.raises(InputError, match="another"):
        nag.study("nasbench201", objectives={"accuracy": "min"}, ledger=tmp_path / "mine.db", strategy="random_search")


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda study, cell: study.tell(cell, 3.0), "a value for each of"),
        (lambda study, cell: study.tell(cell, {"accuracy": 3.0}), r"no value of \['latency'\]"),
        (lambda study, cell: study.tell(cell, {"accuracy": 3.0, "latency": float("nan")}), "study.fail"),
        (lambda study, cell: study.tell(cell, {"accuracy": "good", "latency": 1.0}), "must be a finite number"),
        (lambda study, cell: study.tell(cell, {"accuracy": 3.0, "latency": 1.0, "loss": 1.0}), "has no metrics"),
        (lambda study, cell: study.tell("no cell", {"accuracy": 3.0, "latency": 1.0}), "no cell"),
        (lambda study, cell: study.ask(0), "at least 1"),
        (lambda study, cell: study.optimize(budget=10), "this study has no evaluator"),
        (lambda study, cell: nag.study("nasbench201"), "needs objectives"),
        (lambda study, cell: nag.study("nasbench201", objectives=BOTH, lease=0), "lease"),
        (lambda study, cell: nag.study("nasbench201", objectives={"a": "up"}), "direction"),
        (lambda study, cell: nag.study("nasbench201", objectives=BOTH, strategy="bo_nga"), "bo_nga"),
    ],
)
def test_what_is_refused(space, act, words):
    study = opened(space)
    with pytest.raises(InputError, match=words):
        act(study, space.to_native(space.from_index([4242]))[0])
    assert study.trials == []


def test_a_page_says_what_was_found(space, tmp_path):
    study = opened(space)
    assert "No trial has succeeded yet" in study.report(tmp_path / "empty.html").read_text()
    asked_and_told(study, [4])
    study.fail(study.ask()[0], "<b>out of memory</b>")
    page = study.report(tmp_path / "study.html").read_text()
    assert study.best.architecture in page
    assert "&lt;b&gt;out of memory" in page
    assert "Who proposed" not in page
    study.tell(space.to_native(space.from_index([4242]))[0], {"accuracy": 99.5, "latency": 3.0}, origin="a colleague")
    page = study.report(tmp_path / "study.html").read_text()
    assert re.search(r"Who proposed.*<th scope=.row.>a colleague</th><td>1</td><td>0</td><td>99.5", page, re.DOTALL)
    assert {path.name for path in tmp_path.iterdir()} == {"empty.html", "study.html"}


@pytest.mark.parametrize("name", ["random_search", "regularized_evolution", "local_search"])
def test_optimize_and_a_client_that_asks_and_tells_end_as_a_search_does(space, name, tmp_path):
    def convolutions(architecture):
        return architecture.count("nor_conv_3x3") + 0.01 * architecture.count("skip")

    evaluator = nag.evaluator(convolutions, space, metric="convolutions")
    given = {"strategy": name, "initial": 5, "progress": False}
    searched = nag.search(space, evaluator, budget=20, ledger=tmp_path / "searched.db", **given)
    assert {trial.origin for trial in read_trials(tmp_path / "searched.db")} == {name}
    with nag.study(space, evaluator=evaluator, **given) as study:
        study.optimize(budget=20)
        assert [trial.architecture for trial in study.trials] == searched.architectures
        assert {trial.origin for trial in study.trials} == {name}
    with nag.study(space, objectives={"convolutions": "max"}, ledger=tmp_path / "told.db", **given) as study:
        study.optimize(convolutions, 8)
        while len(study.trials) < 20:
            (proposal,) = study.ask()
            study.tell(proposal, convolutions(proposal.architecture))
        assert [trial.architecture for trial in study.trials] == searched.architectures
    assert [trial.values["convolutions"] for trial in read_trials(tmp_path / "told.db")] == searched.values.tolist()


def test_batches_are_those_of_a_search(space):
    evaluator = nag.evaluator(accuracy, space, metric="accuracy")
    given = {"strategy": "local_search", "initial": 5, "batch_size": 3, "progress": False}
    searched = nag.search(space, evaluator, budget=20, **given)
    with nag.study(space, objectives={"accuracy": "max"}, **given) as study:
        study.optimize(accuracy, 20, workers=3)
        assert [trial.architecture for trial in study.trials] == searched.architectures


def test_weights_of_several_objectives_are_drawn_anew():
    import jax

    values = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.6], [np.nan, 0.0]])
    best = {int(np.nanargmax(chebyshev(values, jax.random.key(seed)))) for seed in range(20)}
    assert best == {0, 1, 2}
    assert np.isnan(chebyshev(values, jax.random.key(0))[3])


@pytest.mark.slow  # compiles what generates
def test_front_bo_weighs_objectives_by_itself(space, monkeypatch):
    monkeypatch.setattr("nag_jax.studies.make.scalarized", None)  # a call would fail
    study = opened(space, strategy="front_bo", bounds="accuracy >= 80")
    assert len(asked_and_told(study, [4])) == 4
    with pytest.raises(InputError, match="bounds of the strategy 'front_bo' names 'flops': use some of accuracy"):
        opened(space, strategy="front_bo", bounds="flops <= 3").ask(1)


def test_what_generates_needs_no_training_where_the_space_has_a_closed_form(space):
    given = {"initial": 4, "pool_size": 16, "capacity": 16, "num_steps": 3, "progress": False}
    evaluator = nag.evaluator(accuracy, space, metric="accuracy")
    searched = nag.search(space, evaluator, strategy="bo_nag", budget=8, **given)
    with nag.study(space, objectives={"accuracy": "max"}, strategy="bo_nag", **given) as study:
        assert study.ask(3)[0].predicted == {}
        study.optimize(accuracy, 5)  # which waits for none of the three
        for trial in study.pending:
            study.tell(trial, accuracy(trial.architecture))
        (proposal,) = study.ask()
        near = study.trials[-1]
        ((mean,), (std,)) = proposal.predicted.values(), proposal.spread.values()
        assert 75 < mean < 90
        assert 0 < std < 5
        ((known, spread),) = study.predict([near.architecture]) or []
        assert abs(known["accuracy"] - near.values["accuracy"]) < 1.0
        assert spread["accuracy"] < std
    with nag.study(space, objectives={"accuracy": "max"}, strategy="bo_nag", **given) as study:
        study.optimize(accuracy, 8)
        assert [trial.architecture for trial in study.trials] == searched.architectures


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("initial", "initial must be at least 1"),
        ("batch_size", "batch_size must be"),
        ("num_steps", "num_steps must be"),
    ],
)
def test_what_is_refused_is_named_as_an_argument(argument, words):
    with pytest.raises(InputError, match=f"^{words}"):
        nag.study("nasbench201", objectives={"accuracy": "max"}, **cast("Any", {argument: 0}))
