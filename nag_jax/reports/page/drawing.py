"""Figures inside the page: matplotlib's SVG files, made to share one document and to follow its colours."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from markupsafe import Markup

from nag_jax.system.errors import InputError

_KEPT = {"svg", "g", "defs", "clipPath", "pattern", "path", "use", "rect", "circle", "line", "polygon", "text", "tspan"}
"""Elements that draw. Scripts, styles, links and metadata don't get into the page, whoever made the file."""
_REFERENCE = re.compile(r"(?<=url\(#)[^)]+(?=\))")
_ELSEWHERE = re.compile(r"url\((?!#)")
_COLOR = re.compile(r"#([0-9a-fA-F]{6})\b")
_LONG = re.compile(r"(\.\d\d)\d+")
_PIXELS = 4 / 3
"""In a point."""


def inline(path: Path, label: str, prefix: str) -> Markup:
    """An SVG file as an element of a page.

    Args:
        path: the file.
        label: what it shows, for who can't see it.
        prefix: makes its ids differ from those of other figures in the page.

    Colours become CSS variables, so that a dark page can redefine them: `#0072b2` is `var(--x0072b2, #0072b2)`.

    Raises:
        InputError: it can't be read.
    """
    try:
        drawn = _plain(ET.parse(path).getroot(), prefix)
        width = float(drawn.attrib["viewBox"].split()[2])
    except (OSError, ET.ParseError, KeyError, IndexError, ValueError) as error:
        raise InputError(f"{path} is no readable figure ({error}): run the run again to draw it anew") from error
    _drop_unused_ids(drawn)
    box = drawn.attrib["viewBox"]
    drawn.attrib = {
        "viewBox": box,
        "role": "img",
        "aria-label": label,
        "style": f"--natural: {_PIXELS * width:.0f}px",
    }
    return Markup(ET.tostring(drawn, encoding="unicode"))


def _plain(element: ET.Element, prefix: str) -> ET.Element:
    """The element without namespaces and without what doesn't draw, its ids prefixed."""
    plain = ET.Element(_name(element.tag))
    plain.text, plain.tail = (text if text and text.strip() else None for text in (element.text, element.tail))
    for key, value in element.attrib.items():
        attribute = _attribute(_name(key), value, prefix)
        if attribute is not None:
            plain.set(_name(key), attribute)
    plain.extend(_plain(child, prefix) for child in element if _name(child.tag) in _KEPT)
    return plain


def _attribute(name: str, value: str, prefix: str) -> str | None:
    """An attribute's value in the page; None for one that runs something or loads it."""
    if name.startswith("on") or (name == "href" and not value.startswith("#")):
        return None
    if name == "id":
        return prefix + value
    if name == "href":
        return f"#{prefix}{value[1:]}"
    if name in ("d", "x", "y"):
        return _LONG.sub(r"\1", " ".join(value.split()))
    if _ELSEWHERE.search(value):
        return None
    value = _REFERENCE.sub(lambda found: prefix + found[0], value)
    return _COLOR.sub(lambda found: f"var(--x{found[1].lower()}, {found[0]})", value)


def _drop_unused_ids(drawn: ET.Element) -> None:
    used = set()
    for element in drawn.iter():
        for name, value in element.attrib.items():
            used |= {value[1:]} if name == "href" else set(_REFERENCE.findall(value))
    for element in drawn.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)


def _name(tag) -> str:
    """Without its namespace; comments and the like have none that is kept."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
