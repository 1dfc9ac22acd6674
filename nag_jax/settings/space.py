"""Settings of search spaces."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nag_jax.settings.names import SPACES
from nag_jax.system.fields import POSITIVE, Allowed, one_of, option, options_of_own


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


@dataclasses.dataclass(frozen=True)
class Choices:
    """Choices that are made already, in the names that the space gives its nodes and classes."""

    fixed: str = option(
        "", "The classes that all architectures have, joined by `;`, as `0-1=none; 2-3=skip_connect`; empty for none."
    )
    excluded: str = option(
        "",
        "The classes that none has, as `0-1=none,skip_connect; *=avg_pool_3x3`, where `*` is every node; empty for "
        "none.",
    )
    near: str = option("", "An architecture that others are near to, in the space's notation; empty for none.")
    changes: float = option(
        2.0, "The number of nodes in which they differ from it on average, before guidance.", POSITIVE
    )
