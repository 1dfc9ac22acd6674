"""Settings of utilities, which make one number of several objectives."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nag_jax.settings.names import UTILITIES
from nag_jax.system.fields import option, options_of_own


@dataclasses.dataclass(frozen=True)
class Utility:
    """What several objectives are worth together; higher is better."""

    name: str = option(
        "identity",
        "What makes one number of the objectives, in their units, negative where less is better: the only one, their "
        "weighted sum, or what lacks most to an ideal.",
        UTILITIES,
    )
    weights: tuple[float, ...] = option((), "The weight of each objective, in their order; not for `identity`.")
    ideal: tuple[float, ...] = option(
        (), "The values that `chebyshev` aims at, in the order of the objectives; negative where less is better."
    )
    own: Mapping[str, Any] = options_of_own()
