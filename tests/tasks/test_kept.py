"""Pools and findings in files and data frames."""

import json

import numpy as np
import pytest

import nag_jax
from nag_jax.objectives import Metric
from nag_jax.system.errors import InputError
from nag_jax.tasks.found import Found
from nag_jax.tasks.pool import Pool

CELLS = [
    "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|",
    "|skip_connect~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|",
]
LATENCY = Metric("latency", unit="ms", direction="min", title="latency on a phone")


@pytest.fixture
def pool():
    return Pool(
        architectures=CELLS,
        times_generated=np.array([3, 1]),
        predictions=np.array([1.5, np.nan]),
        values=np.array([np.nan, 2.5]),
        metric=LATENCY,
        best=CELLS[1],
        best_value=2.5,
        labels_paid={"training": 20, "final": 1},
        num_samples=4,
    )


@pytest.fixture
def found():
    labels = {"latency": np.array([2.5, np.nan, 1.5]), "params": np.array([1.0, 2.0, 3.0])}
    return Found(
        architectures=[*CELLS, CELLS[0]],
        values=labels["latency"],
        labels=labels,
        metric=LATENCY,
        best=CELLS[0],
        best_value=1.5,
        labels_paid={"search": 3},
    )


def equal(one, other):
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return one == other or (one != one and other != other)


@pytest.mark.parametrize("kind", ["pool", "found"])
def test_what_is_saved_is_loaded(kind, request, tmp_path):
    kept = request.getfixturevalue(kind)
    kept.save(tmp_path / "kept.json")
    again = type(kept).load(tmp_path / "kept.json")
    assert again.metric.label == "latency on a phone"
    for name, value in vars(kept).items():
        assert equal(value, getattr(again, name)), name


def test_a_pool_without_labels_is_kept_too(pool, tmp_path):
    bare = Pool(CELLS, pool.times_generated, np.full(2, np.nan), np.full(2, np.nan), None, None, np.nan, {}, 4)
    bare.save(tmp_path / "pool.json")
    again = Pool.load(tmp_path / "pool.json")
    assert (again.metric, again.best, again.labels_paid) == (None, None, {})
    assert np.isnan(again.best_value)
    assert list(again.to_pandas()) == ["arch", "times_generated", "predicted"]


def test_data_frames_are_tables(pool, found):
    frame = pool.to_pandas()
    assert list(frame) == ["arch", "times_generated", "predicted", "latency"]
    assert frame["latency"].tolist()[1] == 2.5
    frame = found.to_pandas()
    assert list(frame) == ["arch", "latency", "params", "best_so_far"]
    assert frame["best_so_far"].tolist() == [2.5, 2.5, 1.5]
    options = {"metric": "params", "average_repeats": True}
    table = nag_jax.evaluator(frame[["arch", "params"]], nag_jax.space("nasbench201"), **options)
    assert (table.rows, table.num_distinct) == (3, 2)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda kept: "{", "isn't what Pool.save writes"),
        (lambda kept: json.dumps(kept | {"kind": "Found"}), "it is of another kind"),
        (lambda kept: json.dumps({"kind": "Pool"}), "'architectures'"),
        (lambda kept: json.dumps(kept | {"values": 3}), "not iterable"),
        (lambda kept: "[]", "isn't what Pool.save writes"),
    ],
)
def test_another_file_is_refused_in_one_line(change, why, pool, tmp_path):
    path = tmp_path / "pool.json"
    pool.save(path)
    path.write_text(change(json.loads(path.read_text())))
    with pytest.raises(InputError, match=why) as refused:
        Pool.load(path)
    assert "\n" not in str(refused.value)


def test_what_can_not_be_read_or_written_is_said(pool, tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        Pool.load(tmp_path / "none.json")
    with pytest.raises(InputError, match="can't be written"):
        pool.save(tmp_path / "nowhere" / "pool.json")
