"""Measures the code itself: its lines, and what one smoke run of `generate` goes through.

    python -m experiments.bench.house

prints lines by room, the longest modules and functions, the files that a run enters (a function of theirs is called),
the pairs of files in different packages that call each other both ways, how often the space and the evaluator are
made and a pool is decoded, and how many programs XLA compiles. The run is traced, so its seconds mean nothing.
"""

import ast
import functools
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import jax
from absl import logging

from configs import nb201
from experiments import runs

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("nag_jax", "experiments", "configs")
COMPILED = "/jax/core/compile/backend_compile_duration"
"""The event that JAX records for each program that it compiles."""


class Trace:
    """What a run went through.

    Attributes:
        files: the files entered.
        calls: (calling file, called file) to the number of calls.
        functions: name of a function to the number of calls.
    """

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.functions: Counter[str] = Counter()

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """Takes note of a call; for `sys.setprofile`."""
        called = _place(frame)
        if event != "call" or called is None or frame.f_code.co_name == "<module>":
            return
        self.files.add(called)
        self.functions[frame.f_code.co_name] += 1
        if frame.f_back and (caller := _place(frame.f_back)) and caller != called:
            self.calls[caller, called] += 1

    def both_ways(self) -> list[tuple[str, str]]:
        """The pairs of files in different packages that call each other."""
        pairs = [(a, b) for a, b in self.calls if a < b and (b, a) in self.calls]
        return [(a, b) for a, b in pairs if Path(a).parent != Path(b).parent]


def _place(frame: FrameType) -> str | None:
    """The file of a frame as a path in the repository; None for the code of others."""
    return _place_of(frame.f_code.co_filename)


@functools.cache  # every call of a run asks, those of JAX included
def _place_of(file: str) -> str | None:
    path = Path(file)
    if not path.is_relative_to(ROOT):
        return None
    place = path.relative_to(ROOT)
    return str(place) if place.parts[0] in PACKAGES and place != Path("experiments/bench/house.py") else None


def trace_run() -> tuple[Trace, int]:
    """Traces a smoke run of `generate`; returns that, and the number of compiled programs."""
    compiled: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if event == COMPILED else None
    )
    trace = Trace()
    with tempfile.TemporaryDirectory() as folder:
        sys.setprofile(trace)
        runs.run(nb201.get_config("smoke"), Path(folder) / "run")
        sys.setprofile(None)
    return trace, len(compiled)


def sources() -> Iterator[tuple[str, str]]:
    """The path and the text of every module."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def functions(source: str) -> Iterator[tuple[str, int]]:
    """The name of every function of a module, and its lines without its docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            documented = ast.get_docstring(node, clean=False) is not None
            yield node.name, lines - ((first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0)


def main() -> None:
    """Prints what was measured."""
    logging.set_verbosity(logging.FATAL)
    texts = dict(sources())
    rooms: Counter[str] = Counter()
    for path, text in texts.items():
        rooms[str(Path(*Path(path).parts[: 2 if path.startswith("nag_jax") else 1]))] += len(text.splitlines())
    longest = sorted((len(text.splitlines()), path) for path, text in texts.items())[-5:]
    largest = sorted((n, path, name) for path, text in texts.items() for name, n in functions(text))[-5:]
    trace, compiled = trace_run()
    print(f"lines: {sum(rooms.values()):,} in all;", ", ".join(f"{room} {n:,}" for room, n in rooms.most_common()))
    print("longest modules:", ", ".join(f"{path} {n}" for n, path in reversed(longest)))
    print("longest functions:", ", ".join(f"{path}:{name} {n}" for n, path, name in reversed(largest)))
    print(f"files entered: {len(trace.files)}")
    print(f"pairs both ways, in different packages: {trace.both_ways()}")
    made = {name: trace.functions[name] for name in ("make_space", "make_evaluator", "decode")}
    print(f"calls: {made}; programs compiled: {compiled}")


if __name__ == "__main__":
    main()
