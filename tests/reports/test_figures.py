import re
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from nag_jax.reports import figures, metrics
from nag_jax.system.errors import InputError

VALUES = np.concatenate([np.full(20, 10.0), np.random.default_rng(0).normal(88, 3, size=480)])
CURVE = [figures.CurvePoint(s, d, m) for s, d, m in [(0, 97, 84.0), (0.5, 80, 90.0), (8, 20, 93.5)]]
pytestmark = pytest.mark.filterwarnings("error")


def texts(path):
    """The text elements of an SVG."""
    return re.findall(r"<text[^>]*>([^<]+)</text>", path.with_suffix(".svg").read_text())


def test_histograms_share_their_axis_and_count_everything(tmp_path, rng, check_written):
    pools = {"random": VALUES, "guided": rng.normal(93, 0.2, size=300)}
    figure = figures.accuracy_histograms(pools, 94.5, tmp_path / "pools", label="accuracy, %")
    check_written(tmp_path / "pools")
    assert len(figure.axes) == 2
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    for axes in figure.axes:
        assert sum(bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)) == pytest.approx(1)
        assert [np.asarray(line.get_xdata())[0] for line in axes.lines] == [94.5]
    assert figure.axes[0].get_xlim()[0] > 60  # the cells at 10 % don't stretch the axis
    written = " ".join(texts(tmp_path / "pools"))
    assert "best 94.50" in written
    assert "15 % lie below" in written
    assert f"random, mean {VALUES.mean():.2f}" in written
    assert "accuracy, %" in written


@pytest.mark.parametrize("values", [[93.0], [94.0, 94.0], [0.0]])
def test_histograms_of_tiny_pools(values, tmp_path, check_written):
    figures.accuracy_histograms({"pool": np.array(values)}, max(values), tmp_path / "pools", label="value")
    check_written(tmp_path / "pools")


@pytest.mark.parametrize("values", [[], [1.0, np.nan]])
def test_histograms_name_the_pool_that_is_wrong(values, tmp_path):
    with pytest.raises(InputError, match="pool 'guided'"):
        figures.accuracy_histograms({"guided": np.array(values)}, 94.0, tmp_path / "pools", label="value")


def test_curve_is_labelled_by_scale_beside_its_references(tmp_path, check_written):
    references = {
        "best possible": metrics.top_means(VALUES),
        "predictor's top": metrics.top_means(VALUES[:50]),
    }
    path = tmp_path / "curve"
    figure = figures.quality_diversity(CURVE, path, references=references, label="mean accuracy, %")
    check_written(path)
    (axes,) = figure.axes
    assert [np.size(line.get_xdata()) for line in axes.lines] == [97, 50, 3]
    assert np.asarray(axes.lines[0].get_ydata())[0] == VALUES.max()
    assert [t.get_text() for t in axes.texts] == ["0", "0.5", "8"]
    assert {"best possible", "predictor's top", "distinct architectures"} <= set(texts(path))
    low, high = axes.get_ylim()
    assert low < 84.0 < VALUES.max() < high


def test_curve_spreads_the_top(tmp_path):
    (axes,) = figures.quality_diversity(CURVE, tmp_path / "curve", references={"best": np.array([94.0])}).axes
    heights = [axes.transData.transform((0, y))[1] for y in (84.0, 86.5, 91.5, 94.0)]
    assert heights == sorted(heights)
    assert heights[3] - heights[2] > 3 * (heights[1] - heights[0])
    ticks = axes.get_yticks()
    assert len(set(ticks)) == len(ticks) >= 5


@pytest.mark.parametrize("mean", [93.0, 0.0, -2.5])
def test_curve_of_one_point(mean, tmp_path, check_written):
    figures.quality_diversity([figures.CurvePoint(1.0, 1, mean)], tmp_path / "curve")
    check_written(tmp_path / "curve")


def test_an_empty_curve_is_refused(tmp_path):
    with pytest.raises(InputError, match="empty curve"):
        figures.quality_diversity([], tmp_path / "curve")


def test_a_name_with_a_dot_keeps_it(tmp_path):
    figures.quality_diversity(CURVE, tmp_path / "scale_1.5")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scale_1.5.png", "scale_1.5.svg"]


def test_drawing_twice_writes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        figures.quality_diversity(CURVE, tmp_path / name)
    for suffix in (".png", ".svg"):
        first, second = (tmp_path / f"{name}{suffix}" for name in "ab")
        assert first.read_bytes() == second.read_bytes()


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_the_room_opens_without_matplotlib():
    imports = "import sys, nag_jax, nag_jax.reports.metrics, nag_jax.reports.statistics"
    assert run_python(f"{imports}; print('matplotlib' in sys.modules)") == ["False"]


def test_drawing_leaves_pyplot_and_settings_alone(tmp_path):
    code = f"""
import sys, matplotlib
before = matplotlib.rcParams.copy()  # unlike dict(), this picks no backend
from nag_jax.reports import figures
figures.quality_diversity([figures.CurvePoint(1.0, 5, 90.0)], {str(tmp_path / "curve")!r})
print("matplotlib.pyplot" in sys.modules, matplotlib.rcParams.copy() == before)
"""
    assert run_python(code) == ["False", "True"]
