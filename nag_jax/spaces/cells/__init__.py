"""Spaces of cells: small graphs of any wiring."""

from nag_jax.spaces.cells.space import CellSpace

__all__ = ["CellSpace"]
