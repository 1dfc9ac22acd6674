"""Settings of search spaces."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from nag_jax.settings.names import SPACES
from nag_jax.system.fields import COUNT, NOT_NEGATIVE, POSITIVE, Allowed, one_of, option, options_of_own


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


_SIZES = Allowed("sizes above 0 that differ", lambda sizes: sizes and len(set(sizes)) == len(sizes) and min(sizes) > 0)


@dataclasses.dataclass(frozen=True)
class VisionTransformerSpace:
    """Vision transformers; the defaults are AutoFormer's smallest space."""

    name: str = option("vit", "The search space.", SPACES)
    widths: tuple[int, ...] = option((192, 216, 240), "The widths that tokens may have.", _SIZES)
    depths: tuple[int, ...] = option((12, 13, 14), "How many layers there may be.", _SIZES)
    heads: tuple[int, ...] = option((3, 4), "How many heads a layer's attention may have.", _SIZES)
    head_widths: tuple[int, ...] = option((64,), "The widths that queries, keys and values of a head may have.", _SIZES)
    ratios: tuple[float, ...] = option(
        (3.5, 4.0), "How many times as wide as tokens the hidden layer of a layer may be.", _SIZES
    )
    patch: int = option(16, "The side of a patch in pixels, which divides that of images.", COUNT)
    image_size: int = option(224, "The height of images in pixels.", COUNT)
    image_width: int = option(0, "The width of images that aren't square; 0 for those that are.", NOT_NEGATIVE)
    num_classes: int = option(
        1000, "The number of classes that the classifier of costs and of untrained exports tells apart.", COUNT
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
