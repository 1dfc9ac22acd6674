import numpy as np
import pytest

from nag_jax.reports import search_figures
from nag_jax.reports.ranks import Ranking
from nag_jax.system.errors import InputError

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


@pytest.mark.parametrize(("first", "scale"), [(0.5, "log"), (0.0, "linear")])
def test_regret_may_be_gone_before_the_first_label_that_is_drawn(first, scale, tmp_path, check_written):
    bands = {"a": np.tile([9.0, 4.0, first, 0.0], (3, 1))}
    figure = search_figures.anytime_curves(bands, 3, tmp_path / "regret", label="regret", log=True)
    check_written(tmp_path / "regret")
    assert figure.axes[0].get_yscale() == scale


def test_shares_of_seeds_rise_where_a_seed_finds_the_optimum(tmp_path, check_written):
    figure = search_figures.reached_shares({"a": np.array([3.0, 5.0, np.inf])}, 6, tmp_path / "shares")
    check_written(tmp_path / "shares")
    (line,) = figure.axes[0].lines
    np.testing.assert_allclose(np.asarray(line.get_ydata()), [0, 0, 0, 1 / 3, 1 / 3, 2 / 3, 2 / 3])
    with pytest.raises(InputError, match="at least one strategy"):
        search_figures.reached_shares({}, 6, tmp_path / "none")


def test_trade_off_shows_what_nothing_else_beats(tmp_path, check_written):
    points = {
        "one": np.array([[90.0, 5.0], [91.0, 9.0], [89.0, 6.0], [91.0, 10.0]]),
        "other": np.array([[80.0, 1.0]]),
    }
    labels = ("accuracy", "latency in ms")
    figure = search_figures.trade_off(points, (1.0, -1.0), tmp_path / "trade_off", labels=labels)
    check_written(tmp_path / "trade_off")
    cloud, one, other = figure.axes[0].lines
    assert len(np.asarray(cloud.get_xdata())) == 5
    np.testing.assert_array_equal(np.stack([one.get_xdata(), one.get_ydata()]), [[91, 90], [9, 5]])
    np.testing.assert_array_equal(np.stack([other.get_xdata(), other.get_ydata()]), [[80], [1]])
    assert figure.axes[0].get_ylabel() == "latency in ms (less is better)"


def test_trade_off_needs_a_point(tmp_path):
    with pytest.raises(InputError, match="at least one point"):
        search_figures.trade_off({"one": np.zeros((0, 2))}, (1.0, 1.0), tmp_path / "t", labels=("a", "b"))
