"""What the tests of data sets share: real images as class folders, and as a TFDS data set that nobody needed TensorFlow
to prepare.
"""

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nag_jax.models import resnet

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.fixture(scope="session")
def digits():
    """scikit-learn's handwritten digits by name: about 180 images uint8 `[n, 8, 8]` each."""
    data = pytest.importorskip("sklearn.datasets").load_digits()
    images = (data.images * 15.9).astype(np.uint8)
    return {name: images[data.target == label] for label, name in enumerate(NAMES)}


@pytest.fixture(scope="session")
def digits_folder(digits, tmp_path_factory):
    """25 digits a class as PNG files in class folders, but 7 of class "nine"."""
    folder = tmp_path_factory.mktemp("digits")
    for name, images in digits.items():
        (folder / name).mkdir()
        for i, image in enumerate(images[: 7 if name == "nine" else 25]):
            Image.fromarray(image).save(folder / name / f"{i:03}.png")
    (folder / "zero" / "notes.txt").write_text("not an image")
    (folder / "README").write_text("not a class")
    return folder


@pytest.fixture(scope="session")
def digits_tfds(digits, tmp_path_factory):
    """(data_dir, name): 30 digits a class as array_record, written as TFDS lays them out."""
    writers = pytest.importorskip("array_record.python.array_record_module")
    import tensorflow_datasets as tfds
    from tensorflow_datasets import proto

    protos: Any = proto.tf_example_pb2
    parts: Any = proto.tf_feature_pb2
    root = tmp_path_factory.mktemp("tfds")
    folder = root / "my_digits" / "1.0.0"
    folder.mkdir(parents=True)
    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=(8, 8, 1)), "label": tfds.features.ClassLabel(names=list(NAMES))}
    )
    features.save_config(folder)
    writer = writers.ArrayRecordWriter(str(folder / "my_digits-train.array_record-00000-of-00001"), "group_size:1")
    size = 0
    for label, images in enumerate(digits.values()):
        for image in images[:30]:
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "png")
            example = protos.Example(
                features=parts.Features(
                    feature={
                        "image": parts.Feature(bytes_list=parts.BytesList(value=[buffer.getvalue()])),
                        "label": parts.Feature(int64_list=parts.Int64List(value=[label])),
                    }
                )
            )
            writer.write(example.SerializeToString())
            size += len(buffer.getvalue())
    writer.close()
    info = {
        "name": "my_digits",
        "version": "1.0.0",
        "fileFormat": "array_record",
        "moduleName": "tests",
        "releaseNotes": {"1.0.0": "first"},
        "splits": [
            {
                "name": "train",
                "shardLengths": ["300"],
                "numBytes": str(size),
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            }
        ],
    }
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return root, "my_digits"


@pytest.fixture(scope="session")
def resnet_weights(tmp_path_factory):
    """An npz file of a random ResNet-18 under torchvision's names."""
    rng = np.random.default_rng(0)
    weights = {}
    for name, _, shape in resnet.weight_table():
        weights[name] = np.abs(rng.standard_normal(shape)).astype(np.float32) / np.sqrt(np.prod(shape[1:]) or 1)
    path = tmp_path_factory.mktemp("weights") / "resnet18.npz"
    np.savez(path, **weights)
    return path
