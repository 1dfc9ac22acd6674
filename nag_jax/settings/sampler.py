"""Settings of generation: the sampler, its guidance, and the stream into files."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nag_jax.settings.names import GUIDANCE, KERNELS
from nag_jax.system.fields import COUNT, NOT_NEGATIVE, POSITIVE, SHARE, Allowed, one_of, option, options_of_own


@dataclasses.dataclass(frozen=True)
class Langevin:
    """The corrector of Langevin dynamics."""

    snr: float = option(0.16, "The size of a corrector's step, as a signal-to-noise ratio.", POSITIVE)
    num_steps: int = option(1, "How many steps the corrector takes per step of the time grid.", COUNT)
    norm: str = option(
        "sample",
        "Whose norms set the size of a step: each sample's own, or the batch's, which couples samples.",
        one_of("sample", "batch"),
    )


@dataclasses.dataclass(frozen=True)
class Refine:
    """Moves of Markov chains after a guided sample, which bring it to what the guidance aims at."""

    sweeps: int = option(0, "How often every choice of a sample is drawn anew, given the others.", NOT_NEGATIVE)
    trades: int = option(
        0, "How often two choices are drawn anew together, for budgets that single ones can't move in.", NOT_NEGATIVE
    )


@dataclasses.dataclass(frozen=True)
class Sampler:
    """The sampler."""

    kernels: tuple[str, ...] = option(
        ("ancestral",),
        "The kernels that take a step, in their order; langevin goes before another one.",
        KERNELS,
    )
    num_steps: int = option(20, "The number of steps of the time grid.", COUNT)
    final: str = option(
        "denoise",
        "How a sample ends: with one more evaluation of the network, or with the mean of the last step.",
        one_of("denoise", "mean"),
    )
    langevin: Langevin = Langevin()
    refine: Refine = Refine()


REFINED = Sampler(num_steps=5, refine=Refine(sweeps=2))
"""By the curve in experiments/results/sampling.md the fewest steps and sweeps that reach the exact tilt."""


@dataclasses.dataclass(frozen=True)
class Guidance:
    """How the predictor guides the generator."""

    transform: str = option("class_tilt", "How the predictor bends beliefs, or the score.", GUIDANCE)
    value: str = option(
        "exceedance",
        "What guides: the log-probability of more than a target, or the mean of the prediction.",
        one_of("mean", "exceedance"),
    )
    top_share: float = option(
        0.055,
        "The share of the space, by the predictor, that exceedance aims at; less is better and less diverse.",
        SHARE,
    )
    softness: float = option(
        0.05, "The least width of that target's edge, in standard deviations of the predictions.", NOT_NEGATIVE
    )
    num_steps: int = option(0, "The number of steps of a guided pool; 0 takes that of the sampler.", NOT_NEGATIVE)
    scale: float = option(1.0, "The strength of the guidance; with exceedance, 1 samples the posterior.")
    through_denoiser: bool = option(
        True, "Whether predictor_gradient differentiates through the denoiser, instead of at the noised x."
    )
    max_norm: float = option(0.0, "The bound on the guided score in units of the noise; 0 sets none.", NOT_NEGATIVE)
    sweep: tuple[float, ...] = option(
        (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0),
        "The scales of the quality-diversity curve.",
        Allowed("one finite number or more, as (0.0,1.0)", lambda scales: scales and all(map(_is_finite, scales))),
    )
    own: Mapping[str, Any] = options_of_own()


@dataclasses.dataclass(frozen=True)
class Stream:
    """The files of a stream."""

    chunk_size: int = option(50_000, "The number of samples per file; the samples don't depend on it.", COUNT)
    batch_size: int = option(1000, "How many samples a device generates at once.", COUNT)


def _is_finite(number: float) -> bool:
    return -float("inf") < number < float("inf")
