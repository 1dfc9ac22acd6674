"""Training: from a data set to a trained network, by default NAS-Bench-201 cells on scikit-learn's digits.

Run:      python -m experiments.main --config=configs/train.py
Smoke:    python -m experiments.main --config=configs/train.py:smoke     (the same path at tiny sizes)

It generates cells, trains them with early stopping of the worst (successive halving), trains the best with three seeds,
measures those on the test part, and exports the network with its weights. The digits and the series of MNIST-1D need
`pip install 'nag-jax[train]'`, which a checkout's requirements have.

Your images:   --config.dataset.name=folder --config.dataset.path=FOLDER          (a folder of class folders)
Your arrays:   --config.dataset.name=arrays --config.dataset.path=FILE.npz        (inputs and labels)
Series:        --config.dataset.name=mnist1d
A budget:      --config.halving.strategy=bo_nag --config.halving.candidates=1000 --config.halving.seconds=600
Natural images want more: --config.training.augmentation.crop=4 --config.training.augmentation.flip=True
"""

from typing import Any

from nag_jax.settings import Train
from nag_jax.settings.config import make_config
from nag_jax.settings.presets import SMALL_TRAINING
from nag_jax.settings.train import Cells

SMOKE = SMALL_TRAINING | {"network.channels": 2}
# Digits are as likely a pixel further on; mirrored, they would be others.
DEFAULT = {"training.augmentation.crop": 1}
VARIANTS = {"": DEFAULT, "smoke": DEFAULT | SMOKE}


def get_config(variant: str = "") -> Any:
    """The default config, or the variant `smoke`."""
    return make_config(Train(name="train", network=Cells()), variant, VARIANTS)
