import numpy as np
import pytest

from nag_jax import spaces
from nag_jax.reports.graph_figures import draw_architectures, draw_graphs
from nag_jax.system.errors import InputError


@pytest.mark.parametrize("name", spaces.REGISTRY)
def test_architectures_of_every_space_are_drawn(name, tmp_path):
    space = spaces.make(name)
    token = np.argmax(space.allowed, axis=1)[None]
    draw_architectures(space, token, ["the first of all"], tmp_path / "picture")
    assert (tmp_path / "picture.png").stat().st_size > 1000
    assert "the first of all" in (tmp_path / "picture.svg").read_text()


def test_a_graph_has_the_names_of_its_nodes_and_an_arrow_an_edge(tmp_path):
    space = spaces.make("nasbench_graph")
    tokens = space.from_native(["0012|gcn|gat|fc|skip", "0123|gin|gin|sage|arma"])
    figure = draw_graphs(space, tokens, ["one", "two"], tmp_path / "picture")
    for axes, row in zip(figure.axes, tokens, strict=True):
        words = [text.get_text() for text in axes.texts]
        assert [word for word in words if word] == [space.class_names[token] for token in row]
        assert words.count("") == len(space.edges(row)) == 4
    chain = [text.get_position() for text in figure.axes[1].texts if text.get_text()]
    assert [y for _, y in chain] == [0, -1, -2, -3, -4]


def test_nodes_that_are_not_there_are_not_drawn(tmp_path):
    layers = spaces.repeat("layer", {"heads": ["2 heads", "4 heads"], "norm": ["pre", "post"]}, depths=(1, 2))
    blocks = spaces.chain({"in": ["input"]}, layers, {"out": ["output"]})
    space = spaces.DagSpace("layers", **blocks._asdict())
    tokens = space.from_native(["layer x1|4 heads|pre", "layer x2|4 heads|pre|2 heads|post"])
    figure = draw_graphs(space, tokens, ["one", "two"], tmp_path / "picture")
    drawn = [[text.get_text() for text in axes.texts if text.get_text()] for axes in figure.axes]
    assert drawn[0] == ["input", "layer x1", "4 heads", "pre", "output"]
    assert drawn[1] == ["input", "layer x2", "4 heads", "pre", "2 heads", "post", "output"]
    assert [text.get_position()[1] for text in figure.axes[0].texts if text.get_text()] == [0, -1, -2, -3, -4]
    assert sum(not text.get_text() for text in figure.axes[0].texts) == 4


def test_nothing_to_draw_is_refused(tmp_path):
    space = spaces.make("nasbench_graph")
    with pytest.raises(InputError, match="an architecture or more and a title each"):
        draw_graphs(space, np.zeros((0, 5), int), [], tmp_path / "picture")
