"""How this process was started, as people type it: the command `nag`, or `python -m` and a module of `experiments`."""

import shlex
import sys
from pathlib import Path

_NAG = ("nag", "nag.exe")
"""Names of the console script."""
_LIBRARY = "nag_jax"


def program() -> list[str]:
    """The words that started this process, before its arguments; empty where it was something else, as a notebook."""
    started = getattr(sys.modules["__main__"], "__spec__", None)
    if started is None:
        return ["nag"] if Path(sys.argv[0]).name in _NAG else []
    ours = started.name == f"{_LIBRARY}.__main__" or started.name.split(".")[-2:-1] == ["experiments"]
    return ["python", "-m", started.name.removesuffix(".__main__")] if ours else []


def command() -> str | None:
    """The command line that started this process, to paste into a shell; None where it was started otherwise."""
    words = program()
    return shlex.join([*words, *sys.argv[1:]]) if words else None


def usage_of(module: str) -> str:
    """What a command's help calls it: `nag report`, or `python -m experiments.report` where that was typed.

    Args:
        module: the name of its module.
    """
    words = program()
    by_nag = words[-1:] == ["nag"] or words[-1:] == [_LIBRARY] or words[-1:] == ["experiments.nag"]
    return shlex.join([*words, module.rpartition(".")[2]] if by_nag else ["python", "-m", module])
