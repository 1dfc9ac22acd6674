# pyright: reportAttributeAccessIssue=false
"""What tells two functions apart, so that a ledger never serves one the labels of the other."""

import dataclasses
import functools
import importlib
import subprocess
import sys
import threading

import numpy as np
import pytest

from nag_jax.evaluators.fingerprint import of_function
from nag_jax.system.errors import InputError

PROLOGUE = """
import dataclasses, functools, math
import numpy as np
TABLE = {"a": [1.0, 2.0]}
WEIGHTS = np.arange(4.0)
def helper(arch, scale=2.0):
    return scale * len(arch)
def outer(arch):
    return helper(arch) + 1
@functools.cache
def cached(arch):
    return 1.0
class Model:
    rate = 0.5
    def __init__(self, width):
        self.width = width
    def __call__(self, arch):
        return self.rate * self.width
    @property
    def area(self):
        return self.width ** 2
    @staticmethod
    def free(arch):
        return 3
@dataclasses.dataclass(frozen=True)
class Frozen:
    width: int = 3
    names: list = dataclasses.field(default_factory=list)
    def __call__(self, arch):
        return self.width
model, frozen = Model(3), Frozen()
def closing(value):
    return lambda arch: value + len(arch)
"""
PAIRS = {
    "a constant": ("lambda arch: 1.0", "lambda arch: 2.0"),
    "a string": ("lambda arch: arch.count('a')", "lambda arch: arch.count('b')"),
    "a default": ("lambda arch, x=1: x", "lambda arch, x=2: x"),
    "a keyword's default": ("lambda arch, *, x=1: x", "lambda arch, *, x=2: x"),
    "a cell": ("closing(1)", "closing(2)"),
    "the kind of a number": ("closing(1)", "closing(1.0)"),
    "what it calls": ("lambda arch: helper(arch)", "lambda arch: outer(arch)"),
    "a method of a string": ("lambda arch: arch.upper()", "lambda arch: arch.lower()"),
    "a function of a module": ("lambda arch: math.sin(1)", "lambda arch: math.cos(1)"),
    "the code inside": ("lambda arch: [c for c in arch if c > 'a']", "lambda arch: [c for c in arch if c > 'b']"),
    "an argument of partial": ("functools.partial(helper, scale=1)", "functools.partial(helper, scale=3)"),
    "an attribute": ("Model(1)", "Model(2)"),
    "the object of a method": ("Model(1).__call__", "Model(2).__call__"),
    "an array": ("closing(np.arange(3))", "closing(np.arange(3) + 1)"),
    "a set": ("closing({1, 2})", "closing({1, 3})"),
    "a nested list": ("closing([[1], [2]])", "closing([[1], [3]])"),
}
CHANGES = {
    "the constant of a helper": ("scale * len", "3 * scale * len"),
    "the default of a helper": ("scale=2.0", "scale=2.5"),
    "a global table": ("[1.0, 2.0]", "[1.0, 2.5]"),
    "a global array": ("arange(4.0)", "arange(5.0)"),
    "a class attribute": ("rate = 0.5", "rate = 0.6"),
    "a method of a class": ("self.rate * self.width", "self.rate + self.width"),
    "a property": ("** 2", "** 3"),
    "a static method": ("return 3", "return 4"),
    "a cached function": ("return 1.0", "return 1.5"),
    "a dataclass": ("width: int = 3", "width: int = 4"),
}
EVERYTHING = "lambda arch: outer(arch) + TABLE['a'][0] + WEIGHTS.sum() + cached(arch) + model(arch) + frozen(arch)"


def made(text, prologue=PROLOGUE):
    scope = {"__name__": "__main__"}
    exec(prologue, scope)
    return eval(text, scope)


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_functions_that_differ_are_told_apart(pair):
    one, other = pair
    assert of_function(made(one)) == of_function(made(one))
    assert of_function(made(one)) != of_function(made(other))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_a_function_refers_to_counts(change):
    assert PROLOGUE.count(change[0]) == 1
    assert of_function(made(EVERYTHING)) != of_function(made(EVERYTHING, PROLOGUE.replace(*change)))


def test_where_it_stands_and_what_it_does_not_use_do_not_count():
    moved = "\n\n# a remark\nunused = 3\n" + PROLOGUE
    assert of_function(made(EVERYTHING)) == of_function(made(EVERYTHING, moved))


def test_it_is_the_same_in_another_process(tmp_path):
    (tmp_path / "mine.py").write_text(
        f"{PROLOGUE}\nNAMES = {{'x', 'y', 'z'}}\nf = {EVERYTHING}\ng = lambda a: a in NAMES\n"
    )
    code = "import mine; from nag_jax.evaluators.fingerprint import of_function as o; print(o(mine.f), o(mine.g))"
    found = set()
    for seed in ("1", "2"):  # the second time from a .pyc file
        environment = {"PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}", "PYTHONHASHSEED": seed, "JAX_PLATFORMS": "cpu"}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1


def test_modules_of_ones_own_are_looked_into(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    found = set()
    for value in (1, 2):
        (tmp_path / "own_training.py").write_text(f"def train(arch):\n    return rate\nrate = {value}\n")
        importlib.invalidate_caches()
        sys.modules.pop("own_training", None)
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        found.add(of_function(made("lambda arch: own_training.train(arch)", "import own_training")))
        sys.dont_write_bytecode = before
    assert len(found) == 2
    late = made("train", "def train(arch):\n    import own_training\n    return own_training.train(arch)")
    with pytest.raises(InputError, match=r"imports 'own_training' as it is called.*give it a fingerprint"):
        of_function(late)
    of_function(made("train", "def train(arch):\n    import json, numpy\n    return 1"))


def test_what_cannot_be_seen_is_asked_for():
    lock = threading.Lock()
    for opaque in (lambda arch: lock.locked(), functools.partial(lambda lock, arch: 1, lock), (x for x in "abc").send):
        with pytest.raises(InputError, match="which can't be seen into; give it a fingerprint, any string"):
            of_function(opaque)
    with pytest.raises(InputError, match=r"has no code in Python to be known by: give it a fingerprint"):
        of_function(functools.partial(float))


def test_circles_and_shared_things_end():
    items: list = [1]
    items.append(items)

    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n > 0 and even(n - 1) and bool(items)

    assert of_function(even) == of_function(even) != of_function(odd)


def test_library_objects_are_seen_as_pickle_sees_them():
    pandas = pytest.importorskip("pandas")
    for one, other in (
        (pandas.DataFrame({"a": [1]}), pandas.DataFrame({"a": [2]})),
        (np.random.default_rng(0), np.random.default_rng(1)),
        (dataclasses.make_dataclass("Point", ["x"])(1), dataclasses.make_dataclass("Point", ["x"])(2)),
    ):
        same, differs = (lambda arch, one=one: one), (lambda arch, one=other: one)
        assert of_function(same) == of_function(lambda arch, one=one: one) != of_function(differs)
