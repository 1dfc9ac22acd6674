"""Drawings of architectures: a figure is given, the space draws into it."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from nag_jax import spaces
from nag_jax.reports.architectures import draw_architectures, draw_best
from nag_jax.system.errors import InputError

CELLS = spaces.NASBench201()
pytestmark = pytest.mark.filterwarnings("error")


def texts(path):
    """The text elements of an SVG."""
    return re.findall(r"<text[^>]*>([^<]+)</text>", path.with_suffix(".svg").read_text())


def bars_of(axes):
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def drawn(space, tokens, titles):
    figure = Figure(layout="constrained")
    space.draw(figure, tokens, titles)
    return figure


def test_cells_are_drawn_edge_by_edge(tmp_path):
    tokens = CELLS.from_ops([[3, 2, 4, 1, 0, 3], [0, 0, 0, 1, 0, 0]])
    figure = draw_architectures(CELLS, tokens, ["first", "second"], tmp_path / "cells")
    assert (tmp_path / "cells.png").stat().st_size > 1000
    assert [axes.get_title() for axes in figure.axes] == ["first", "second"]
    arrows = [[p for p in axes.patches if isinstance(p, FancyArrowPatch)] for axes in figure.axes]
    assert [len(a) for a in arrows] == [5, 1]
    assert [a.get_linestyle() for a in arrows[0]].count("dashed") == 1
    labels = [[t.get_text() for t in axes.texts] for axes in figure.axes]
    assert sorted(labels[0]) == sorted(["3x3", "1x1", "pool", "skip", "3x3", "in", "1", "2", "out"])
    assert {"nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3", "skip_connect", "first"} <= set(texts(tmp_path / "cells"))
    assert "none" not in texts(tmp_path / "cells")


def test_operations_differ_in_colour():
    figure = drawn(CELLS, CELLS.from_ops([[1, 2, 3, 4, 0, 0]]), ["one"])
    arrows = [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]
    assert len({arrow.get_edgecolor() for arrow in arrows}) == 4


def test_no_label_runs_over_another(tmp_path):
    figure = draw_architectures(CELLS, CELLS.from_ops([[3] * 6]), ["full"], tmp_path / "cells")
    boxes = [t.get_window_extent() for t in figure.axes[0].texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_a_network_is_a_bar_a_layer_as_high_as_its_expansion():
    space = spaces.make("mobilenet_v3")
    figure = drawn(space, np.array([np.full(20, 8), np.tile([0, 4, 9, 9], 5)]), ["deepest", "shallow"])
    deepest, shallow = ([bar.get_height() for bar in bars_of(axes)] for axes in figure.axes)
    assert deepest == [6] * 20
    assert shallow == [3, 4] * 5
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["deepest", "shallow"]


def test_every_architecture_needs_its_title(tmp_path):
    graphs = spaces.make("nasbench_graph")
    for space, tokens, titles in ((CELLS, CELLS.from_ops([[0] * 6]), ["a", "b"]), (graphs, np.zeros((0, 5), int), [])):
        with pytest.raises(InputError, match="an architecture or more and a title each, found"):
            draw_architectures(space, tokens, titles, tmp_path / "picture")
    assert not list(tmp_path.iterdir())


def test_a_space_that_does_not_draw_has_no_figure(tmp_path):
    draw_best(object(), np.zeros((1, 3), int), ["one"], tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_graph_has_the_names_of_its_nodes_and_an_arrow_an_edge():
    space = spaces.make("nasbench_graph")
    tokens = space.from_native(["0012|gcn|gat|fc|skip", "0123|gin|gin|sage|arma"])
    figure = drawn(space, tokens, ["one", "two"])
    for axes, row in zip(figure.axes, tokens, strict=True):
        words = [text.get_text() for text in axes.texts]
        assert [word for word in words if word] == [space.class_names[token] for token in row]
        assert words.count("") == len(space.edges(row)) == 4
    chain = [text.get_position() for text in figure.axes[1].texts if text.get_text()]
    assert [y for _, y in chain] == [0, -1, -2, -3, -4]


def test_nodes_that_are_not_there_are_not_drawn():
    layers = spaces.repeat("layer", {"heads": ["2 heads", "4 heads"], "norm": ["pre", "post"]}, depths=(1, 2))
    blocks = spaces.chain({"in": ["input"]}, layers, {"out": ["output"]})
    space = spaces.DagSpace("layers", **blocks._asdict())
    tokens = space.from_native(["layer x1|4 heads|pre", "layer x2|4 heads|pre|2 heads|post"])
    figure = drawn(space, tokens, ["one", "two"])
    shown = [[text.get_text() for text in axes.texts if text.get_text()] for axes in figure.axes]
    assert shown[0] == ["input", "layer x1", "4 heads", "pre", "output"]
    assert shown[1] == ["input", "layer x2", "4 heads", "pre", "2 heads", "post", "output"]
    assert [text.get_position()[1] for text in figure.axes[0].texts if text.get_text()] == [0, -1, -2, -3, -4]
    assert sum(not text.get_text() for text in figure.axes[0].texts) == 4
