"""Images: a data set described by some images of every class, or by features of them from a frozen network.

They come from a folder of class folders, or from a TensorFlow data set (TFDS) that somebody prepared; both are read by
grain. TensorFlow itself is needed only to prepare the latter, never here.
"""

import logging
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nag_jax.datasets.base import Description, describe
from nag_jax.datasets.tfds import Labelled, open_tfds
from nag_jax.networks import resnet
from nag_jax.system.errors import InputError, quoted, shown
from nag_jax.system.extras import check_installed
from nag_jax.system.foreign import Budget
from nag_jax.system.seeds import check_seed

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".jpg", ".jpeg", ".png")

_PIXEL = 8
"""Bytes of a decoded pixel, which Pillow keeps in four, and of a converted one beside it."""
_SHOWN = 3
"""How many class names a warning lists."""


def load(
    *,
    folder: str | Path | None = None,
    tfds: str | None = None,
    name: str | None = None,
    split: str = "train",
    data_dir: str | Path | None = None,
    classes: Sequence[str] | None = None,
    images_per_class: int = 20,
    seed: int = 0,
    image_size: int = 32,
    weights: str | Path | None = None,
) -> Description:
    """Describes a data set by images of each class.

    Args:
        folder: a folder of class folders, which hold `.jpg`, `.jpeg` or `.png` files of 8 or 16 bits per channel; their
            names are the classes', but for those that begin with `.` or `__`, as an archive's `__MACOSX`.
        tfds: the name of a prepared TFDS data set, in place of a folder, as `"cifar10"`.
        name: the name of the data set; by default the folder's or TFDS's.
        split: the split of the TFDS data set.
        data_dir: where TFDS data sets are; by default TFDS's own place.
        classes: which classes to use, in this order; by default all.
        images_per_class: how many; a class that has fewer gives all it has, and a warning says so.
        seed: the seed of the choice of images.
        image_size: the size to which images are scaled, in pixels; published 32.
        weights: the file of a ResNet-18's weights, as `resnet.read_variables` reads it; its 512 features then stand for
            an image. Without it the description holds the pixels, for an encoder that learns its own features.

    Returns:
        A description `[C, I, 512]`, or `[C, I, image_size, image_size, 3]` with pixels from -1 to 1. Its facts say how
        many images were used and which classes had too few.

    Raises:
        InputError: neither or both of `folder` and `tfds` are given, what they name isn't there, or not such a data
            set, or not prepared, an image can't be read, a class has none, or the weights don't fit.
    """
    if (folder is None) == (tfds is None):
        raise InputError("images come from a folder or from a TFDS data set: name one of the two, folder or tfds")
    if images_per_class < 1 or image_size < 1:
        raise InputError(
            f"images_per_class and image_size must be at least 1, found {images_per_class} and {image_size}"
        )
    for package in ("grain", "PIL"):
        check_installed(package, extra="images", needed_by="a data set that is known by its images")
    seed = check_seed(seed)
    variables = None if weights is None else resnet.read_variables(weights)
    if folder is not None:
        title = name or Path(folder).resolve().name
        names, images = read_folder_images(Path(folder), classes, images_per_class, seed, image_size)
    else:
        title = name or str(tfds)
        names, images = collect(
            open_tfds(str(tfds), split=split, data_dir=data_dir),
            classes=classes,
            images_per_class=images_per_class,
            seed=seed,
            image_size=image_size,
        )
    facts = _facts(title, names, images, images_per_class) | {"image_features": str(weights) if weights else "pixels"}
    if variables is None:
        items = [rows.astype(np.float32) / 127.5 - 1.0 for rows in images]
    else:
        features = resnet.image_features(variables, np.concatenate(images))
        items = np.split(features, np.cumsum([len(rows) for rows in images])[:-1])
    return describe(title, items, classes=names, facts=facts)


def _facts(title: str, names: Sequence[str], images: Sequence[np.ndarray], images_per_class: int) -> dict[str, Any]:
    """What was used; warns of the classes that had too few images."""
    short = {name: len(rows) for name, rows in zip(names, images, strict=True) if len(rows) < images_per_class}
    if short:
        some = shown(", ".join(f"{name} {count}" for name, count in list(short.items())[:_SHOWN]))
        logging.getLogger(__name__).warning(
            "data set %s: %d of %d classes have fewer than %d images, all of which are used (%s%s)",
            *(shown(title), len(short), len(names), images_per_class, some, ", ..." if len(short) > _SHOWN else ""),
        )
    return {"images": sum(map(len, images)), "images_per_class": images_per_class, "short_classes": short}


def read_folder_images(
    folder: Path, classes: Sequence[str] | None, images_per_class: int, seed: int, image_size: int
) -> tuple[list[str], list[np.ndarray]]:
    """Names and images uint8 `[I_c, S, S, 3]` of the classes of a folder; only the chosen files are opened.

    See `load` for the arguments and what is raised.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder of images {folder}: correct the path")
    folders = {
        path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith((".", "__"))
    }
    if not folders:
        raise InputError(f"{folder} has no class folders: put the images of each class into a folder of its own there")
    names = _chosen_classes(folders, classes, str(folder))
    paths = [_choose_files(folders[name], images_per_class, seed) for name in names]
    flat: list[Path] = [path for of_class in paths for path in of_class]
    images = np.stack(list(_iterate(_source(flat).map(lambda path: _read_image(path, image_size)))))
    return names, np.split(images, np.cumsum([len(of_class) for of_class in paths])[:-1])


def _source(items: Any) -> Any:
    """Grain's data set of items that are there by their numbers."""
    import grain

    return grain.MapDataset.source(items)


def _iterate(dataset: Any) -> Any:
    """Reads a data set ahead of its use."""
    import grain

    return dataset.to_iter_dataset(grain.ReadOptions(num_threads=4, prefetch_buffer_size=64))


def _chosen_classes(there: Sequence[str] | dict[str, Path], wanted: Sequence[str] | None, where: str) -> list[str]:
    names = list(there) if wanted is None else list(wanted)
    unknown = [name for name in names if name not in there]
    if unknown:
        raise InputError(f"{where} has no class {quoted(unknown[0])}: it has {', '.join(there)}")
    if not names:
        raise InputError(f"expected the names of classes of {where}, found none")
    return names


def _choose_files(folder: Path, count: int, seed: int) -> list[Path]:
    """Random files of a class folder; which ones doesn't depend on the other classes."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
    if not files:
        raise InputError(f"class folder {folder} has no {', '.join(SUFFIXES)} file: add some, or remove the folder")
    order = np.random.default_rng([seed, zlib.crc32(folder.name.encode())]).permutation(len(files))
    return [files[i] for i in order[:count]]


def _read_array(pixels: np.ndarray, size: int) -> np.ndarray:
    from PIL import Image

    try:
        pixels = _eight_bits(pixels)
    except ValueError as error:
        raise InputError(f"the data set can't be read as images ({error}): use another") from error
    return _scaled(Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), size)


def _read_image(path: Path, size: int) -> np.ndarray:
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            Budget(path.stat().st_size).take(_PIXEL * image.width * image.height)
            return _scaled(ImageOps.exif_transpose(image), size)
    except Exception as error:  # a damaged image may raise nearly anything
        raise InputError(f"{path} can't be read as an image ({error}): replace or remove it") from error


def _scaled(image: "Image.Image", size: int) -> np.ndarray:
    """Pixels uint8 `[size, size, 3]`; raises ValueError where nobody knows what number is white."""
    from PIL import Image

    if image.mode.startswith("I;16"):  # which Pillow itself would clip
        image = Image.fromarray(_eight_bits(np.asarray(image).astype(np.uint16)))
    elif image.mode in ("I", "F"):
        raise ValueError(f"its pixels are 32-bit numbers, mode {image.mode}, expected 8 or 16 bits per channel")
    image = image.convert("RGB")
    return np.asarray(image if image.size == (size, size) else image.resize((size, size), Image.Resampling.BILINEAR))


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    """Pixels uint8 of pixels uint8 or uint16, whose white is 255 or 65,535; raises ValueError for others."""
    if pixels.dtype == np.uint16:
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise ValueError(f"its pixels are {pixels.dtype}, expected uint8 or uint16")
    return pixels


def collect(
    labelled: Labelled, *, classes: Sequence[str] | None, images_per_class: int, seed: int, image_size: int
) -> tuple[list[str], list[np.ndarray]]:
    """Random images of each class, read in a random order until every class has enough or there are no more.

    Args:
        labelled: the images.
        classes: which classes, in this order; None for all.
        images_per_class: how many.
        seed: the seed of the order.
        image_size: the size to which images are scaled, in pixels.

    Returns:
        The classes' names, and their images uint8 `[I_c, image_size, image_size, 3]`.

    Raises:
        InputError: there is no such class, a class has no image, or the images are neither uint8 nor uint16.
    """
    names = _chosen_classes(labelled.classes, classes, "the data set")
    place = {labelled.classes.index(name): i for i, name in enumerate(names)}
    images: list[list[np.ndarray]] = [[] for _ in names]
    missing = images_per_class * len(names)
    for element in _iterate(_source(labelled.source).seed(seed).shuffle()):
        i = place.get(int(element["label"]))
        if i is None or len(images[i]) == images_per_class:
            continue
        images[i].append(_read_array(np.asarray(element["image"]), image_size))
        missing -= 1
        if not missing:
            break
    for name, rows in zip(names, images, strict=True):
        if not rows:
            raise InputError(
                f"the data set has no image of the class {quoted(name)}: use another split, or leave it out"
            )
    return names, [np.stack(rows) for rows in images]
