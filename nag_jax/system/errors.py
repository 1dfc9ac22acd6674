"""The one exception that means "your input is wrong", and how messages show what comes from outside."""

import reprlib
import traceback

_LONGEST = 1500
"""Characters of a whole message: what the longest of ours needs, and no terminal full of a file's content."""
_LONGEST_TRACE = 20_000
"""Characters of a traceback that are stored: some hundred frames."""
_LONGEST_VALUE = 240
"""Characters of one value: those of a MobileNetV3 network, the longest strings of the spaces here, are shown whole."""


class InputError(ValueError):
    """Wrong input: says in one line what was expected, what was found and what mends it.

    The command line prints the message without a traceback and exits with status 2.
    Anything else that is raised is a defect of ours and keeps its traceback.

    Whatever a message was made of, it is `shown`: one line, without control characters, and not too long.
    """

    def __init__(self, message: str):
        super().__init__(shown(message))


def shown(text: object, longest: int = _LONGEST) -> str:
    r"""Text from outside as a message may show it: in one line, unprintable characters escaped, its middle cut out.

    What is shown already stays as it is.

    Args:
        text: a string, or an exception or a path, which is shown as its string.
        longest: the number of characters that are kept.

    Example:
        >>> shown("red\n  \x1b[31m")
        'red \\x1b[31m'
    """
    text = str(text)
    if len(text) > longest:  # before anything else is done with a gigabyte
        text = _cut(text, longest)
    line = escaped(" ".join(filter(None, map(str.strip, text.splitlines()))))
    return _cut(line, longest) if len(line) > longest else line


def escaped(text: str) -> str:
    r"""Text of any number of lines that does nothing to a terminal: control characters and the like are escaped.

    Example:
        >>> escaped("red\n\x1b[31m")
        'red\n\\x1b[31m'
    """
    # Python counts what turns the direction of writing around as unprintable too.
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def describe_exception(error: BaseException) -> str:
    r"""What an exception of somebody else's code says, in one line, and behind it its traceback, to be stored.

    Example:
        >>> try:
        ...     raise MemoryError("no room\nfor it")
        ... except MemoryError as error:
        ...     describe_exception(error).splitlines()[0]
        'MemoryError: no room for it'
    """
    brief = shown(f"{type(error).__name__}: {error}", _LONGEST)
    trace = escaped("".join(traceback.format_exception(error)).rstrip())
    return f"{brief}\n{_cut(trace, _LONGEST_TRACE) if len(trace) > _LONGEST_TRACE else trace}"


def quoted(value: object) -> str:
    """A value from outside in quotes, as `repr` writes it but short, for a message.

    Example:
        >>> quoted("a" * 1_000_000)[:8], len(quoted("a" * 1_000_000))
        ("'aaaaaaa", 240)
    """
    return shown(_REPR.repr(value), 2 * _LONGEST_VALUE)


def _cut(text: str, longest: int) -> str:
    """A text without its middle: messages begin with what is wrong and end with what mends it."""
    start = (longest - 5 + 1) // 2
    return f"{text[:start]} ... {text[len(text) - (longest - 5 - start) :]}"


class _Repr(reprlib.Repr):
    """The standard library's bounded `repr`, for whole numbers that Python refuses to write as well."""

    def repr_int(self, x: int, level: int) -> str:
        return super().repr_int(x, level) if x.bit_length() < 10_000 else f"a number of {x.bit_length():,} bits"


_REPR = _Repr()
_REPR.maxstring = _REPR.maxother = _LONGEST_VALUE
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = _REPR.maxset = 20
