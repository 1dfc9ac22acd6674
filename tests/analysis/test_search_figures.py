import numpy as np
import pytest

from nag_jax.analysis import search_figures
from nag_jax.analysis.ranks import Ranking
from nag_jax.errors import InputError

pytestmark = pytest.mark.filterwarnings("error")


def test_critical_differences_join_what_is_not_told_apart(tmp_path, check_written):
    ranks = {"a": 1.2, "b": 1.9, "c": 2.9}
    figure = search_figures.critical_differences({"50 labels": Ranking(ranks, 0.01, 1.0)}, tmp_path / "ranks")
    check_written(tmp_path / "ranks")
    (axes,) = figure.axes
    drawn = {text.get_text().strip() for text in axes.texts}
    assert {*ranks, "critical difference 1.00"} <= drawn
    bars = [np.asarray(line.get_xdata()) for line in axes.lines if line.get_linewidth() == 2.4]
    np.testing.assert_allclose(bars, [[1.15, 1.95], [1.85, 2.95]])
    with pytest.raises(InputError, match="at least one ranking"):
        search_figures.critical_differences({}, tmp_path / "none")


def test_shares_of_seeds_rise_where_a_seed_finds_the_optimum(tmp_path, check_written):
    figure = search_figures.reached_shares({"a": np.array([3.0, 5.0, np.inf])}, 6, tmp_path / "shares")
    check_written(tmp_path / "shares")
    (line,) = figure.axes[0].lines
    np.testing.assert_allclose(np.asarray(line.get_ydata()), [0, 0, 0, 1 / 3, 1 / 3, 2 / 3, 2 / 3])
    with pytest.raises(InputError, match="at least one strategy"):
        search_figures.reached_shares({}, 6, tmp_path / "none")
