"""Pickles, read inertly: nothing that they name is looked up, and nothing of theirs is called.

A pickle is a program for a small stack machine (the standard library's `pickletools` describes each of its opcodes).
This machine builds plain values and plain containers, and what the caller has functions for. Whatever else a pickle
makes becomes an `Opaque`, whose content only a reader who knows the class asks for.

It isn't built on `pickle.Unpickler`: a file of 375 bytes makes that allocate gigabytes (by a gap in the numbers of what
it remembers), and three million nested tuples as a key end the process (it hashes them on the C stack).
"""

import abc
import pickle
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nag_jax.system.errors import InputError
from nag_jax.system.foreign import Budget

Function = Callable[..., Any]
"""Stands for a function that pickles call: `(*arguments, budget=) -> value`, or None for one that is left opaque."""

_CONTAINER, _SET, _ENTRY, _OBJECT = 64, 216, 96, 96
"""Bytes of an empty list or dict or a tuple, of an empty set, of an entry of a dict or set, of an object."""
_LONGEST_KEY = 64
"""Entries of a tuple that is a key. It is hashed anew at every use."""
_PLAIN = str, int, float, bool, bytes, type(None)


class Opaque:
    """What a pickle wanted to be made of a class or function, or that itself, where `made` is False.

    Attributes:
        name: the class or function, as `"igraph.Graph"`.
        made: whether an object was made of it.
        state: what the object was given as its content, usually a dict of its attributes; else None.
    """

    __slots__ = ("made", "name", "state")

    def __init__(self, name: str, *, made: bool = False):
        self.name = name
        self.made = made
        self.state: Any = None

    def __repr__(self) -> str:
        return f"<{self.name}, which isn't read>"


class Unfinished(abc.ABC):
    """A value that a pickle makes in two steps, and may remember in between.

    Attributes:
        places: where the machine remembers it.
    """

    __slots__ = ("places",)

    def __init__(self):
        self.places: list[int] = []

    @abc.abstractmethod
    def build(self, state: Any, budget: Budget) -> Any:
        """What takes its place, once its state is known."""


def load(
    data: bytes,
    *,
    budget: Budget,
    start: int = 0,
    functions: Mapping[str, Function],
    persistent: Callable[[Any], Any] | None = None,
) -> tuple[Any, int]:
    """Reads one pickle.

    Args:
        data: the bytes that it is among.
        budget: what may be made from the file.
        start: where it begins.
        functions: what to call in the place of functions that pickles call, by name, as `"numpy.dtype"`.
        persistent: gives what a persistent reference stands for; without it, pickles have none.

    Returns:
        What it holds, and where it ends.

    Raises:
        Exception: nearly any, where the pickle is damaged; InputError where it would become too large.
    """
    machine = _Machine(data, start, budget, functions, persistent)
    return machine.run(), machine.at


class _Machine:
    """The stack machine, with one step per opcode."""

    def __init__(self, data: bytes, at: int, budget: Budget, functions: Mapping[str, Function], persistent):
        self.at = at
        self.data = data
        self.budget = budget
        self.functions = functions
        self.persistent = persistent
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: list[Any] = []

    def run(self) -> Any:
        data, steps, stop = self.data, _STEPS, pickle.STOP[0]
        while True:
            code = data[self.at]
            self.at += 1
            if code == stop:
                return self.stack.pop()
            step = steps.get(code)
            if step is None:
                raise InputError(f"the pickle has the opcode {code}, which no file of this kind needs")
            step(self)

    def take(self, count: int) -> bytes:
        start = self.at
        self.at = end = start + count
        if end > len(self.data):
            raise InputError("the pickle ends too early")
        return self.data[start:end]

    def unsigned(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def signed(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little", signed=True)

    def line(self) -> str:
        end = self.data.index(b"\n", self.at)
        text = self.take(end - self.at).decode()
        self.at += 1
        return text

    def push(self, value: Any, cost: int = 0) -> None:
        self.budget.take(cost)
        self.stack.append(value)

    def push_text(self, width: int, encoding: str = "utf-8") -> None:
        self.push(self.take(self.unsigned(width)).decode(encoding), _CONTAINER)

    def push_bytes(self, width: int) -> None:
        self.push(self.take(self.unsigned(width)), _CONTAINER)

    def push_float(self) -> None:
        self.stack.append(_DOUBLE.unpack_from(self.data, self.at)[0])
        self.at += 8

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def pop_mark(self) -> list[Any]:
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def push_tuple(self, items: list[Any]) -> None:
        self.push(tuple(items), _CONTAINER + 8 * len(items))

    def pop(self, count: int) -> list[Any]:
        items = [self.stack.pop() for _ in range(count)]
        return items[::-1]

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is list:
            target += items
        elif type(target) is not Opaque:
            raise InputError("the pickle appends to what is no list")

    def add(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is set:
            self.budget.take(_ENTRY * len(items))
            target.update(map(_key, items))
        elif type(target) is not Opaque:
            raise InputError("the pickle adds to what is no set")

    def push_frozen(self, items: list[Any]) -> None:
        self.push(frozenset(map(_key, items)), _SET + _ENTRY * len(items))

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is dict:
            self.budget.take(_ENTRY * len(items) // 2)
            for key, value in zip(items[::2], items[1::2], strict=True):
                target[key if type(key) is str else _key(key)] = value
        elif type(target) is not Opaque:
            raise InputError("the pickle sets entries of what is no dict")

    def get(self) -> None:
        self.stack.append(self.memo[self.data[self.at]])
        self.at += 1

    def put(self, place: int) -> None:
        # Python numbers what it remembers from 0, and Python 2 did from 1, without gaps.
        if place > len(self.memo) + 1:
            raise InputError("the pickle leaves a gap in what it remembers")
        self.memo += [None] * (place + 1 - len(self.memo))
        self.memo[place] = value = self.stack[-1]
        if isinstance(value, Unfinished):
            value.places.append(place)

    def remember(self) -> None:
        value = self.stack[-1]
        if isinstance(value, Unfinished):
            value.places.append(len(self.memo))
        self.memo.append(value)

    def name(self, module: Any, name: Any) -> None:
        if type(name) is not str or type(module) is not str:
            raise InputError("the pickle names a class by what is no text")
        self.push(Opaque(f"{module}.{name}"), _OBJECT + _CONTAINER + 4 * (len(module) + len(name)))

    def call(self, *, new: bool) -> None:
        """Replaces a name and arguments by what they make; where `new`, by an object of a class."""
        arguments, named = self.stack.pop(), self.stack[-1]
        if type(named) is not Opaque or named.made or type(arguments) is not tuple:
            raise InputError("the pickle calls what is no name of a function or class")
        function = None if new else self.functions.get(named.name)
        self.budget.take(_OBJECT)
        made = None if function is None else function(*arguments, budget=self.budget)
        self.stack[-1] = Opaque(named.name, made=True) if made is None else made

    def new_with_keywords(self) -> None:
        self.stack.pop()
        self.call(new=True)

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is Opaque and target.made:
            target.state = state
        elif isinstance(target, Unfinished):
            self.stack[-1] = built = target.build(state, self.budget)
            for place in target.places:
                self.memo[place] = built
        elif type(target) is not dict:  # a dict gets metadata, which PyTorch hangs on an OrderedDict
            raise InputError("the pickle alters what is no object")

    def refer(self) -> None:
        if self.persistent is None:
            raise InputError("the pickle refers to something outside of it")
        self.stack[-1] = self.persistent(self.stack[-1])


def make_dictionary(items=(), *, budget: Budget) -> dict:
    """An OrderedDict: its content follows, or, in files of Python 2, comes as a list of pairs."""
    budget.take(_CONTAINER + _ENTRY * len(items))
    return {_key(key): value for key, value in items}


def _key(value: Any) -> Any:
    """A key or a member of a set, if hashing it is safe and fast."""
    if type(value) in _PLAIN or isinstance(value, np.generic):
        return value
    if type(value) is tuple and len(value) <= _LONGEST_KEY and all(type(item) in _PLAIN for item in value):
        return value
    raise InputError(f"the pickle has a key of {type(value).__name__}, expected text or a number")


_DOUBLE = struct.Struct(">d")
_STEPS: dict[int, Callable[[_Machine], Any]] = {
    code[0]: step
    for code, step in {
        pickle.PROTO: lambda m: m.take(1),
        pickle.FRAME: lambda m: m.take(8),
        pickle.MARK: _Machine.mark,
        pickle.POP: lambda m: m.stack.pop(),
        pickle.NONE: lambda m: m.stack.append(None),
        pickle.NEWTRUE: lambda m: m.stack.append(True),
        pickle.NEWFALSE: lambda m: m.stack.append(False),
        pickle.BININT: lambda m: m.stack.append(m.signed(4)),
        pickle.BININT1: lambda m: m.stack.append(m.unsigned(1)),
        pickle.BININT2: lambda m: m.push(m.unsigned(2), 32),
        pickle.LONG1: lambda m: m.push(m.signed(m.unsigned(1)), 32),
        pickle.BINFLOAT: _Machine.push_float,
        pickle.SHORT_BINSTRING: lambda m: m.push_text(1, "latin1"),
        pickle.BINSTRING: lambda m: m.push_text(4, "latin1"),
        pickle.SHORT_BINUNICODE: lambda m: m.push_text(1),
        pickle.BINUNICODE: lambda m: m.push_text(4),
        pickle.BINUNICODE8: lambda m: m.push_text(8),
        pickle.SHORT_BINBYTES: lambda m: m.push_bytes(1),
        pickle.BINBYTES: lambda m: m.push_bytes(4),
        pickle.BINBYTES8: lambda m: m.push_bytes(8),
        pickle.EMPTY_LIST: lambda m: m.push([], _CONTAINER),
        pickle.EMPTY_TUPLE: lambda m: m.stack.append(()),
        pickle.EMPTY_DICT: lambda m: m.push({}, _CONTAINER),
        pickle.EMPTY_SET: lambda m: m.push(set(), _SET),
        pickle.TUPLE: lambda m: m.push_tuple(m.pop_mark()),
        pickle.TUPLE1: lambda m: m.push_tuple(m.pop(1)),
        pickle.TUPLE2: lambda m: m.push_tuple(m.pop(2)),
        pickle.TUPLE3: lambda m: m.push_tuple(m.pop(3)),
        pickle.APPEND: lambda m: m.append(m.pop(1)),
        pickle.APPENDS: lambda m: m.append(m.pop_mark()),
        pickle.ADDITEMS: lambda m: m.add(m.pop_mark()),
        pickle.FROZENSET: lambda m: m.push_frozen(m.pop_mark()),
        pickle.SETITEM: lambda m: m.set_items(m.pop(2)),
        pickle.SETITEMS: lambda m: m.set_items(m.pop_mark()),
        pickle.BINGET: _Machine.get,
        pickle.LONG_BINGET: lambda m: m.stack.append(m.memo[m.unsigned(4)]),
        pickle.BINPUT: lambda m: m.put(m.unsigned(1)),
        pickle.LONG_BINPUT: lambda m: m.put(m.unsigned(4)),
        pickle.MEMOIZE: _Machine.remember,
        pickle.GLOBAL: lambda m: m.name(m.line(), m.line()),
        pickle.STACK_GLOBAL: lambda m: m.name(*m.pop(2)),
        pickle.REDUCE: lambda m: m.call(new=False),
        pickle.NEWOBJ: lambda m: m.call(new=True),
        pickle.NEWOBJ_EX: _Machine.new_with_keywords,
        pickle.BUILD: _Machine.build,
        pickle.BINPERSID: _Machine.refer,
    }.items()
}
