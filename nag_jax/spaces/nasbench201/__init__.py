"""NAS-Bench-201: 15,625 cells of six operations."""

from nag_jax.spaces.nasbench201.space import EDGES, OPERATIONS, NASBench201

__all__ = ["EDGES", "OPERATIONS", "NASBench201"]
