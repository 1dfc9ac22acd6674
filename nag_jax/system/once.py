"""Factories that make a thing once: equal arguments get the same one, so that what it compiles is compiled once.

JAX knows a compiled program by the function that it was made of. Whoever makes a new closure at every call compiles at
every call, and all that stays in memory. So what makes pure functions is made a factory of this kind, from the kernels
up to the jitted programs, and what changes from call to call (parameters, keys, data) is an argument of the functions.
"""

import dataclasses
import functools
import types
from collections.abc import Callable, Hashable, Mapping
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

_Made = TypeVar("_Made")
_Given = ParamSpec("_Given")

MOST = 32
"""Things that a factory remembers; the one that wasn't asked for longest is forgotten, and with it its programs."""


@dataclasses.dataclass(frozen=True)
class _Call:
    key: Hashable
    arguments: tuple = dataclasses.field(compare=False)
    options: dict[str, Any] = dataclasses.field(compare=False)


def once(make: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
    """A factory that returns what it made before where the arguments are equal.

    Arguments are equal if they are the same objects, or hashable ones that compare equal, or collections and NumPy
    arrays with equal content. With others, as JAX's arrays, it makes a new thing every time.

    Args:
        make: returns something that nobody changes.

    Example:
        >>> @once
        ... def multiply(factors):
        ...     return jax.jit(lambda x: x * np.prod(factors))
        >>> multiply([2, 3]) is multiply([2, 3]), multiply([2, 3]) is multiply((2, 3))
        (True, False)
    """

    @functools.lru_cache(MOST)
    def remembered(call: _Call) -> _Made:
        return make(*call.arguments, **call.options)

    @functools.wraps(make)
    def made(*arguments: _Given.args, **options: _Given.kwargs) -> _Made:
        call = _Call((_key(arguments), _key(options)), arguments, options)
        try:
            hash(call)
        except TypeError:
            return make(*arguments, **options)
        return remembered(call)

    return made


jitted = once(jax.jit)
"""`jax.jit`, which returns the same compiled function for the same function and options."""


def _key(value: Any) -> Hashable:
    """What stands for a value in comparisons; can't be hashed where the value can't."""
    if isinstance(value, Mapping):
        return type(value), tuple((name, _key(item)) for name, item in sorted(value.items()))
    if isinstance(value, tuple | list):
        return type(value), tuple(map(_key, value))
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, types.MethodType):
        return value.__func__, _key(value.__self__)
    return type(value), value
