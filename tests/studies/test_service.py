"""A service: one reply to every line, the trials of a search, the operator's budget, and nothing of the test split."""

import json
import random
from typing import Any

import pytest

import nag_jax as nag
from nag_jax.settings.search import STRATEGIES
from nag_jax.studies.methods import METHODS
from nag_jax.studies.service import replies
from nag_jax.system.fields import to_dict

CHEAP = ["regularized_evolution", "local_search", "random_search"]


@pytest.mark.parametrize("door", ["lines", "mcp", "api"])
@pytest.mark.parametrize(
    "strategy",
    [name if name in CHEAP else pytest.param(name, marks=pytest.mark.slow) for name in STRATEGIES if name != "llm"],
)
def test_a_client_ends_with_the_trials_of_a_search(serve, space, evaluator, measured, strategy, door):
    if strategy == "tpe":
        pytest.importorskip("optuna")
    block = to_dict(STRATEGIES[strategy])
    given: dict[str, Any] = {"strategy": block.pop("name"), "initial": 5, "progress": False, **block}
    found = nag.search(space, evaluator, budget=20, **given)
    if door == "api":
        with nag.study(space, evaluator=evaluator, **given) as study:
            while len(study.trials) < 20:
                (proposal,) = study.ask()
                try:
                    study.tell(proposal, measured(proposal.architecture))
                except ValueError as error:
                    study.fail(proposal, str(error))
            assert [trial.architecture for trial in study.trials] == found.architectures
        return
    call = serve(strategy, door=door)
    while call("describe")["budget"]["left"]:
        (proposal,) = call("ask")
        (label,) = call("evaluate", architectures=[proposal["architecture"]])
        assert (label["paid"], label["origin"]) == (True, given["strategy"])
    history = call("history")
    assert [trial["architecture"] for trial in history] == found.architectures
    assert [trial["values"]["validation"] for trial in history] == [None if v != v else v for v in found.values]
    assert call("best")[0]["architecture"] == found.best


def test_every_line_has_one_reply_and_nothing_stops(serve, space):
    call = serve(budget=3)
    cells = space.to_native(space.from_index([4242, 77, 9, 1000]))
    service = call.service
    lines = [
        b"{",
        b"[1, 2]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"method": "drop"}',
        b'{"method": 3}',
        b'{"id": 7, "method": "ask", "params": {"n": 0}}',
        b'{"id": 7, "method": "ask", "params": {"n": true}}',
        b'{"id": 7, "method": "ask", "params": {"N": 1}}',
        b'{"id": 7, "method": "ask", "params": [1]}',
        b'{"id": 7, "method": "evaluate", "params": {}}',
        b'{"id": 7, "method": "evaluate", "params": {"architectures": ["no cell"]}}',
        b'{"id": 7, "method": "best", "params": {"metric": "test"}}',
        json.dumps({"id": 7, "method": "evaluate", "params": {"architectures": cells}}).encode(),
    ]
    found = [json.loads(reply) for reply in replies(service, iter([*lines, b"  \n"]))]
    assert len(found) == len(lines)
    assert [reply["error"]["kind"] for reply in found] == ["input"] * (len(lines) - 1) + ["budget"]
    assert all("\n" not in reply["error"]["message"] for reply in found)
    assert {reply["id"] for reply in found[6:]} == {7}
    assert call("describe")["budget"] == {"labels": 3, "paid": 0, "left": 3}


def test_the_budget_is_the_operators_and_known_labels_are_free(serve, space):
    call = serve(budget=3)
    cells = space.to_native(space.from_index([4242, 77, 9, 1000]))
    first = call("evaluate", architectures=[cells[0], cells[0]], origin="an agent")
    assert [label["paid"] for label in first] == [True, True]
    assert call("describe")["budget"]["paid"] == 1
    again = call("evaluate", architectures=cells[:2])
    assert [(label["paid"], label["origin"]) for label in again] == [(False, "an agent"), (True, "client")]
    assert call("evaluate", architectures=cells)["kind"] == "budget"
    assert call("describe")["budget"]["left"] == 1


@pytest.mark.parametrize("door", ["lines", "mcp"])
def test_no_reply_holds_a_metric_of_the_test_split(serve, space, door):
    """Whatever is asked, at random; `serve` looks at every reply."""
    call, rng = serve(budget=25, door=door), random.Random(0)
    cells = space.to_native(space.from_index([rng.randrange(space.size) for _ in range(30)]))
    for _ in range(60):
        some = rng.sample(cells, rng.randint(1, 3))
        method = rng.choice(sorted(METHODS))
        params = {
            "ask": {"n": rng.randint(1, 3)},
            "tell": {"trials": [{"architecture": some[0], "reason": "it broke"}]},
            "best": {"n": 3, "front": rng.random() < 0.5},
            "history": {"since": rng.randint(0, 3)},
            "describe": {},
        }.get(method, {"architectures": some})
        call(method, **params)
    assert {metric["name"]: metric["shown"] for metric in call("describe")["metrics"]} == {
        "validation": True,
        "test": False,
    }
    assert any(trial["values"]["validation"] for trial in call("history"))


def test_what_the_methods_say(serve, space):
    call = serve()
    cells = space.to_native(space.from_index([4242, 77]))
    assert call("predict", architectures=cells) is None
    known = call("check", architectures=[*cells, "no cell"])
    assert [(each["valid"], each.get("known")) for each in known] == [(True, False), (True, False), (False, None)]
    call("evaluate", architectures=cells)
    assert call("check", architectures=cells[:1])[0]["known"]
    told = {"architecture": space.to_native(space.from_index([9]))[0], "values": {"validation": 3.0, "test": 1.0}}
    assert call("tell", trials=[told], origin="an agent")[0]["origin"] == "an agent"
    assert "already" in call("tell", trials=[{**told, "values": {"validation": 4.0, "test": 1.0}}])["message"]
    (explained,) = call("explain", architectures=cells[:1])
    assert explained["nearest"][0]["architecture"] == cells[0]
    assert set(explained["nodes"]) == set(space.node_names)
    for method, about in METHODS.items():
        assert about["does"].endswith(".")
        assert call("describe")["methods"][method]["params"]["type"] == "object"


def test_parts_of_the_space_are_asked_for(serve, space, evaluator, monkeypatch):
    monkeypatch.setattr(evaluator, "costs", space.costs(), raising=False)
    call, again = serve(budget=100), serve(budget=100)
    call("evaluate", architectures=space.to_native(space.from_index([4242, 77, 9])))
    again("evaluate", architectures=space.to_native(space.from_index([4242, 77, 9])))
    inside = {"fixed": {"0-1": "nor_conv_3x3"}, "excluded": {"*": ["none"], "0-2": ["skip_connect", "avg_pool_3x3"]}}
    proposals = call("ask", n=6, **inside, constraints="params <= 600e3")
    assert again("ask", n=6, **inside, constraints="params <= 600e3") == proposals
    assert call("ask", n=6) == again("ask", n=6)
    for proposal in proposals:
        assert proposal["free"]["params"] <= 600e3
        (explained,) = call("explain", architectures=[proposal["architecture"]])
        nodes = explained["nodes"]
        assert nodes["0-1"] == "nor_conv_3x3"
        assert "none" not in nodes.values()
        assert nodes["0-2"] in ("nor_conv_1x1", "nor_conv_3x3")
    near = proposals[0]["architecture"]
    found = call("ask", n=8, strategy="random_search", near=near, changes=1)
    assert {proposal["origin"] for proposal in found} == {"random_search"}
    tokens = space.from_native([near, *(proposal["architecture"] for proposal in found)])
    assert (tokens[1:] != tokens[0]).sum(axis=1).mean() < 2.5
    pending = [proposal["architecture"] for proposal in [*proposals, *found]]
    assert len(set(space.canonical(space.from_native(pending)).tolist())) == len(pending)
    (label,) = call("evaluate", architectures=[found[0]["architecture"]])
    assert label["origin"] == "random_search"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"strategy": "bo_nga"}, "unknown strategy 'bo_nga': use one of"),
        ({"fixed": {"9-9": "none"}}, "9-9"),
        ({"fixed": {"0-1": "none"}, "excluded": {"0-1": ["none"]}}, "0-1"),
        ({"fixed": {"0-1": 3}}, "params.fixed.0-1 must be of type string, found 3"),
        ({"near": "no cell"}, "no cell"),
        ({"constraints": "joules <= 3"}, "joules"),
    ],
)
def test_parts_that_can_not_be_are_refused(serve, params, words):
    call = serve()
    found = call("ask", **params)
    assert found["kind"] == "input"
    assert words in found["message"]
    assert len(call("ask")) == 1
