"""Converts what others published into files that runs read.

    python -m experiments.convert metad2a meta_train_tasks_predictor.pt OUT.npz
    python -m experiments.convert imagenet32 TRIPLES.npz CLASSES.txt OUT.npz --weights=resnet18.safetensors
    python -m experiments.convert labels OLD.csv --ledger=trials.db --config=configs/nb201.py

`metad2a` reads MetaD2A's PyTorch files without executing their pickles (the other two are found beside the first).
`imagenet32` makes the images of their data sets from the TFDS data set imagenet_resized/32x32: features of 20 images of
each class that a triple has. They are a source of their own, `features`, whose classes are WordNet ids.
`labels` stores labels that were paid for already as trials of a ledger, so that a run doesn't pay for them again.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from nag_jax import datasets
from nag_jax.datasets import base, metad2a
from nag_jax.system import started
from nag_jax.system.errors import InputError

from . import command_line, convert_labels
from .compilation_cache import use_compilation_cache


def main(arguments: list[str] | None = None) -> None:
    """Converts.

    Raises:
        InputError: the input, or where to write, is wrong.
    """
    parser = argparse.ArgumentParser(
        prog=started.usage_of("experiments.convert"),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    triples = commands.add_parser("metad2a", help="MetaD2A's triples")
    triples.add_argument("path", type=Path, help="meta_train_tasks_predictor.pt")
    triples.add_argument("out", type=Path, help="the npz file to write")
    images = commands.add_parser("imagenet32", help="features of the images of MetaD2A's data sets")
    images.add_argument("triples", type=Path, help="the npz file that metad2a wrote")
    images.add_argument("classes", type=Path, help="a text file, `wnid id name` a line")
    images.add_argument("out", type=Path, help="the npz file to write")
    images.add_argument("--weights", type=Path, help="of a ResNet-18; without, the pixels themselves are written")
    images.add_argument("--data_dir", type=Path, help="where TFDS data sets are")
    images.add_argument("--images_per_class", type=int, default=20)
    images.add_argument("--seed", type=int, default=0)
    convert_labels.add_arguments(commands.add_parser("labels", help="labels that were paid for, into a ledger"))
    given, rest = parser.parse_known_args(arguments)
    if given.command == "labels":
        convert_labels.run(given, rest)
        return
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if given.out.suffix != ".npz":
        raise InputError(f"the file to write must end in .npz, found {str(given.out)!r}")
    if not given.out.absolute().parent.is_dir():
        raise InputError(f"there is no folder {given.out.absolute().parent} to write to: make it")
    if given.command == "metad2a":
        arrays: Any = metad2a.convert(given.path)  # a dict of arrays, none of which is allow_pickle
        np.savez(given.out, **arrays)
    else:
        _write_images(given)
    print(f"wrote {given.out}")


def _write_images(given: argparse.Namespace) -> None:
    use_compilation_cache()
    classes = metad2a.used_classes(metad2a.load(path=given.triples, classes=given.classes))
    description = datasets.make(
        "images",
        tfds=metad2a.TFDS_NAME,
        data_dir=given.data_dir,
        classes=classes,
        images_per_class=given.images_per_class,
        seed=given.seed,
        weights=given.weights,
    )
    base.save(given.out, description)


if __name__ == "__main__":
    with command_line.ending("experiments.convert", goes_on=False):
        main()
