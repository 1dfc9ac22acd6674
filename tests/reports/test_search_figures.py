import re

import numpy as np
import pytest

from nag_jax.reports import figures, search_figures
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


def written(path):
    return re.findall(r"<text[^>]*>([^<]+)</text>", path.with_suffix(".svg").read_text())


def test_dollars_in_names_are_dollars(tmp_path):
    names = {"$x_1$": 3.0, "a$": 2.0, "$\\frac{1}{2": 1.5}
    bands = {name: np.tile([first, 0.1, 0.05, 0.01], (3, 1)) for name, first in names.items()}
    search_figures.anytime_curves(bands, 1, tmp_path / "regret", label="cost in $ and $", log=True)
    assert {*names, "cost in $ and $"} <= set(written(tmp_path / "regret"))
    figures.accuracy_histograms({"$a$": np.arange(9.0)}, None, tmp_path / "pools", label="$b$")
    assert "$b$" in written(tmp_path / "pools")


def test_ticks_of_a_logarithmic_axis_are_numbers(tmp_path):
    for name, most in (("long", 100.0), ("short", 3.0)):
        bands = {"a": np.tile(np.geomspace(most, 0.1 if name == "long" else 1.0, 6), (3, 1))}
        search_figures.anytime_curves(bands, 1, tmp_path / name, label="regret", log=True)
        shown = written(tmp_path / name)
        assert not [text for text in shown if "$" in text or "\\" in text]
        assert len([text for text in shown if re.fullmatch(r"[\d.]+", text)]) >= 8
    assert {"0.1", "0.2", "1", "10", "50", "100"} <= set(written(tmp_path / "long"))


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
