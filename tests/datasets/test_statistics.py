import numpy as np
import pytest

from nag_jax import datasets
from nag_jax.datasets.statistics import COLUMNS, FIGURES
from nag_jax.system.errors import InputError

MINE = {"nodes": 1000, "edges": 5000, "features": 30, "classes": 4, "homophily": 0.5}


def figures_of(**options):
    found = datasets.make("statistics", **options)
    assert found.features.shape == (1, 1, 6)
    return found.features[0, 0]


def test_it_has_the_data_sets_of_nas_bench_graph():
    from nag_jax.evaluators.nas_bench_graph import DATASETS

    assert tuple(FIGURES) == DATASETS


def test_figures_are_standardised_over_the_nine():
    rows = np.stack([figures_of(name=name) for name in FIGURES])
    known = rows[:, 5] == 1
    assert known.tolist() == [name != "proteins" for name in FIGURES]
    np.testing.assert_allclose(rows[:, :4].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(rows[:, :4].std(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose([rows[known, 4].mean(), rows[known, 4].std()], [0, 1], atol=1e-6)
    assert rows[~known, 4].tolist() == [0]
    largest = [list(FIGURES)[i] for i in rows[:, :5].argmax(axis=0)]
    assert largest == ["arxiv", "proteins", "physics", "proteins", "physics"]


def test_figures_of_ones_own(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(f"name,{','.join(COLUMNS)},note\nother,1,1,1,1,,x\nmine,1000,5000,30,4,0.5,y\n")
    found = figures_of(name="mine", path=path)
    np.testing.assert_array_equal(found, figures_of(name="mine", figures=MINE))
    cora = figures_of(name="cora", figures=dict(zip(COLUMNS, FIGURES["cora"], strict=True)))
    np.testing.assert_array_equal(cora, figures_of(name="cora"))
    without = figures_of(name="mine", figures={k: v for k, v in MINE.items() if k != "homophily"})
    assert without[4:].tolist() == [0, 0]
    np.testing.assert_array_equal(without[:4], found[:4])
    assert figures_of(name="other", path=path)[5] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "coar"}, "no published statistics of the data set 'coar', only of cora, citeseer"),
        ({"name": "x", "path": "no.csv"}, r"there is no file of statistics no\.csv"),
        ({"name": "x", "figures": MINE | {"nodes": 0}}, "'x': nodes must be a positive number, found 0"),
        ({"name": "x", "figures": {"nodes": 5}}, "'x': edges must be a positive number, found nan"),
        ({"name": "x", "figures": MINE | {"homophily": 81}}, "homophily must be a fraction of 0 to 1, found 81"),
        ({"name": "x", "figures": MINE | {"vertices": 3}}, "unknown statistic 'vertices'; use nodes, edges"),
    ],
)
def test_errors(options, message):
    with pytest.raises(InputError, match=message):
        datasets.make("statistics", **options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nodes,edges\n1,2\n", "has no column 'name': expected the columns name, nodes"),
        ("name,nodes\nyours,3\n", "has no data set 'mine': it has yours"),
        ("name,nodes\nmine,many\n", "mine: nodes must be a number, found 'many'"),
        ("name,nodes\nmine,3\n", "'mine': edges must be a positive number"),
        ("", "has no column 'name'"),
        ("name,nodes,nodes\nmine,3,4\n", "mine.csv has the column 'nodes' 2 times: rename or remove"),
        ("name,nodes\nmine,3\nmine,4\n", "mine.csv has the data set 'mine' 2 times: rename or remove"),
        (b"name,nodes\nmine,\xff\n", "can't be read as CSV in UTF-8"),
        (b"name,nodes\nmine," + b"3" * 200_000, "can't be read as CSV in UTF-8"),
    ],
)
def test_bad_files(tmp_path, content, message):
    (tmp_path / "mine.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        datasets.make("statistics", name="mine", path=tmp_path / "mine.csv")
