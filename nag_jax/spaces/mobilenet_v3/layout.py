"""The layout of once-for-all's MobileNetV3 networks: five stages of two to four layers, each with a setting."""

KERNELS, EXPANSIONS, DEPTHS = (3, 5, 7), (3, 4, 6), (2, 3, 4)
"""Kernel sizes and expansion ratios of a layer; layers of a stage."""
STAGES, MOST_LAYERS = 5, 4
SETTINGS = tuple((kernel, expansion) for kernel in KERNELS for expansion in EXPANSIONS)
"""(kernel, expansion) of the classes 0 to 8."""
SKIP = len(SETTINGS)
"""The class of a layer that isn't there."""
RESOLUTIONS = tuple(range(128, 225, 4))
"""Image sizes that the supernet was trained with."""
