"""Prepared TensorFlow data sets (TFDS) of labelled images, opened without TensorFlow."""

from pathlib import Path
from typing import Any, NamedTuple

from nag_jax.system.errors import InputError
from nag_jax.system.extras import check_installed


class Labelled(NamedTuple):
    """Images whose labels are known only once they are read.

    Attributes:
        source: random access to {"image": uint8 `[H, W, channels]`, "label": int}.
        classes: names by label.
    """

    source: Any
    classes: tuple[str, ...]


def open_tfds(name: str, *, split: str, data_dir: str | Path | None = None) -> Labelled:
    """A prepared data set with the features `image` and `label`.

    Args:
        name: the name of the data set, as `"cifar10"` or `"imagenet_resized/32x32"`.
        split: the name of the split, as `"train"`.
        data_dir: where data sets are; None for TFDS's own place.

    Raises:
        InputError: TFDS knows no such data set, it isn't prepared as array_record, or has no such split or features.
    """
    folder = None if data_dir is None else str(data_dir)
    builder = _builder(name, folder)
    if not builder.is_prepared():
        raise _unprepared(name, folder, f"it isn't in {builder.data_dir}")
    if split not in builder.info.splits:
        raise InputError(f"TFDS data set {name!r} has no split {split!r}: use one of {sorted(builder.info.splits)}")
    classes = _label_names(builder, name)
    if "image" not in builder.info.features:
        raise InputError(f"TFDS data set {name!r} has no feature image: use another")
    try:
        source = builder.as_data_source(split)
    except NotImplementedError as error:  # files of TFDS's older format need TensorFlow even to be read
        raise _unprepared(name, folder, "it is there in another format; remove it") from error
    return Labelled(source, classes)


def _builder(name: str, folder: str | None) -> Any:
    check_installed("tensorflow_datasets", extra="tfds", needed_by=f"TFDS data set {name!r}")
    import tensorflow_datasets
    from tensorflow_datasets.core.registered import DatasetNotFoundError

    try:
        return tensorflow_datasets.builder(name, data_dir=folder)
    except DatasetNotFoundError as error:
        raise InputError(f"TFDS has no data set {name!r}: see tensorflow.org/datasets/catalog") from error
    except ValueError as error:  # an unknown config or version of a known data set
        raise InputError(f"TFDS can't open {name!r} ({error}): correct the name") from error


def _label_names(builder: Any, name: str) -> tuple[str, ...]:
    features = builder.info.features or {}
    names = getattr(features["label"], "names", None) if "label" in features else None
    if not names:
        raise InputError(f"TFDS data set {name!r} has no feature label of named classes: use another")
    return tuple(names)


def _unprepared(name: str, folder: str | None, reason: str) -> InputError:
    where = f", data_dir={folder!r}" if folder else ""
    return InputError(
        f"TFDS data set {name!r} isn't prepared as array_record ({reason}): preparing it, unlike reading, needs "
        f"TensorFlow: pip install 'nag-jax[tensorflow]', then python -c \"import tensorflow_datasets as t; "
        f"t.builder('{name}'{where}, file_format='array_record').download_and_prepare()\""
    )
