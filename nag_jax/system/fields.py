"""Documented fields of frozen dataclasses: what a field means, what it may be, and trees of such dataclasses.

A block of settings is a frozen dataclass whose fields are made by `option`, or are blocks themselves. A field that is
None is absent: it has no entry in the block's dictionary.
"""

import dataclasses
import math
import numbers
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from nag_jax.system.errors import InputError
from nag_jax.system.options import is_own
from nag_jax.system.seeds import MOST_SEED

_Block = TypeVar("_Block")


@dataclasses.dataclass(frozen=True)
class Allowed:
    """What a value may be.

    Attributes:
        words: completes "it must be ...", for messages and documentation.
        holds: tells whether a value of the field's type is allowed.
    """

    words: str
    holds: Callable[[Any], bool]

    def refusal(self, path: str, value: Any) -> str:
        """The message about a value that isn't allowed."""
        return f"{path} must be {self.words}, found {value!r}"


@dataclasses.dataclass(frozen=True)
class Names:
    """The names that a value, or each of several, may be.

    Attributes:
        names: gives them; it is called when they are asked for, so that settings load nothing that they name.
        open: whether who looks a name up decides whether there is one, as of a registry, or these are all.
        own: whether `FILE.py:NAME` may stand in place of a name.
    """

    names: Callable[[], Collection[str]]
    open: bool = False
    own: bool = False

    @property
    def words(self) -> str:
        """The names, after "use" or for documentation."""
        return f"one of {', '.join(map(repr, self.names()))}{', or FILE.py:NAME' if self.own else ''}"

    def holds(self, value: Any) -> bool:
        """Whether the value is one of the names, or of the user's own, or somebody else decides."""
        return self.open or value in self.names() or (self.own and is_own(value))

    def refusal(self, path: str, value: Any) -> str:
        """The message about a value that is none of the names."""
        return f"unknown {path} {value!r}: use {self.words}"


def one_of(*names: str) -> Names:
    """These names and no others."""
    return Names(lambda: names)


COUNT = Allowed("at least 1", lambda value: value >= 1)
POSITIVE = Allowed("more than 0", lambda value: value > 0)
NOT_NEGATIVE = Allowed("at least 0", lambda value: value >= 0)
SHARE = Allowed("more than 0 and at most 1", lambda value: 0 < value <= 1)
FRACTION = Allowed("at least 0 and at most 1", lambda value: 0 <= value <= 1)
SEED = Allowed(f"from 0 to {MOST_SEED}", lambda value: 0 <= value <= MOST_SEED)
RATE = Allowed("at least 0 and less than 1", lambda value: 0 <= value < 1)


def option(default: Any, doc: str, allowed: Allowed | Names | None = None) -> Any:
    """A documented field of a block.

    Args:
        default: the value where none is given, or `dataclasses.MISSING` where one must be.
        doc: says in a sentence what the field is.
        allowed: what a value may be, or None for everything of the field's type.
    """
    return dataclasses.field(default=default, metadata={"doc": doc, "allowed": allowed})


def with_default(block: type, name: str, default: Any) -> Any:
    """A field of a block with another default, for a block that inherits from it."""
    return dataclasses.field(default=default, metadata=block.__dataclass_fields__[name].metadata)


def options_of_own() -> Any:
    """The field of a block that takes, by name, the options of a function or class of the user's own."""
    return dataclasses.field(default_factory=dict, metadata={"own": True})


class Leaf(NamedTuple):
    """One field of a tree of blocks that isn't a block itself.

    Attributes:
        path: its name after the names of the blocks that it lies in, as "sde.ve.sigma_min".
        value: its value.
        kind: its type, as the dataclass declares it.
        doc: says what it is; empty for an option of the user's own.
        allowed: what it may be, or None.
    """

    path: str
    value: Any
    kind: Any
    doc: str
    allowed: Allowed | Names | None

    def check(self, root: str) -> None:
        """Raises InputError, with the path after `root`, where the value isn't what it may be."""
        path = f"{root}.{self.path}"
        if not _is_of(self.value, self.kind):
            raise InputError(f"{path} must be {_words(self.kind)}, found {self.value!r}")
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise InputError(f"{path} must be finite, found {self.value}")
        if self.allowed is not None and not self.allowed.holds(self.value):
            raise InputError(self.allowed.refusal(path, self.value))


def check(block: Any, root: str = "config") -> None:
    """Checks every field of a tree of blocks, and every rule `check_together` of a block.

    A block may have a method `check_together(path)`, which raises InputError where fields don't go together; the path
    is the block's own.

    Raises:
        InputError: a field isn't what it may be, or fields don't go together; it names the field's path after `root`.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Pair:
        ...     low: int = option(0, "The smaller number.", NOT_NEGATIVE)
        >>> check(Pair(-1))
        Traceback (most recent call last):
        nag_jax.system.errors.InputError: config.low must be at least 0, found -1
    """
    for leaf in leaves(block):
        leaf.check(root)
    for path, inner in blocks(block, root):
        if hasattr(inner, "check_together"):
            inner.check_together(path)


def leaves(block: Any, path: str = "") -> Iterator[Leaf]:
    """Every field that isn't a block, in order; absent ones are left out."""
    kinds = typing.get_type_hints(type(block))
    for field in dataclasses.fields(block):
        value, place = getattr(block, field.name), _join(path, field.name)
        if value is None:
            continue
        if field.metadata.get("own"):
            yield from (Leaf(_join(path, name), each, Any, "", None) for name, each in value.items())
        elif dataclasses.is_dataclass(value):
            yield from leaves(value, place)
        elif isinstance(value, Mapping):
            for name, inner in value.items():
                yield from leaves(inner, _join(place, name))
        else:
            yield Leaf(place, value, kinds[field.name], field.metadata["doc"], field.metadata["allowed"])


def blocks(block: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The block and all blocks in it, each with its path."""
    yield path, block
    for field in dataclasses.fields(block):
        value, place = getattr(block, field.name), _join(path, field.name)
        if dataclasses.is_dataclass(value):
            yield from blocks(value, place)
        elif isinstance(value, Mapping) and not field.metadata.get("own"):
            for name, inner in value.items():
                yield from blocks(inner, _join(place, name))


def to_dict(block: Any) -> dict[str, Any]:
    """A tree of blocks as nested dictionaries, whose leaves are those of `leaves`."""
    found: dict[str, Any] = {}
    for leaf in leaves(block):
        *outer, name = leaf.path.split(".")
        inner = found
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[name] = leaf.value
    return found


def from_dict(given: Mapping[str, Any], *candidates: _Block, path: str = "config") -> _Block:
    """The block that a dictionary describes: one of the candidates, with what is given in place of its own values.

    Chosen is the first candidate that has all the fields, before it one whose field `name` is what is given as `name`,
    and after it the first that takes options of the user's own.

    Args:
        given: values by field, dictionaries for blocks; what isn't given stays as the candidate has it.
        *candidates: blocks of one or several types.
        path: the place of the block, for messages.

    Raises:
        InputError: no candidate has a field of that name.
    """
    fitting = [each for each in candidates if set(given) <= set(_names(each))]
    same = [each for each in fitting if "name" in given and getattr(each, "name", None) == given["name"]]
    open_ones = [each for each in candidates if _own_field(each)]
    if not (chosen := [*same, *fitting, *open_ones]):
        unknown = sorted(set(given) - set(_names(candidates[-1])))
        raise InputError(f"{path} has no field {unknown[0]!r}: use some of {sorted(_names(candidates[-1]))}")
    block: Any = chosen[0]
    kinds, changes = typing.get_type_hints(type(block)), {}
    for name in _names(block):
        if name in given:
            place = _join(path, name)
            changes[name] = _value(given[name], getattr(block, name), kinds[name], place)
    if own := _own_field(block):
        changes[own] = {name: value for name, value in given.items() if name not in _names(block)}
    return dataclasses.replace(block, **changes)


def _value(given: Any, default: Any, kind: Any, path: str) -> Any:
    """What a field becomes: a block or several by name where its type says so, or the value itself."""
    for each in _members(kind):
        if typing.get_origin(each) is Mapping and isinstance(given, Mapping):
            blocks = [member() for member in _members(typing.get_args(each)[1])]
            return {name: from_dict(inner, *blocks, path=_join(path, name)) for name, inner in given.items()}
    kinds: list[Any] = [each for each in _members(kind) if dataclasses.is_dataclass(each)]
    if isinstance(given, Mapping) and kinds:
        first = [] if default is None else [default]
        return from_dict(given, *first, *(each() for each in kinds if not isinstance(default, each)), path=path)
    return tuple(given) if isinstance(given, list) else given


def _names(block: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(block) if not field.metadata.get("own")]


def _own_field(block: Any) -> str | None:
    return next((field.name for field in dataclasses.fields(block) if field.metadata.get("own")), None)


def _members(kind: Any) -> tuple[Any, ...]:
    """The types that a union joins, or the type alone."""
    return typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)


def _is_of(value: Any, kind: Any) -> bool:
    """Whether a value is of a type; whole numbers are floats too, and truth values no numbers."""
    if kind is Any:
        return True
    if typing.get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_is_of(each, typing.get_args(kind)[0]) for each in value)
    if len(_members(kind)) > 1:
        return any(_is_of(value, each) for each in _members(kind))
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, _NUMBERS.get(kind, kind))


_NUMBERS: dict[Any, Any] = {int: numbers.Integral, float: numbers.Real}
"""What NumPy's numbers are, too."""


def _words(kind: Any) -> str:
    """A type in words."""
    if typing.get_origin(kind) is tuple:
        return f"a tuple of {_plural(typing.get_args(kind)[0])}"
    names = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}
    return " or ".join(names.get(each) or _words(each) for each in _members(kind) if each is not types.NoneType)


def _plural(kind: Any) -> str:
    return {int: "whole numbers", float: "numbers", str: "texts"}[kind]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
