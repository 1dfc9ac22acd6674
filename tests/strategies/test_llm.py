"""The strategy by command: what it is told, what it may answer, and what becomes of answers that can't be taken."""

import json
import logging
import shlex
import sys

import jax
import numpy as np
import pytest

import nag_jax as nag
from configs import nb201_search
from experiments import runs
from nag_jax import strategies
from nag_jax.system.errors import InputError

CELLS = [
    "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
    "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
]


@pytest.fixture
def answers(tmp_path, space):
    """A strategy whose command gives these outputs in turn, and what it was told each time."""

    def make(*outputs, **options):
        for i, output in enumerate(outputs):
            (tmp_path / f"{i}.txt").write_text(output if isinstance(output, str) else json.dumps(output))
        told = tmp_path / "told.txt"
        told.touch()
        command = (
            f'cd {shlex.quote(str(tmp_path))}; i=$(wc -l < told.txt); cat >> told.txt; . ./run.sh; cat "$((i)).txt"'
        )
        (tmp_path / "run.sh").write_text(options.pop("run", ""))
        strategy = strategies.make("llm", space, command=command, **options)
        return strategy, lambda: [json.loads(line) for line in told.read_text().splitlines()]

    return make


def ask(strategy, n, told=(), pending=None):
    state = strategy.init(jax.random.key(0))
    for tokens, values in told:
        state = strategy.tell(state, tokens, np.asarray(values, np.float64)[:, None])
    return strategy.ask(jax.random.key(1), state, n, *([] if pending is None else [pending]))[0]


def test_it_is_told_the_history_and_what_is_pending(answers, space):
    strategy, told = answers([CELLS[0]])
    known = space.from_index([4242, 77, 9])
    tokens = ask(strategy, 1, [(known[:2], [93.5, np.nan])], known[2:])
    assert space.to_native(tokens) == CELLS[:1]
    (request,) = told()
    first, second = space.to_native(known[:2])
    assert request["trials"] == [
        {"architecture": first, "values": [93.5], "value": 93.5},
        {"architecture": second, "values": [None], "value": None},
    ]
    assert request["pending"] == space.to_native(known[2:])
    assert (request["n"], request["refused"], request["space"]["name"]) == (1, [], "nasbench201")


def test_what_is_refused_is_told_with_reasons_and_asked_for_again(answers, space):
    known = space.from_index([4242])
    strategy, told = answers(
        ["no cell", 3, *space.to_native(known), CELLS[0], CELLS[0]],
        "thinking...\n" + json.dumps([CELLS[1], CELLS[0]]),
    )
    assert space.to_native(ask(strategy, 2, [(known, [93.5])])) == CELLS
    first, second = told()
    assert (first["n"], second["n"]) == (2, 1)
    reasons = [refused["reason"] for refused in second["refused"]]
    assert "is not a NAS-Bench-201 cell" in reasons[0]
    assert reasons[1:] == [
        "it must be a string of the space's notation",
        *["it is labelled, pending or proposed already"] * 2,
    ]


def test_too_few_are_made_up_at_random_and_said_to_be(answers, space, caplog):
    strategy, told = answers(CELLS[:1], [], retries=1)
    with caplog.at_level(logging.WARNING):
        tokens = ask(strategy, 3)
    assert space.to_native(tokens)[0] == CELLS[0]
    assert len(np.unique(space.canonical(tokens))) == 3
    assert len(told()) == 2
    assert "gave 1 of 3 architectures; the others are random" in caplog.text


@pytest.mark.parametrize(
    ("output", "options", "words"),
    [
        ("", {"run": "echo no key >&2; exit 3"}, "nothing new in 2 attempts: exit status 3: no key"),
        (
            "[]",
            {"run": "sleep 9", "timeout": 0.2},
            "nothing new in 2 attempts: it took more than 0.2 s and was stopped",
        ),
        ("I can't", {}, "expected a JSON list on stdout or on its last line, found .*I can't"),
        ("[]", {}, "its list is too short"),
        (["no cell"], {}, "1 refused, the first is 'no cell': .* is not a NAS-Bench-201 cell"),
    ],
)
def test_nothing_new_ends_the_search_with_the_reason(answers, output, options, words):
    strategy, _ = answers(output, output, retries=1, **options)
    with pytest.raises(InputError, match=words):
        ask(strategy, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"command": ""}, "is empty: set config.strategies.llm.command"),
        ({"command": "no_such_program"}, "the command of strategy 'llm' 'no_such_program': there is no program"),
        ({"command": "cat", "retries": -1}, "at least 0"),
    ],
)
def test_what_is_refused(space, options, words):
    with pytest.raises(InputError, match=words):
        strategies.make("llm", space, **options)


def test_who_proposed_is_stored(space):
    command = f"{sys.executable} -S {shlex.quote(__file__.replace('test_llm', 'propose'))}"
    given = {"strategy": "llm", "command": command, "initial": 2, "progress": False}
    with nag.study(space, objectives={"convolutions": "max"}, **given) as study:
        for _ in range(4):
            (proposal,) = study.ask()
            study.tell(proposal, proposal.architecture.count("nor_conv_3x3"))
        assert {trial.origin for trial in study.trials} == {"llm"}


def test_a_plan_runs_no_command(tmp_path):
    config = nb201_search.get_config("smoke")
    config.run = ("llm",)
    config.strategies.llm.command = f"touch {tmp_path / 'ran'}; echo []"
    runs.show_plan(config, tmp_path / "run")
    assert not (tmp_path / "ran").exists()
