"""The examples in docstrings run, and whatever a user meets first has one."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import nag_jax

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(["nag_jax", *(module.name for module in pkgutil.walk_packages(nag_jax.__path__, "nag_jax."))])
ROOMS = [name for name in MODULES if name.count(".") == 1 and hasattr(importlib.import_module(name), "__path__")]
FINDER = doctest.DocTestFinder(exclude_empty=True)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def examples(name):
    return [test for test in FINDER.find(importlib.import_module(name), name) if test.examples]


def public():
    """What `nag_jax` and its rooms name as public, and every `make`, by where it is defined."""
    found = {f"nag_jax.{name}": getattr(importlib.import_module("nag_jax.api"), name) for name in nag_jax.__all__}
    for room in MODULES:
        module = importlib.import_module(room)
        names = getattr(module, "__all__", ()) if room in ROOMS else ()
        for name in {*names, *(name for name in ("make",) if hasattr(module, name))}:
            found[f"{room}.{name}"] = getattr(module, name)
    return {place: thing for place, thing in found.items() if inspect.isfunction(thing) or _has_instances(thing)}


def _has_instances(thing):
    return inspect.isclass(thing) and not getattr(thing, "_is_protocol", False)


SLOW = ("nag_jax.api",)
"""Their examples fit and generate; what they call is tested in test_api.py, too."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in MODULES if examples(name)],
)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    said = []
    for test in examples(name):
        runner.run(test, out=said.append)
    assert not runner.summarize(verbose=False).failed, "".join(said)


@pytest.mark.parametrize("place", sorted(public()))
def test_public_names_have_an_example(place):
    assert ">>>" in (public()[place].__doc__ or ""), f"give {place} a short example"


BARE = re.compile(
    r"^\s+\*{0,2}[a-z_]+: (of|for|from|in|on|to|by|with|at|after|before|under|as|likewise|see)\b", re.MULTILINE
)
"""A line of an argument that says nothing alone."""


@pytest.mark.parametrize("package", ["nag_jax", "experiments", "configs"])
def test_the_line_of_an_argument_can_be_read_alone(package):
    found = {}
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if BARE.search(text := ast.get_docstring(node, clean=False) or ""):
                found[str(path.relative_to(ROOT))] = [line.strip() for line in text.splitlines() if BARE.match(line)]
    assert found == {}
