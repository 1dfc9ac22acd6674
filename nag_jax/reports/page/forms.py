"""Numbers in the form in which people read them."""

from typing import Any

_ROUNDED = 1e-9


def number(value: float) -> str:
    """To two decimals; none from a thousand on, to two digits below a hundredth, 0 for what rounding left over."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 0.01 or abs(value) < _ROUNDED else f"{value:.2g}"


def count(value: int) -> str:
    """With a comma for thousands."""
    return f"{value:,}"


def share(value: float) -> str:
    """In percent."""
    return f"{value:.1%}".replace("%", "\N{NO-BREAK SPACE}%")


def seconds(value: float) -> str:
    """In seconds, from two minutes on in minutes, from two hours on in hours."""
    for unit, size in (("h", 3600), ("min", 60)):
        if value >= 2 * size:
            return f"{value / size:,.1f}\N{NO-BREAK SPACE}{unit}"
    return f"{value:.1f}\N{NO-BREAK SPACE}s"


def with_unit(unit: str | None):
    """A number and its unit."""
    return lambda value: f"{number(value)}\N{NO-BREAK SPACE}{unit}" if unit else number(value)


def setting(value: Any) -> str:
    """A field of a config, as Python writes it."""
    return repr(tuple(value)) if isinstance(value, list) else repr(value)
