"""The command `nag`, which `pip install` makes: one word for each thing that can be done.

    nag run nb201:smoke              runs a config, by its name or file; without one it lists them
    nag search                       one search: the best architecture of 50 labels
    nag report RUN [RUN ...]         makes a run's page again, or one page of several
    nag export RUN                   takes an architecture home: string, drawing, Flax, PyTorch, ONNX
    nag serve --config=NAME          answers requests about a search, a line of JSON each
    nag watch RUN                    a live page of a run that is at work
    nag convert WHAT ...             what others published, into files that runs read

What follows the word is what `python -m experiments.main`, `.report`, `.export`, `.serve` and `.convert` take: see
`nag WORD --help`. In a checkout that isn't installed it is `python -m nag_jax`.
"""

import importlib
import sys
from collections.abc import Callable
from typing import NamedTuple

from nag_jax.system.errors import quoted

from . import command_line


class Command(NamedTuple):
    """A word of `nag`.

    Attributes:
        run: does it, given the arguments that follow the word.
        goes_on: whether the same command continues where it was interrupted.
    """

    run: Callable[[list[str]], None]
    goes_on: bool = False


def main() -> None:
    """Does what the word says; exits with 2 and one line where there is none of it."""
    word, arguments = (sys.argv[1], sys.argv[2:]) if sys.argv[1:] else ("--help", [])
    if word in ("-h", "--help"):
        print(__doc__)
        return
    if word == "--version":
        from nag_jax import __version__

        print(__version__)
        return
    if word not in COMMANDS:
        command_line.fail(f"there is no command {quoted(word)}: use {', '.join(COMMANDS)}, or see nag --help")
    command = COMMANDS[word]
    with command_line.ending("experiments.nag", goes_on=command.goes_on, loads=True, joined=_is_joined):
        command.run(arguments)


def _run(arguments: list[str]) -> None:
    """Runs the config that comes first, if one does."""
    from . import main as runs

    named = arguments[:1] if arguments and not arguments[0].startswith("-") else []
    runs.start([*(f"--config={name}" for name in named), *arguments[len(named) :]])


def _search(arguments: list[str]) -> None:
    """Runs one search, or the config that comes first instead."""
    _run(arguments if arguments and not arguments[0].startswith("-") else ["nb201_search", *arguments])


def _serve(arguments: list[str]) -> None:
    """Serves a search."""
    from . import serve

    serve.start(arguments)


def _module(name: str) -> Callable[[list[str]], None]:
    """The `main` of a module beside this one, which is loaded when it is called."""

    def run(arguments: list[str]) -> None:
        command_line.listen()
        importlib.import_module(f".{name}", __package__).main(arguments)

    return run


def _is_joined() -> bool:
    runs = sys.modules.get(f"{__package__}.main")
    return runs is not None and runs.is_joined()


COMMANDS = {
    "run": Command(_run, goes_on=True),
    "search": Command(_search, goes_on=True),
    "report": Command(_module("report")),
    "export": Command(_module("export")),
    "serve": Command(_serve, goes_on=True),
    "convert": Command(_module("convert")),
    "watch": Command(_module("watch")),
}


if __name__ == "__main__":
    main()
