"""Settings of training: the data set, the sizes of the networks, and who is trained for how long."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nag_jax.settings.evaluator import METRIC
from nag_jax.settings.names import DATA_SETS, EVALUATORS, PROPOSERS
from nag_jax.system.errors import InputError
from nag_jax.system.fields import COUNT, NOT_NEGATIVE, SEED, Allowed, one_of, option, options_of_own

_PART = Allowed("more than 0 and less than 1", lambda value: 0 < value < 1)


@dataclasses.dataclass(frozen=True)
class Examples:
    """The data set that architectures are trained on, and its parts."""

    name: str = option(
        "digits",
        "Where examples come from: an npz file, scikit-learn's digits, a folder of class folders, MNIST-1D, or TFDS.",
        DATA_SETS,
    )
    path: str = option("", "The npz file, the folder, or the name of the TFDS data set.")
    split: str = option("", "The split of a TFDS data set to train on; empty is train.")
    test_split: str = option("", "The split of a TFDS data set to test on; empty holds out a share of the other.")
    data_dir: str = option("", "The folder of TFDS data sets; empty is TFDS's own.")
    image_size: int = option(0, "The size that images of folders and TFDS are scaled to; 0 is 32.", NOT_NEGATIVE)
    validation: float = option(
        0.2, "The share of the training part that validation gets, where the source doesn't say.", _PART
    )
    test: float = option(0.2, "The share of all examples that the test gets, where the source doesn't say.", _PART)
    seed: int = option(0, "The seed with which parts are drawn.", SEED)


@dataclasses.dataclass(frozen=True)
class Cells:
    """The sizes of the networks of cells."""

    channels: int = option(8, "The number of channels of the first stage; it doubles from stage to stage.", COUNT)
    cells: int = option(1, "The number of cells per stage.", COUNT)
    stages: int = option(3, "The number of stages, each at half the size of the one before.", COUNT)
    own: Mapping[str, Any] = options_of_own()


@dataclasses.dataclass(frozen=True)
class Trained:
    """The evaluator that trains."""

    name: str = option("trained", "Where labels come from.", EVALUATORS)
    metric: str = option("validation_accuracy", METRIC)


@dataclasses.dataclass(frozen=True)
class Halving:
    """Successive halving: the architectures that are begun, and how the worst of them are stopped early."""

    candidates: int = option(18, "How many architectures are begun, with a strategy at the most.", COUNT)
    first_epochs: int = option(2, "How many epochs all of them are trained.", COUNT)
    factor: int = option(
        3,
        "By how much the epochs grow from one stage to the next, and the number of architectures falls.",
        Allowed("at least 2", lambda value: value >= 2),
    )
    seeds: int = option(3, "How many seeds of the best one are trained in the end.", COUNT)
    strategy: str = option(
        "",
        "The strategy that decides what is begun next, which makes halving asynchronous: the best of a stage go on as "
        "soon as there are some. Empty generates all candidates at once, and every stage waits for the one before.",
        PROPOSERS,
    )
    initial: int = option(10, "How many generated architectures a strategy begins with.", COUNT)
    epochs: int = option(
        0, "How many epochs are trained in all before the further seeds; 0 is for no limit.", NOT_NEGATIVE
    )
    seconds: float = option(
        0.0, "How many seconds trainings take in all before the further seeds; 0 is for no limit.", NOT_NEGATIVE
    )
    rank: str = option(
        "last_value",
        "What trainings of a stage are compared by: their values, or where a power law of their curves leads.",
        one_of("last_value", "power_law"),
    )

    def check_against(self, path: str, epochs: int) -> None:
        """Raises InputError where the first stage is longer than a full training."""
        if self.first_epochs > epochs:
            raise InputError(
                f"{path}.first_epochs, {self.first_epochs}, is more than the {epochs} of a full training: lower it"
            )
        if 0 < self.epochs < epochs:
            raise InputError(f"{path}.epochs, {self.epochs}, is less than the {epochs} of a full training: raise it")
