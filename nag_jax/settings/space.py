"""Settings of search spaces."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nag_jax.settings.names import SPACES
from nag_jax.system.fields import Allowed, one_of, option, options_of_own


@dataclasses.dataclass(frozen=True)
class Space:
    """A search space."""

    name: str = option("nasbench201", "The search space; docs/extending.md shows one of your own.", SPACES)
    own: Mapping[str, Any] = options_of_own()


@dataclasses.dataclass(frozen=True)
class MobileNetSpace:
    """Once-for-all's MobileNetV3 space."""

    name: str = option("mobilenet_v3", "The search space.", SPACES)
    resolution: int = option(
        224,
        "The size of images in pixels.",
        Allowed("128 to 224 in steps of 4", lambda value: value in range(128, 225, 4)),
    )
    mutation: str = option(
        "one", "What a mutation changes: one layer, or as once-for-all's own many.", one_of("one", "resample")
    )


@dataclasses.dataclass(frozen=True)
class NASBench101Space:
    """NAS-Bench-101's cells."""

    name: str = option("nasbench101", "The search space.", SPACES)
    uniform: str = option(
        "graphs",
        "What is drawn equally often: graphs with each order of their vertices, or cells.",
        one_of("graphs", "cells"),
    )
