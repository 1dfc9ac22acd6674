"""Labelled examples: what sources give, what is refused, and how they are cut into parts."""

import importlib.util
import random

import numpy as np
import pytest
from PIL import Image

from nag_jax.datasets import examples
from nag_jax.datasets.examples.parts import TEST, TRAINING, VALIDATION, split
from nag_jax.datasets.examples.parts import examples as of_arrays
from nag_jax.system.errors import InputError

RNG = np.random.default_rng(0)


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "mine.npz", **arrays)
    return examples.make("arrays", path=tmp_path / "mine.npz")


def noise(n=40, classes=2):
    return of_arrays("noise", RNG.standard_normal((n, 5, 4)), np.arange(n) % classes)


def test_arrays_come_back_from_their_file(tmp_path):
    inputs = RNG.integers(0, 255, (6, 4, 4, 3)).astype(np.uint8)
    part = ["train", "train", "train", "validation", "test", "training"]
    found = saved(tmp_path, inputs=inputs, labels=[0, 1, 0, 1, 0, 1], classes=["cats", "dogs"], part=part)
    np.testing.assert_array_equal(found.inputs, inputs)
    assert (found.name, found.classes, found.labels.tolist()) == ("mine", ("cats", "dogs"), [0, 1, 0, 1, 0, 1])
    assert found.part.tolist() == [TRAINING, TRAINING, TRAINING, VALIDATION, TEST, TRAINING]


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"inputs": np.zeros((2, 4, 4))}, "has no array 'labels', it has 'inputs'"),
        ({"inputs": np.zeros((2, 4, 4, 2)), "labels": [0, 1]}, r"expected images \[N, h, w, 1 or 3\]"),
        ({"inputs": np.zeros((2, 4)), "labels": [0.5, 1.0]}, "labels must be whole numbers from 0, found float64"),
        ({"inputs": np.zeros((2, 4)), "labels": [0, -1]}, "labels must be whole numbers from 0"),
        ({"inputs": np.zeros((2, 4)), "labels": [0, 0]}, "found 0 of 1 classes"),
        ({"inputs": np.full((2, 4), np.nan), "labels": [0, 1]}, "must be finite"),
        ({"inputs": np.zeros((2, 4)), "labels": [0, 2], "classes": ["a", "b"]}, "found 2 of 2 classes"),
        ({"inputs": np.zeros((2, 4)), "labels": [0, 1], "part": ["train", "exam"]}, "unknown part 'exam'"),
        ({"inputs": np.zeros((2, 4)), "labels": [0, 1], "part": ["train"]}, "part must name the part of every"),
    ],
)
def test_arrays_that_are_no_examples_are_refused(arrays, says, tmp_path):
    with pytest.raises(InputError, match=says):
        saved(tmp_path, **arrays)


def test_a_damaged_or_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match="there is no file of examples"):
        examples.make("arrays", path=tmp_path / "none.npz")
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(InputError, match="can't be read as an npz file"):
        examples.make("arrays", path=tmp_path / "torn.npz")


def test_parts_are_shares_of_every_class_and_share_nothing():
    found = noise(100, classes=4)
    parts = split(found, validation=0.25, test=0.2, seed=3)
    rows = [part.rows for part in (parts.training, parts.validation, parts.test)]
    assert list(map(len, rows)) == [60, 20, 20]
    assert sorted(np.concatenate(rows).tolist()) == list(range(100))
    for part in (parts.training, parts.validation, parts.test):
        assert len(set(np.bincount(part.labels))) == 1
        np.testing.assert_array_equal(part.labels, found.labels[part.rows])
        np.testing.assert_allclose(part.inputs * parts.std + parts.mean, found.inputs[part.rows], rtol=1e-4, atol=1e-5)
    again = split(found, validation=0.25, test=0.2, seed=3)
    np.testing.assert_array_equal(again.test.rows, parts.test.rows)
    assert split(found, validation=0.25, test=0.2, seed=4).test.rows.tolist() != parts.test.rows.tolist()


def test_only_the_training_part_normalises():
    found = noise()
    parts = split(found)
    np.testing.assert_allclose(parts.training.inputs.mean(axis=(0, 1, 2)), 0.0, atol=1e-5)
    np.testing.assert_allclose(parts.training.inputs.std(axis=(0, 1, 2)), 1.0, atol=1e-5)
    changed = found.inputs.copy()
    changed[parts.test.rows] += 100.0
    again = split(found._replace(inputs=changed))
    np.testing.assert_array_equal(again.mean, parts.mean)
    np.testing.assert_array_equal(again.training.inputs, parts.training.inputs)


def test_parts_that_a_source_names_are_kept():
    part = np.array([TEST] * 10 + [TRAINING] * 30, np.int8)
    parts = split(noise()._replace(part=part))
    assert parts.test.rows.tolist() == list(range(10))
    assert (parts.training.size, parts.validation.size) == (24, 6)


def test_too_few_examples_are_refused():
    with pytest.raises(InputError, match=r"an empty part \(4 examples for training, 0 for validation, 0 for test\)"):
        split(noise(4))
    found = noise()
    with pytest.raises(InputError, match="no training example of the class '1'"):
        split(found._replace(part=np.where(found.labels == 1, TEST, TRAINING).astype(np.int8)))


def test_digits_are_scikit_learns():
    pytest.importorskip("sklearn")
    found = examples.make("digits")
    assert (found.inputs.shape, len(found.classes)) == ((1797, 8, 8, 3), 10)
    assert found.inputs.max() == 16


def test_a_package_that_is_not_installed_names_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"digits needs the package sklearn: run pip install 'nag-jax\[train\]'"):
        examples.make("digits")


@pytest.mark.slow
def test_series_are_images_one_pixel_wide():
    pytest.importorskip("mnist1d")
    before = repr(np.random.get_state()), random.getstate()
    found = examples.make("mnist1d")
    assert found.inputs.shape == (5000, 40, 1, 3)
    assert (found.part == TEST).tolist() == [False] * 4000 + [True] * 1000
    assert (repr(np.random.get_state()), random.getstate()) == before


@pytest.fixture
def folder(tmp_path):
    for part, count in (("train", 3), ("test", 1)):
        for name, white in (("black", 0), ("white", 255)):
            place = tmp_path / part / name
            place.mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (6, 6), (white,) * 3).save(place / f"{i}.png")
    return tmp_path


def test_class_folders_are_read_with_and_without_parts(folder):
    found = examples.make("folder", path=folder, image_size=4)
    assert (found.inputs.shape, found.classes) == ((8, 4, 4, 3), ("black", "white"))
    assert found.part.tolist() == [TRAINING] * 6 + [TEST] * 2
    np.testing.assert_array_equal(found.inputs[:, 0, 0, 0], 255.0 * found.labels)
    whole = examples.make("folder", path=folder / "train", image_size=4)
    assert (len(whole.labels), whole.part.size) == (6, 0)


def test_parts_with_other_classes_are_refused(folder):
    (folder / "test" / "white").rename(folder / "test" / "grey")
    with pytest.raises(InputError, match="must have the class folders of"):
        examples.make("folder", path=folder)
