import numpy as np
import pytest

from nag_jax import datasets
from nag_jax.datasets import base
from nag_jax.system.errors import InputError


def table():
    """Three classes of two features, of which "b" has one item only."""
    items = [np.full((2, 2), 1.0), np.full((1, 2), 2.0), np.full((2, 2), 3.0)]
    return base.describe("letters", items, classes=("a", "b", "c"), facts={"made": "up"})


def test_classes_of_different_sizes_are_padded():
    found = table()
    assert found.features.tolist() == [[[1, 1], [1, 1]], [[2, 2], [0, 0]], [[3, 3], [3, 3]]]
    assert found.mask.tolist() == [[True, True], [True, False], [True, True]]
    assert found.features.dtype == np.float32
    assert found.item_shape == (2,)


def test_what_is_masked_is_zero_whatever_was_there():
    found = datasets.Description("x", np.array([[[1.0, 2.0], [np.nan, 7.0]]]), np.array([[True, False]]))
    assert found.features.tolist() == [[[1, 2], [0, 0]]]


def test_data_sets_are_stacked():
    small = base.describe("small", [np.full((3, 2), 9.0)])
    batch = datasets.stack([table(), small])
    assert batch.features.shape == (2, 3, 3, 2)
    assert batch.mask.sum(axis=2).tolist() == [[2, 1, 2], [3, 0, 0]]
    assert batch.features[1, 0].tolist() == [[9, 9]] * 3
    assert (batch.features[~batch.mask] == 0).all()
    with pytest.raises(InputError, match=r"items of one shape, found \[\[1\], \[2\]\]"):
        datasets.stack([table(), base.single("x", np.ones(1))])
    with pytest.raises(InputError, match="items of one shape"):
        datasets.stack([])


def test_tasks_that_share_classes_share_rows():
    tasks = [("c", "a"), ("b",)]
    rows, mask = datasets.class_rows(table(), tasks)
    batch = datasets.stack([datasets.select_classes(table(), task, name="task") for task in tasks])
    np.testing.assert_array_equal(table().mask[rows] & mask[..., None], batch.mask)
    np.testing.assert_array_equal(table().features[rows][batch.mask], batch.features[batch.mask])
    assert datasets.class_rows(table(), [table()])[0].tolist() == [[0, 1, 2]]
    with pytest.raises(InputError, match="task 1 has the unknown class 'd': give it classes of 'letters'"):
        datasets.class_rows(table(), [("a",), ("a", "d")])
    with pytest.raises(InputError, match="task 0 has no class"):
        datasets.class_rows(table(), [()])


def test_a_description_survives_a_file(tmp_path):
    base.save(tmp_path / "letters.npz", table())
    found = datasets.make("features", path=tmp_path / "letters.npz")
    assert (found.name, found.classes) == ("letters", ("a", "b", "c"))
    np.testing.assert_array_equal(found.features, table().features)
    np.testing.assert_array_equal(found.mask, table().mask)
    (tmp_path / "letters.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"letters\.npz isn't a description of a data set"):
        datasets.make("features", path=tmp_path / "letters.npz")
    with pytest.raises(InputError, match=r"there is no file of features .*none\.npz"):
        datasets.make("features", path=tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("features", "mask", "classes", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 3)), (), r"must have the shape \[C, I, F\] .* found \[2, 3\] and \[2, 3\]"),
        (np.ones((2, 3, 4)), np.ones((2, 2)), (), r"found \[2, 3, 4\] and \[2, 2\]"),
        (np.ones((2, 3, 4)), [[1, 1, 1], [0, 0, 0]], (), "every class needs an item"),
        (np.ones((0, 1, 4)), np.ones((0, 1)), (), "there must be a class"),
        (np.ones((2, 1, 4)), np.ones((2, 1)), ("a",), "found 1 names of 2 classes"),
        (np.full((1, 1, 4), np.inf), np.ones((1, 1)), (), "must be finite"),
    ],
)
def test_impossible_descriptions(features, mask, classes, message):
    with pytest.raises(InputError, match=f"data set 'x': .*{message}"):
        datasets.Description("x", features, np.asarray(mask), classes)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("pictures", {}, r"unknown data-set source 'pictures': use one of \['class_names', 'features', 'images',"),
        ("statistics", {"name": "cora", "nodes": 3}, r"'statistics' has no option \['nodes'\]: use \['figures',"),
        ("statistics", {}, "source 'statistics' needs the option 'name'"),
        ("landmarks", {"name": "x"}, "source 'landmarks' needs the option 'labels'"),
    ],
)
def test_misspelt_sources_and_options(source, options, message):
    with pytest.raises(InputError, match=message):
        datasets.make(source, **options)
