"""Declared spaces: nodes with their classes and edges, conditions of when they are there, and a rule."""

from nag_jax.spaces.declared.blocks import Block, chain, repeat
from nag_jax.spaces.declared.space import DagSpace

__all__ = ["Block", "DagSpace", "chain", "repeat"]
