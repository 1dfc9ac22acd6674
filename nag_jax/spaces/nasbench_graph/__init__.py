"""NAS-Bench-Graph: 26,206 graph neural networks."""

from nag_jax.spaces.nasbench_graph.space import LINKS, MACROS, OPERATIONS, NASBenchGraph

__all__ = ["LINKS", "MACROS", "OPERATIONS", "NASBenchGraph"]
