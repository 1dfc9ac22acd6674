"""Settings of the generator: the forward process and the score network."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nag_jax.fitting.recipe import Recipe
from nag_jax.settings.names import ATTENTION, DTYPES, GENERATORS, PARAMETRIZATIONS, PROCESSES
from nag_jax.system.errors import InputError
from nag_jax.system.fields import COUNT, NOT_NEGATIVE, POSITIVE, RATE, SHARE, one_of, option, options_of_own


@dataclasses.dataclass(frozen=True)
class Generator:
    """What makes architectures of noise."""

    name: str = option(
        "gaussian",
        "The family: it learns the space with a network, as `score` says, diffusing it or filling in what is masked, "
        "or knows the space's closed form.",
        GENERATORS,
    )
    own: Mapping[str, Any] = options_of_own()


@dataclasses.dataclass(frozen=True)
class VE:
    """The variance-exploding process."""

    sigma_min: float = option(0.1, "The noise at t = 0, where architectures are entries of -1 and 1.", POSITIVE)
    sigma_max: float = option(5.0, "The noise at t = 1.", POSITIVE)

    def check_together(self, path: str) -> None:
        """Raises InputError where the noise doesn't grow."""
        check_growing(path, sigma_min=self.sigma_min, sigma_max=self.sigma_max)


@dataclasses.dataclass(frozen=True)
class VP:
    """The variance-preserving process, or the one of smaller variance."""

    beta_min: float = option(0.1, "The rate of the noise at t = 0.", POSITIVE)
    beta_max: float = option(20.0, "The rate of the noise at t = 1.", POSITIVE)

    def check_together(self, path: str) -> None:
        """Raises InputError where the noise doesn't grow."""
        check_growing(path, beta_min=self.beta_min, beta_max=self.beta_max)


@dataclasses.dataclass(frozen=True)
class Process:
    """The forward process; the block of its name counts."""

    name: str = option("ve", "How noise is added to architectures.", PROCESSES)
    ve: VE = VE()
    vp: VP = VP()
    sub_vp: VP = VP()


@dataclasses.dataclass(frozen=True)
class Network:
    """The graph transformer behind the score."""

    width: int = option(32, "The number of features of a node.", COUNT)
    num_blocks: int = option(2, "The number of transformer blocks.", COUNT)
    num_heads: int = option(4, "The number of attention heads of a block; they divide the width.", COUNT)
    mlp_width: int = option(64, "The number of hidden features of a block's perceptron.", COUNT)
    attention: str = option(
        "relatives",
        "Whom a node sees: its ancestors and descendants, its successors, or all nodes.",
        ATTENTION,
    )
    relation_bias: bool = option(True, "Whether attention learns a bias for each relation between nodes.")
    position: str = option(
        "dag",
        "What tells nodes apart: their place in the graph, or a sinusoid of their number.",
        one_of("dag", "sinusoid"),
    )
    head: str = option(
        "linear",
        "What makes classes of features: one layer, or the published head on the outputs of all blocks.",
        one_of("linear", "concat"),
    )
    dropout: float = option(0.0, "The share of features that training leaves out.", RATE)
    dtype: str = option("float32", "The type of activations and products; bfloat16 is for accelerators.", DTYPES)


@dataclasses.dataclass(frozen=True)
class Prior:
    """What is learned in place of the architectures of a space, which are all alike: those that were good elsewhere."""

    corpus: str = option(
        "",
        "The CSV or Parquet file of the architectures that are learned, with a column `arch` and, where they don't "
        "count alike, one of positive numbers, `weight`; empty for none.",
    )
    tilt: float = option(
        0.0,
        "How much architectures count that are good on the other data sets of a transfer: exp(tilt z), where z is the "
        "mean of their normalised labels; 0 learns the space alone.",
        NOT_NEGATIVE,
    )
    scale: float = option(
        0.0,
        "How much the new data set counts: 0 learns without data sets, 1 samples what was learned for its like, more "
        "exaggerates it. It needs a tilt, and generator.name=masked.",
        NOT_NEGATIVE,
    )
    dropout: float = option(
        0.2, "The share of architectures that are learned without their data set, where it counts.", RATE
    )

    @property
    def is_set(self) -> bool:
        """Whether there is a prior."""
        return bool(self.corpus or self.tilt)


@dataclasses.dataclass(frozen=True)
class Score:
    """The score network, which learns what the architectures of a space look like."""

    checkpoint: str = option(
        "", "The folder of a trained score network; empty trains one, or restores that of the workdir."
    )
    parametrization: str = option(
        "denoiser", "What the network's output means: class probabilities, or the score.", PARAMETRIZATIONS
    )
    train_fraction: float = option(
        1.0, "The share of the space's architectures that the network learns from; the rest is novel to it.", SHARE
    )
    prior: Prior = Prior()
    network: Network = Network()
    training: Recipe = Recipe(
        num_steps=600,
        batch_size=256,
        learning_rate=1e-3,
        warmup_steps=50,
        decay="cosine",
        clip_norm=1.0,
        weight_decay=0.0,
        ema_decay=0.995,
        chunk_steps=50,
        checkpoint_every=200,
    )

    def check_together(self, path: str) -> None:
        """Raises InputError where two fields say what is learned."""
        given = self.prior
        if given.corpus and given.tilt:
            raise InputError(f"{path}.prior has a corpus and a tilt, expected one of them: leave out the other")
        if given.scale and not given.tilt:
            raise InputError(f"{path}.prior.scale, {given.scale}, needs a tilt: set {path}.prior.tilt, or scale to 0")
        if given.is_set and self.train_fraction < 1:
            raise InputError(
                f"{path}.train_fraction, {self.train_fraction}, holds out architectures of a space, which a prior "
                "doesn't learn: set it to 1"
            )


def check_growing(path: str, **bounds: float) -> None:
    """Raises InputError unless the first of two bounds is less than the second."""
    (low, least), (high, most) = bounds.items()
    if least >= most:
        raise InputError(f"{path}.{low}, {least}, must be less than {path}.{high}, {most}")
