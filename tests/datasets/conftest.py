"""What the tests of data sets share: real images as a TFDS data set that nobody needed TensorFlow to prepare."""

import io
import json
from typing import Any

import pytest
from PIL import Image


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
        {"image": tfds.features.Image(shape=(8, 8, 1)), "label": tfds.features.ClassLabel(names=list(digits))}
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
