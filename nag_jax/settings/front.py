"""Settings of fronts: how a pool covers what several objectives allow together."""

import dataclasses

from nag_jax.settings.evaluator import Evaluator
from nag_jax.settings.names import NORMALIZATIONS
from nag_jax.system.fields import COUNT, NOT_NEGATIVE, POSITIVE, Allowed, one_of, option, with_default

_SHARES = Allowed("two shares in order", lambda shares: len(shares) == 2 and 0 < shares[0] <= shares[1] <= 1)


@dataclasses.dataclass(frozen=True)
class Measure(Evaluator):
    """Where measured objectives come from, as latencies: another evaluator, whose measurements are counted apart."""

    name: str = option("", "The evaluator of what is measured, as `table`; empty where nothing is.")
    metric: str = option("", "The metric that is measured; it must be one of the objectives.")
    direction: str = with_default(Evaluator, "direction", "min")
    unit: str = with_default(Evaluator, "unit", "ms")
    training: int = option(100, "How many random architectures are measured for its model.", COUNT)


@dataclasses.dataclass(frozen=True)
class Aims:
    """What the samples of a pool aim at: each its own part of the front."""

    rule: str = option(
        "achievement",
        "How targets are set: by a preference among the objectives, by the costs of a random architecture, or no "
        "targets but a weighted sum.",
        one_of("achievement", "epsilon_constraint", "linear_sum"),
    )
    divisions: int = option(
        12, "How finely preferences divide the simplex: their weights are multiples of 1 / it.", COUNT
    )
    shares: tuple[float, ...] = option(
        (0.0005, 0.1),
        "The least and greatest share of the space that exceeds an aim; less is better and less diverse.",
        _SHARES,
    )
    bounds: str = option(
        "", "What counts at all, as `accuracy >= 80; latency <= 12`; the front ends there. Empty for no bounds."
    )
    scale: float = option(1.0, "The strength of the guidance; 1 samples the posterior, a sum needs more.", POSITIVE)
    softness: float = option(
        0.005, "The least width of a target's edge, as a share of the objective's range.", POSITIVE
    )
    rounds: int = option(1, "How often a pool is generated; each aims beyond the one before.", COUNT)
    normalization: str = option("normal", "How labels are normalised.", NORMALIZATIONS)
    caution: float = option(
        0.5, "By how many standard deviations predictions are lowered where the best are chosen.", NOT_NEGATIVE
    )
