import sys
from typing import Any

import numpy as np
import pytest

from nag_jax import datasets
from nag_jax.datasets.tfds import open_tfds
from nag_jax.system.errors import InputError


def test_a_prepared_data_set_is_read_without_tensorflow(digits_tfds, digits):
    data_dir, name = digits_tfds
    found = open_tfds(name, split="train", data_dir=data_dir)
    assert found.classes == tuple(digits)
    assert len(found.source) == 300
    assert found.source[31]["label"] == 1
    assert found.source[31]["image"].shape == (8, 8, 1)
    assert "tensorflow" not in sys.modules


def test_it_is_described_as_its_images_are(digits_tfds, digits):
    data_dir, name = digits_tfds
    found = datasets.make("images", tfds=name, data_dir=data_dir, image_size=8, images_per_class=5)
    assert found.name == name
    assert found.classes == tuple(digits)
    assert found.features.shape == (10, 5, 8, 8, 3)
    for name, features in zip(found.classes, found.features, strict=True):
        for pixels in np.rint((features + 1.0) * 127.5)[..., 0]:
            assert (pixels == digits[name][:30]).all(axis=(1, 2)).any()
    again = datasets.make("images", tfds=found.name, data_dir=data_dir, image_size=8, images_per_class=5)
    np.testing.assert_array_equal(found.features, again.features)
    other = datasets.make("images", tfds=found.name, data_dir=data_dir, image_size=8, images_per_class=5, seed=1)
    assert np.abs(found.features - other.features).max() > 0.1


def test_too_few_images_are_counted(digits_tfds, caplog):
    data_dir, name = digits_tfds
    found = datasets.make(
        "images", tfds=name, data_dir=data_dir, image_size=8, images_per_class=40, classes=["nine", "two"]
    )
    assert found.classes == ("nine", "two")
    assert found.facts["short_classes"] == {"nine": 30, "two": 30}
    assert found.mask.all()
    assert "2 of 2 classes have fewer than 40 images" in caplog.text


def test_an_unprepared_data_set_gets_the_commands(tmp_path):
    with pytest.raises(InputError, match="isn't prepared as array_record") as error:
        datasets.make("images", tfds="cifar10", data_dir=tmp_path)
    message = str(error.value)
    assert "\n" not in message
    assert "needs TensorFlow: pip install 'nag-jax[tensorflow]'" in message
    assert f"t.builder('cifar10', data_dir='{tmp_path}', file_format='array_record').download_and_prepare()" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "no_such_data_set"}, "TFDS has no data set 'no_such_data_set'"),
        ({"name": "imagenet_resized/31x31"}, "TFDS can't open 'imagenet_resized/31x31'"),
        ({"split": "tset"}, r"has no split 'tset': use one of \['train'\]"),
    ],
)
def test_errors(digits_tfds, options, message):
    data_dir, name = digits_tfds
    with pytest.raises(InputError, match=message):
        open_tfds(options.get("name", name), split=options.get("split", "train"), data_dir=data_dir)


def test_files_of_the_older_format_are_refused(digits_tfds, tmp_path):
    data_dir, name = digits_tfds
    folder = tmp_path / name / "1.0.0"
    folder.mkdir(parents=True)
    for file in (data_dir / name / "1.0.0").glob("*.json"):
        (folder / file.name).write_text(file.read_text().replace("array_record", "tfrecord"))
    with pytest.raises(InputError, match=r"in another format; remove it.*file_format='array_record'"):
        open_tfds(name, split="train", data_dir=tmp_path)


def test_the_classes_of_imagenet_are_those_of_the_list(shared):
    import tensorflow_datasets as tfds

    wnids = [line.split()[0] for line in (shared / "data" / "imagenet32_classes.txt").read_text().splitlines()]
    features: Any = tfds.builder("imagenet_resized/32x32").info.features
    assert features["label"].names == wnids
