"""A service as tools: the same methods, schemas and replies, whatever is called."""

import asyncio
import json

import pytest

from nag_jax.studies.methods import METHODS
from nag_jax.studies.tools import make_server
from nag_jax.system import extras
from nag_jax.system.errors import InputError


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_tools_are_the_methods(serve, mode):
    mcp = pytest.importorskip("mcp")

    async def listed():
        async with mcp.Client(make_server(serve().service), mode=mode) as client:
            return (await client.list_tools()).tools, await client.call_tool("describe", {})

    tools, described = asyncio.run(listed())
    assert {tool.name: tool.input_schema for tool in tools} == {name: METHODS[name]["params"] for name in METHODS}
    assert described.structured_content["result"]["methods"] == json.loads(json.dumps(METHODS))
    assert all(tool.description == METHODS[tool.name]["does"] for tool in tools)


def test_errors_are_replies(serve, space):
    call = serve(budget=1, door="mcp")
    cells = space.to_native(space.from_index([4242, 77]))
    assert call("drop")["kind"] == "input"
    assert call("ask", n=0)["message"] == "params.n must be at least 1, found 0"
    assert "is not a NAS-Bench-201 cell" in call("evaluate", architectures=["no cell"])["message"]
    assert call("evaluate", architectures=cells)["kind"] == "budget"
    assert call("evaluate", architectures=cells[:1])[0]["paid"]


def test_without_the_package_the_extra_is_named(serve, monkeypatch):
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"--protocol=mcp needs the package mcp: run pip install 'nag-jax\[mcp\]'"):
        make_server(serve().service)
