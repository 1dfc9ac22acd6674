"""once-for-all's MobileNetV3: 2.2e19 networks."""

from nag_jax.spaces.mobilenet_v3.layout import (
    DEPTHS,
    EXPANSIONS,
    KERNELS,
    MOST_LAYERS,
    RESOLUTIONS,
    SETTINGS,
    SKIP,
    STAGES,
)
from nag_jax.spaces.mobilenet_v3.space import MobileNetV3

__all__ = ["DEPTHS", "EXPANSIONS", "KERNELS", "MOST_LAYERS", "RESOLUTIONS", "SETTINGS", "SKIP", "STAGES", "MobileNetV3"]
