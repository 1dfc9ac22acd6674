"""Figures inside the page: matplotlib's SVG files, made to share one document and to follow its colours."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from markupsafe import Markup

from nag_jax.system.errors import InputError

_TAGS = {"svg", "g", "defs", "clipPath", "pattern", "path", "use", "rect", "circle", "line", "polygon", "text", "tspan"}
"""Elements that draw. A list of what may stand in the page, so that nothing has to be known of what may not."""
_GEOMETRY = {"x", "y", "width", "height", "d", "points", "cx", "cy", "r", "rx", "ry", "x1", "x2", "y1", "y2"}
_GEOMETRY |= {"patternUnits", "clipPathUnits"}
_PROPERTIES = {
    *("fill", "fill-opacity", "fill-rule", "stroke", "stroke-opacity", "stroke-width", "stroke-linecap"),
    *("stroke-linejoin", "stroke-miterlimit", "stroke-dasharray", "stroke-dashoffset", "opacity", "clip-path"),
    *("clip-rule", "font", "font-size", "font-family", "font-style", "font-weight", "font-stretch", "font-variant"),
    *("text-anchor", "dominant-baseline"),
}
"""Properties of CSS that paint, as attributes or within `style`."""
_DEEPEST = 64
"""Elements within each other; matplotlib's figures have ten."""

_ID = r"[\w.:-]+"
_NUMBERS = re.compile(r"[-+\w\s.,%]*")
_TRANSFORM = re.compile(r"((matrix|translate|scale|rotate|skewX|skewY)\([-+\d\s.,e]*\)\s*)*")
# No colon, slash, backslash or parenthesis: nothing in such a value can be an address or an escape for one.
_VALUE = re.compile(rf"url\(#{_ID}\)|[-+\w\s.,#%'\"]*")
_REFERENCE = re.compile(rf"(?<=url\(#){_ID}(?=\))")
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
        root = ET.parse(path).getroot()
        if _name(root.tag) != "svg":
            raise ValueError("its root is no svg element")
        left, top, width, height = map(float, root.attrib["viewBox"].split())
        drawn = _plain(root, prefix)
    except (OSError, ET.ParseError, LookupError, ValueError) as error:
        raise InputError(f"{path} is no readable figure ({error}): run the run again to draw it anew") from error
    _drop_unused_ids(drawn)
    drawn.attrib = {
        "viewBox": f"{left:g} {top:g} {width:g} {height:g}",
        "role": "img",
        "aria-label": label,
        "style": f"--natural: {_PIXELS * width:.0f}px",
    }
    return Markup(ET.tostring(drawn, encoding="unicode"))


def _plain(element: ET.Element, prefix: str, depth: int = 1) -> ET.Element:
    """The element without namespaces and with nothing but what draws, its ids prefixed."""
    if depth > _DEEPEST:
        raise ValueError(f"more than {_DEEPEST} elements within each other")
    plain = ET.Element(_name(element.tag))
    plain.text, plain.tail = (text if text and text.strip() else None for text in (element.text, element.tail))
    for key, value in element.attrib.items():
        attribute = _attribute(_name(key), value, prefix)
        if attribute is not None:
            plain.set(_name(key), attribute)
    plain.extend([_plain(child, prefix, depth + 1) for child in element if _name(child.tag) in _TAGS])
    return plain


def _attribute(name: str, value: str, prefix: str) -> str | None:
    """An attribute's value in the page; None for one that isn't known to do nothing but draw."""
    if name == "id":
        return prefix + value if re.fullmatch(_ID, value) else None
    if name == "href":  # within the figure, so that nothing is loaded
        return f"#{prefix}{value[1:]}" if re.fullmatch(f"#{_ID}", value) else None
    if name in _GEOMETRY:
        return _LONG.sub(r"\1", " ".join(value.split())) if _NUMBERS.fullmatch(value) else None
    if name == "transform":
        return value if _TRANSFORM.fullmatch(value) else None
    if name == "style":
        declared = (declaration.partition(":") for declaration in value.split(";"))
        known = [(name.strip(), _painted(name.strip(), value.strip(), prefix)) for name, _, value in declared]
        return "; ".join(f"{name}: {value}" for name, value in known if value) or None
    return _painted(name, value, prefix)


def _painted(name: str, value: str, prefix: str) -> str | None:
    """The value of a property that paints, with the page's ids and colours; None for any other."""
    if name not in _PROPERTIES or not _VALUE.fullmatch(value):
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
