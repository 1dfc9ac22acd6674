"""A service of one search, over each of its protocols, that looks for metrics of the test split in every reply."""

import asyncio
import json
import re

import pytest

from nag_jax import settings, spaces
from nag_jax.evaluators.function import from_function
from nag_jax.settings.evaluator import Evaluator
from nag_jax.settings.score import Generator
from nag_jax.settings.search import STRATEGIES, Loop
from nag_jax.studies.make import open_study
from nag_jax.studies.service import Service, replies
from nag_jax.studies.tools import make_server
from nag_jax.tasks import search as searching
from nag_jax.tasks.setting import Given
from nag_jax.tasks.workdir import Unkept

SECRET = 717.0
"""Where values of the test split begin, which nothing else comes within 1 above of."""


def measure(architecture):
    if architecture.count("none") > 3:
        raise ValueError("nothing gets through")
    validation = 10.0 * architecture.count("nor_conv_3x3") + architecture.count("skip") / 8
    return {"validation": validation, "test": SECRET + validation / 1024}


@pytest.fixture(scope="session")
def measured():
    """What an architecture is worth: a function of its string."""
    return measure


@pytest.fixture(scope="module")
def space():
    return spaces.make("nasbench201")


@pytest.fixture(scope="module")
def evaluator(space):
    given = {"further": ("test",), "splits": {"test": "test", "validation": "validation"}, "fingerprint": "a test's"}
    return from_function(measure, space=space, metric="validation", **given)


def numbers(reply):
    """All numbers of a reply, those in its texts included."""
    return [float(number) for number in re.findall(r"\d+\.?\d*", json.dumps(reply))]


def by_line(service):
    """(method, params) -> the reply to a line of JSON."""

    def call(method, params):
        line = json.dumps({"id": [method], "method": method, "params": params})
        (reply,) = replies(service, iter([line.encode()]))
        found = json.loads(reply)
        assert found.pop("id") == [method]
        return found

    return call


def by_tool(service):
    """(method, params) -> what the protocol's own client gets."""
    mcp = pytest.importorskip("mcp")
    server = make_server(service)

    async def one(method, params):
        async with mcp.Client(server) as client:
            return await client.call_tool(method, params)

    def call(method, params):
        found = asyncio.run(one(method, params))
        (said,) = found.content
        assert json.loads(said.text) == found.structured_content
        assert found.is_error == ("error" in found.structured_content)
        return found.structured_content

    return call


@pytest.fixture
def serve(space, evaluator):
    """(strategy, budget, door) -> (method, params) -> the result, or the error."""
    opened = []

    def start(strategy="regularized_evolution", budget=20, door="lines"):
        name = STRATEGIES[strategy].name
        config = settings.Search(
            evaluator=Evaluator(name="function", metric="validation"),
            search=Loop(initial=min(5, budget), budget=budget),
            generator=Generator(name="exact"),
            strategies={"random_search": STRATEGIES["random_search"], name: STRATEGIES[strategy]},
            run=(name,),
            seeds=1,
        )
        run = searching.check(config, Unkept(), Given(space, evaluator, quiet=True))
        study = open_study(run, run.objectives, name, 0, None)
        opened.append(study)
        service = Service(run, study)
        reply = {"lines": by_line, "mcp": by_tool}[door](service)

        def call(method, **params):
            found = reply(method, params)
            assert not any(SECRET <= number < SECRET + 1 for number in numbers(found))
            return found.get("result", found.get("error"))

        call.service = service
        return call

    yield start
    for study in opened:
        study.close()
