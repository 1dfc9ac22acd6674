"""What of an SVG file gets into a page: what draws, and nothing else."""

import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from nag_jax.reports.page.drawing import inline
from nag_jax.system.errors import InputError
from nag_jax.system.style import STYLE, write

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9"'


@pytest.fixture
def drawn(tmp_path):
    """Writes an SVG file and gives what the page holds of it, parsed."""

    def draw(text: str) -> ET.Element:
        (tmp_path / "x.svg").write_text(text)
        return ET.fromstring(inline(tmp_path / "x.svg", "a figure", "p-"))

    return draw


def attributes(element: ET.Element) -> dict[str, str]:
    return {name: value for part in element for name, value in part.attrib.items()}


@pytest.mark.parametrize("name", ["script_root.svg", "style_root.svg"])
def test_a_file_whose_root_is_no_drawing_is_refused(shared, name):
    with pytest.raises(InputError, match=r"\.svg is no readable figure \(its root is no svg element\)"):
        inline(shared / "faults" / name, "a figure", "p-")


@pytest.mark.parametrize("root", ["script", "SCRIPT", "style", "iframe", "html", "path", "SVG"])
def test_the_root_is_an_svg_element(drawn, root):
    with pytest.raises(InputError, match="its root is no svg element"):
        drawn(f'<{root} xmlns="http://www.w3.org/1999/xhtml" viewBox="0 0 1 1">alert(1)</{root}>')


def test_the_root_keeps_no_attribute_of_the_file(drawn):
    root = drawn(f'{HEAD} ONLOAD="alert(1)" onload="alert(1)" style="fill: #000000" class="x"/>')
    assert set(root.attrib) == {"viewBox", "role", "aria-label", "style"}
    assert root.attrib["style"] == "--natural: 12px"


@pytest.mark.parametrize(
    "tag", ["script", "SCRIPT", "Script", "style", "iframe", "foreignObject", "image", "a", "animate", "set", "object"]
)
def test_only_what_draws_is_kept(drawn, tag):
    root = drawn(f'{HEAD}><g><{tag} href="javascript:alert(1)">alert(1)</{tag}><path d="M 0 0"/></g></svg>')
    assert [element.tag for element in root.iter()] == ["svg", "g", "path"]


@pytest.mark.parametrize(
    "attribute",
    [
        'onclick="alert(1)"',
        'ONLOAD="alert(1)"',
        'OnLoad="alert(1)"',
        'class="number"',
        'srcdoc="x"',
        'src="x.png"',
        'href="http://localhost/x"',
        'href="x.svg#y"',
        'xlink:href="javascript:alert(1)"',
        'href="#a b"',
        'id="a b"',
        'fill="url(http://localhost/x)"',
        'fill="URL(//localhost/x)"',
        'fill="url(x.png)"',
        'style="fill: URL(http://localhost/x)"',
        r'style="fill: u\72l(x.png)"',
        'style="background: #000000"',
        'style="position: fixed"',
        'style="fill: var(--paper)"',
        'style="fill: red} * {fill: blue"',
        'clip-path="url( #a)"',
        'transform="url(x)"',
        'd="javascript:x"',
    ],
)
def test_attributes_that_do_not_draw_are_dropped(drawn, attribute):
    assert attributes(drawn(f"{HEAD}><path {attribute}/></svg>")) == {}


def test_what_draws_is_kept(drawn):
    path = "M 1.23456 2 \n L 3 4 z"
    style = "FILL: red; fill: #0072b2; stroke-width: 0.8; font-family: 'DejaVu Sans', sans-serif; clip-path: url(#a)"
    root = drawn(f"""{HEAD}><defs><clipPath id="a"><rect width="3"/></clipPath></defs>
        <path id="unused" d="{path}" style="{style}" transform="translate(3 4.5) rotate(-90)"/>
        <use xlink:href="#a" x="1"/></svg>""")
    assert root[0][0].attrib == {"id": "p-a"}
    assert root[1].attrib == {
        "d": "M 1.23 2 L 3 4 z",
        "style": "fill: var(--x0072b2, #0072b2); stroke-width: 0.8; font-family: 'DejaVu Sans', sans-serif; "
        "clip-path: url(#p-a)",
        "transform": "translate(3 4.5) rotate(-90)",
    }
    assert root[2].attrib == {"href": "#p-a", "x": "1"}


def test_a_figure_of_matplotlib_loses_no_mark(tmp_path):
    with mpl.rc_context(STYLE):
        figure = Figure()
        axes = figure.add_subplot()
        axes.bar([0, 1], [1, 2], hatch="//")
        axes.plot([0, 1], [0, 1], "o--", alpha=0.5, label="dashed")
        axes.set_title("bold <&>", fontweight="bold", rotation=5)
        axes.legend()
        write(figure, tmp_path / "x")
    before = ET.parse(tmp_path / "x.svg").getroot()
    after = ET.fromstring(inline(tmp_path / "x.svg", "a figure", "p-"))
    for tag in ("path", "use", "text", "rect", "clipPath", "pattern"):
        there = [dict(element.attrib) for element in before.iter(f"{{http://www.w3.org/2000/svg}}{tag}")]
        here = [dict(element.attrib) for element in after.iter(tag)]
        assert len(there) == len(here) > 0, tag
        for old, new in zip(there, here, strict=True):
            assert {name.rpartition("}")[2] for name in old} - {"id"} == set(new) - {"id"}
            assert old.get("style", "").count(":") == new.get("style", "").count(":")


@pytest.mark.parametrize("depth", [100, 20_000])
def test_groups_within_groups_have_a_bound(drawn, depth):
    with pytest.raises(InputError, match="more than 64 elements within each other"):
        drawn(f"{HEAD}>{'<g>' * depth}{'</g>' * depth}</svg>")


@pytest.mark.parametrize("box", ["", "0 0 9", "a b c d", "0 0 9 9 9", "0 0 9 9; x"])
def test_a_figure_says_how_large_it_is(drawn, box):
    with pytest.raises(InputError, match="no readable figure"):
        drawn(HEAD.replace("0 0 9 9", box) + "/>")


def test_an_unknown_encoding_is_refused(drawn):
    with pytest.raises(InputError, match="no readable figure"):
        drawn(f'<?xml version="1.0" encoding="nonsense"?>{HEAD}/>')
