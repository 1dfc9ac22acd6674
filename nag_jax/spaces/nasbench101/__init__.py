"""NAS-Bench-101: 423,624 cells of any wiring."""

from nag_jax.spaces.nasbench101.digest import digest
from nag_jax.spaces.nasbench101.space import OPERATIONS, NASBench101

__all__ = ["OPERATIONS", "NASBench101", "digest"]
