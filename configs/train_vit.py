"""Training of vision transformers, from a data set to a trained network: by default small ones on the digits.

Run:      python -m experiments.main --config=configs/train_vit.py
Smoke:    python -m experiments.main --config=configs/train_vit.py:smoke     (the same path at tiny sizes)

Widths, depth, and each layer's heads and hidden layer are chosen, as AutoFormer does. All networks are one compiled
program, the largest one, of which the others use a part.

Your images:  --config.dataset.name=folder --config.dataset.path=FOLDER --config.dataset.image_size=32
              --config.space.image_size=32 --config.space.patch=4
Budgets:      --config.constraints="params <= 50e3"
AutoFormer's smallest space: --config.space.widths="(192, 216, 240)" --config.space.depths="(12, 13, 14)"
              --config.space.heads="(3, 4)" --config.space.head_widths="(64,)" --config.space.ratios="(3.5, 4.0)"
"""

from typing import Any

from nag_jax.settings import Train
from nag_jax.settings.config import make_config
from nag_jax.settings.presets import SMALL_TRAINING
from nag_jax.settings.space import VisionTransformerSpace

SETTINGS = Train(
    name="train_vit",
    space=VisionTransformerSpace(
        widths=(32, 48, 64),
        depths=(2, 3, 4),
        heads=(2, 4),
        head_widths=(8, 16),
        ratios=(1.0, 2.0, 4.0),
        patch=2,
        image_size=8,
        num_classes=10,
    ),
)
# Transformers are trained by AdamW, with a rate that grows for longer, and for more steps than cells.
DEFAULT = {
    "training.optimizer": "adamw",
    "training.epochs": 60,
    "training.batch_size": 32,
    "training.learning_rate": 3e-3,
    "training.weight_decay": 0.05,
    "training.warmup_epochs": 3.0,
    "training.augmentation.crop": 1,
}
SMOKE = SMALL_TRAINING | {
    "space.widths": (8, 12),
    "space.depths": (1, 2),
    "space.heads": (1, 2),
    "space.head_widths": (4,),
    "training.warmup_epochs": 1.0,
}
VARIANTS = {"": DEFAULT, "smoke": DEFAULT | SMOKE}


def get_config(variant: str = "") -> Any:
    """The default config, or the variant `smoke`."""
    return make_config(SETTINGS, variant, VARIANTS)
