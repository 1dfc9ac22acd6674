"""The fingerprint of a function: all that Python lets one see of what decides its values.

That is its code with its constants, its defaults, the cells that it closes over, and, recursively, whatever its names
stand for. Objects are seen as pickle sees them. What is installed is told by its name, and not looked into.
"""

import dis
import functools
import hashlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nag_jax.system.errors import InputError

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...))
_DESCRIPTORS = (types.GetSetDescriptorType, types.MemberDescriptorType, types.WrapperDescriptorType)
_CODE = ("co_code", "co_consts", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_argcount", "co_flags")
"""What code does; not where it stands, so that lines above it may change."""
_OF_CLASSES = (
    "__dict__",
    "__weakref__",
    "__doc__",
    "__module__",
    "__annotations__",
    "__abstractmethods__",
    "_abc_impl",
)
"""Members of a class that say nothing about what it does, or can't be seen into."""
_OF_DATACLASSES = ("__dataclass_fields__", "__dataclass_params__")
"""Members that the other ones were made of."""


def of_function(function: Callable) -> str:
    """SHA-256 of a function; two functions have the same one only if nothing visible sets them apart.

    Args:
        function: a function, a method, or an object that can be called.

    Raises:
        InputError: it has no code in Python, or refers to something that can't be seen into.

    Example:
        >>> of_function(lambda arch: 1.0) == of_function(lambda arch: 2.0)
        False
    """
    name = getattr(function, "__qualname__", type(function).__qualname__)
    walk = _Walk(function)
    try:
        found = walk.digest(function)
    except _UnseenError as error:
        raise InputError(f"the function {name!r} can't be told from others: {error}; {_CURE}") from error
    if not walk.saw_code:
        raise InputError(f"the function {name!r} has no code in Python to be known by: {_CURE}")
    return found


_CURE = "give it a fingerprint, any string, and another one whenever its values change"


class _UnseenError(Exception):
    """Something that can't be seen into; the message says what."""


class _Walk:
    """A walk through all that a value refers to; it is looked into itself, wherever it is from."""

    def __init__(self, begin: Any):
        self._begin = begin
        self.saw_code = False
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no other object gets the id of one that was seen

    def digest(self, value: Any) -> str:
        """SHA-256 of the parts of a value."""
        found = hashlib.sha256()
        for part in self._parts(value):
            found.update(f"{len(part)} {part}".encode(errors="surrogatepass"))
        return found.hexdigest()

    def _parts(self, value: Any) -> Iterator[str]:
        """Strings that tell a value from others."""
        yield type(value).__qualname__
        if type(value) in _PLAIN:
            yield repr(value)
        elif type(value) is tuple:  # which the compiler may share or not, so that it has no number
            yield from self._each(*value)
        elif type(value) in (set, frozenset):
            yield from sorted(_Walk(item).digest(item) for item in value)
        elif isinstance(value, types.CodeType):
            self.saw_code = True
            yield from self._each(*(getattr(value, name) for name in _CODE))
        elif isinstance(value, types.ModuleType):
            yield value.__name__
        elif id(value) in self._numbers:
            yield f"again {self._numbers[id(value)]}"
        else:
            self._numbers[id(value)] = len(self._numbers)
            self._kept.append(value)
            yield from self._parts_of_object(value)

    def _each(self, *values: Any) -> Iterator[str]:
        yield str(len(values))
        for value in values:
            yield from self._parts(value)

    def _named(self, values: dict[str, Any]) -> Iterator[str]:
        for name, value in values.items():
            yield name
            yield from self._parts(value)

    def _parts_of_object(self, value: Any) -> Iterator[str]:
        if type(value) is list:
            yield from self._each(*value)
        elif type(value) is dict:
            yield from self._each(*value, *value.values())
        elif self._is_told_by_name(value):
            yield f"{value.__module__}.{value.__qualname__}"
        elif isinstance(value, types.FunctionType):
            cells = [_content(cell) for cell in value.__closure__ or ()]
            yield from self._each(value.__code__, value.__defaults__, value.__kwdefaults__, *cells)
            yield from self._named(vars(value) | _outside(value))
        elif isinstance(value, type):
            without = _OF_CLASSES + _OF_DATACLASSES * hasattr(value, "__dataclass_fields__")
            yield from self._each(value.__qualname__, *value.__bases__)
            yield from self._named({name: part for name, part in vars(value).items() if name not in without})
        elif isinstance(value, staticmethod | classmethod):
            yield from self._parts(value.__func__)
        elif isinstance(value, property):
            yield from self._each(value.fget, value.fset)
        elif isinstance(value, functools.cached_property):
            yield from self._parts(value.func)
        elif isinstance(value, _DESCRIPTORS):
            yield value.__qualname__
        elif callable(value) and hasattr(value, "__wrapped__"):  # as what functools.cache and jax.jit return
            yield from self._parts(value.__wrapped__)
        else:
            yield from self._reduced(value)

    def _is_told_by_name(self, value: Any) -> bool:
        if value is self._begin or not isinstance(value, types.FunctionType | type):
            return False
        return _is_installed(value.__module__)

    def _reduced(self, value: Any) -> Iterator[str]:
        """What pickle would keep of an object."""
        try:
            found = value.__reduce_ex__(4)
        except Exception as error:  # whatever a class of somebody's own raises
            raise _UnseenError(f"it refers to a {type(value).__qualname__}, which can't be seen into") from error
        if isinstance(found, str):
            if not _is_installed(getattr(value, "__module__", None)):
                raise _UnseenError(f"it refers to {found!r}, which can't be seen into")
            yield f"{getattr(value, '__module__', '')}.{found}"
            return
        make, arguments, state, items, pairs = (*found, None, None, None)[:5]
        yield from self._each(make, arguments, state, *(items or ()), *(pairs or ()))


def _outside(function: types.FunctionType) -> dict[str, Any]:
    """What the names in a function's code stand for outside of it; of modules of the user's own, what is used of them.

    Raises:
        _UnseenError: it imports a module of the user's own when it is called.
    """
    names: set[str] = set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        names |= set(code.co_names)
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
        for instruction in dis.get_instructions(code):
            if instruction.opname == "IMPORT_NAME" and not _is_installed(instruction.argval):
                raise _UnseenError(f"it imports {instruction.argval!r} as it is called (import it at the file's top)")
    found, scopes = {}, [("", function.__globals__)]
    opened = set()
    while scopes:
        prefix, scope = scopes.pop()
        for name in sorted(names & scope.keys()):
            found[prefix + name] = value = scope[name]
            if isinstance(value, types.ModuleType) and value not in opened and not _is_installed(value.__name__):
                opened.add(value)
                scopes.append((f"{prefix}{name}.", vars(value)))
    return found


def _is_installed(module: str | None) -> bool:
    """Whether a module is the interpreter's, this package's or an installed one, and not the user's own."""
    root = (module or "builtins").partition(".")[0]
    if root in sys.stdlib_module_names or root == __name__.partition(".")[0]:
        return True
    if root == "__main__":  # which has the place of whatever was started, as of python -m pytest
        return False
    try:
        spec = importlib.util.find_spec(root)
    except ValueError:  # of a module that something made by hand
        spec = None
    if spec is None:
        return False
    paths = [spec.origin, *(spec.submodule_search_locations or ())]
    return any({"site-packages", "dist-packages"} & set(Path(path).parts) for path in paths if path)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # of a name that isn't bound yet
        return None
