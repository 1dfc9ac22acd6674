"""A service as tools of the Model Context Protocol: its methods, with the same parameters and the same replies."""

import json
from io import TextIOWrapper
from typing import TYPE_CHECKING, BinaryIO

from nag_jax.studies.methods import METHODS
from nag_jax.studies.service import Service
from nag_jax.system.extras import check_installed

if TYPE_CHECKING:
    from mcp.server import Server

_INSTRUCTIONS = (
    "One search for neural architectures. `describe` says what is searched, by what, and how many labels the budget "
    "has left; only `evaluate` pays for labels. A result holds `result`, or `error` with a message that says what "
    "mends the call."
)


def check_protocol() -> None:
    """Raises InputError where the protocol's package isn't installed."""
    check_installed("mcp", extra="mcp", needed_by="--protocol=mcp")


def make_server(service: Service) -> "Server":
    """The server whose tools are the methods of a service; calls are answered one after the other.

    Args:
        service: answers them.

    Raises:
        InputError: the package `mcp` isn't installed.
    """
    check_protocol()
    from mcp import types
    from mcp.server import Server

    listed = types.ListToolsResult(
        tools=[
            types.Tool(name=name, description=method["does"], input_schema=method["params"])
            for name, method in METHODS.items()
        ]
    )

    async def list_tools(context, params):
        return listed

    async def call_tool(context, params):
        answer = service.answer(params.name, params.arguments)
        said = types.TextContent(type="text", text=json.dumps(answer, allow_nan=False))
        return types.CallToolResult(content=[said], structured_content=answer, is_error="error" in answer)

    return Server(
        "nag_jax",
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def serve_tools(service: Service, requests: BinaryIO, replies: BinaryIO) -> None:
    """Serves the tools of a service until the requests end.

    Args:
        service: answers them.
        requests: where a client writes to, as stdin.
        replies: what it reads, as stdout.

    Raises:
        InputError: the package `mcp` isn't installed.
    """
    server = make_server(service)
    import anyio
    from mcp.server.stdio import stdio_server

    async def run():
        streams = (TextIOWrapper(stream, encoding="utf-8", errors="replace") for stream in (requests, replies))
        async with stdio_server(*map(anyio.wrap_file, streams)) as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(run)
