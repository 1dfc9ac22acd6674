"""Serves a search to a program of any language: a request a line on stdin, a reply a line on stdout, as JSON.

    python -m experiments.serve --config=configs/nb201_search.py --config.search.budget=50

    {"id": 1, "method": "describe"}
    {"id": 2, "method": "ask", "params": {"n": 3}}
    {"id": 3, "method": "evaluate", "params": {"architectures": ["|nor_conv_3x3~0|+..."]}}

`describe` lists the methods and what they take. The strategy is the first of `config.run`, the seed `config.seed`, and
the budget, which no request can raise, `config.search.budget`. With `--protocol=mcp` the methods are tools of the Model
Context Protocol instead, as agents call them (pip install 'nag-jax[mcp]'). Other flags are those of `experiments.main`;
logs go to stderr. The end of stdin ends it with status 0, and the same command in the same workdir goes on where it
stopped.
"""

import sys
from pathlib import Path

from absl import flags

from . import command_line, main
from .compilation_cache import use_compilation_cache

_PROTOCOL = flags.DEFINE_enum("protocol", "lines", ["lines", "mcp"], "What requests and replies are; see the module.")


def start(arguments: list[str]) -> None:
    """Serves what arguments say, which aren't those of this process."""
    from absl import app

    app.run(serve, argv=[sys.argv[0], *arguments], flags_parser=_parse_flags)


def _parse_flags(argv: list[str]) -> list[str]:
    """Those of `experiments.main`, with help of this module's own where nothing else is asked."""
    if argv[1:] in (["-h"], ["-help"], ["--help"]):
        print(__doc__)
        sys.exit(0)
    return main.parse_flags(argv)


def serve(argv: list[str]) -> None:
    """Serves the config's search until stdin ends."""
    if len(argv) > 1:
        command_line.fail(f"unexpected argument {argv[1]!r}: overrides look like --config.seed=1")
    replies_to, sys.stdout = sys.stdout, sys.stderr  # whatever else is printed is no reply
    use_compilation_cache()
    from nag_jax.settings.config import from_config
    from nag_jax.studies.service import replies
    from nag_jax.studies.serving import open_service
    from nag_jax.studies.tools import check_protocol, serve_tools
    from nag_jax.tasks.workdir import Workdir

    config, as_tools = main.config(), _PROTOCOL.value == "mcp"
    if as_tools:
        check_protocol()
    else:  # the protocol's package waits for its threads before it ends, so there a signal goes on to end it at once
        command_line.listen()
    with open_service(from_config(config), Workdir(main.workdir() or Path("runs") / f"{config.name}-serve")) as service:
        if as_tools:
            serve_tools(service, sys.stdin.buffer, replies_to.buffer)
            return
        for reply in replies(service, sys.stdin.buffer):
            print(reply, file=replies_to, flush=True)


if __name__ == "__main__":
    with command_line.ending("experiments.serve", loads=True):
        start(sys.argv[1:])
