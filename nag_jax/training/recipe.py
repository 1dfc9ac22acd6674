"""Recipes of training: all numbers of how an architecture is trained, which is the same for every one of a run."""

import dataclasses

from nag_jax.system.errors import InputError
from nag_jax.system.fields import COUNT, NOT_NEGATIVE, POSITIVE, RATE, one_of, option

OPTIMIZERS = ("sgd", "adamw")
DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What is done to the training examples of a batch, inside the compiled step.

    Example:
        >>> Augmentation(crop=4, flip=True).mixup
        0.0
    """

    crop: int = option(
        0,
        "By how many pixels images may be shifted, as crops of images padded with the mean are; 0 for none.",
        NOT_NEGATIVE,
    )
    flip: bool = option(False, "Whether half of the images are mirrored left to right.")
    cutout: int = option(0, "The side of the square that is replaced by the mean, in pixels; 0 for none.", NOT_NEGATIVE)
    mixup: float = option(
        0.0, "The parameter of the beta distribution by which pairs of examples are mixed; 0 for none.", NOT_NEGATIVE
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an architecture is trained.

    Example:
        >>> Recipe(epochs=2).batch_size
        64
    """

    epochs: int = option(30, "The number of epochs of a full training, over which the learning rate falls.", COUNT)
    batch_size: int = option(64, "The number of examples per step.", COUNT)
    optimizer: str = option("sgd", "SGD with Nesterov momentum, or AdamW.", one_of(*OPTIMIZERS))
    learning_rate: float = option(0.1, "The learning rate after the warm-up.", POSITIVE)
    momentum: float = option(0.9, "The momentum of SGD.", RATE)
    weight_decay: float = option(5e-4, "The weight decay of kernels.", NOT_NEGATIVE)
    warmup_epochs: float = option(
        1.0, "How many epochs the learning rate grows linearly before it falls as a cosine.", NOT_NEGATIVE
    )
    clip_norm: float = option(5.0, "The bound on the global norm of the gradient.", POSITIVE)
    label_smoothing: float = option(0.1, "The share of a label's weight that all classes get.", RATE)
    ema_decay: float = option(
        0.99, "The decay per step of the moving average of the weights, which is what is evaluated and kept.", RATE
    )
    dtype: str = option(
        "float32", "The type of activations and products; bfloat16 is for accelerators.", one_of(*DTYPES)
    )
    checkpoint_every: float = option(
        30.0,
        "How many seconds lie between checkpoints of a training; the end of each stage has one anyway.",
        NOT_NEGATIVE,
    )
    augmentation: Augmentation = Augmentation()

    def check_together(self, path: str) -> None:
        """Raises InputError where the warm-up takes all epochs."""
        if self.warmup_epochs >= self.epochs:
            raise InputError(
                f"{path}.warmup_epochs, {self.warmup_epochs:g}, must be less than {path}.epochs, {self.epochs}: lower "
                "it"
            )
