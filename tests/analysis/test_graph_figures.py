import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch

from nag_jax.analysis import graph_figures
from nag_jax.errors import InputError
from nag_jax.spaces import NASBench201, NASBenchGraph

SPACE = NASBenchGraph()


def test_networks_are_drawn_link_by_link(tmp_path, check_written):
    tokens = SPACE.from_native(["0012|gcn|gat|fc|skip", "0000|gin|sage|arma|cheb"])
    figure = graph_figures.draw_graph_networks(SPACE, tokens, ["first", "second"], tmp_path / "networks")
    check_written(tmp_path / "networks")
    assert [axes.get_title() for axes in figure.axes] == ["first", "second"]
    arrows = [[patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)] for axes in figure.axes]
    assert [len(each) for each in arrows] == [6, 8]  # four links of operations, and what nobody reads to the output
    assert [text.get_text() for text in figure.axes[0].texts] == ["in", "gcn", "gat", "fc", "skip", "out"]


@pytest.mark.parametrize("macro", ["0000", "0012", "0111", "0123"])
def test_no_operation_stands_on_another(tmp_path, macro):
    tokens = SPACE.from_native([f"{macro}|graph|graph|graph|graph"] * 5)
    figure = graph_figures.draw_graph_networks(SPACE, tokens, ["one"] * 5, tmp_path / "networks")
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_refuses_other_spaces_and_missing_titles(tmp_path):
    with pytest.raises(InputError, match="'nasbench201'"):
        graph_figures.draw_graph_networks(NASBench201(), np.zeros((1, 8), int), ["one"], tmp_path / "networks")
    with pytest.raises(InputError, match="found 0 and 1"):
        graph_figures.draw_graph_networks(SPACE, np.zeros((0, 5), int), ["one"], tmp_path / "networks")
