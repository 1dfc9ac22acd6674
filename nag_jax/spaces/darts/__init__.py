"""DARTS: pairs of cells for image classification."""

from nag_jax.spaces.darts.space import DARTS, OPERATIONS, Genotype

__all__ = ["DARTS", "OPERATIONS", "Genotype"]
