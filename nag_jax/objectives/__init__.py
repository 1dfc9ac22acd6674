"""Objectives: what is measured, which of it counts, and what it is worth."""

from nag_jax.objectives.metric import Metric
from nag_jax.objectives.objectives import Objectives
from nag_jax.objectives.utility import Utility

__all__ = ["Metric", "Objectives", "Utility"]
