"""Values that several configs share, by field: the tiny sizes of their variant `smoke`, and what fits a space.

They stand here and not in one of the configs, which import nothing of each other: a config is a file that is loaded by
its path, from wherever it lies.
"""

from typing import Any

from nag_jax.settings.evaluator import Evaluator
from nag_jax.settings.space import Space

Fields = dict[str, Any]

SMALL_NETWORK: Fields = {
    "sampler.num_steps": 8,
    "score.network.width": 16,
    "score.network.num_blocks": 1,
    "score.network.mlp_width": 32,
    "score.training.num_steps": 40,
    "score.training.batch_size": 64,
    "score.training.chunk_steps": 20,
    "score.training.checkpoint_every": 20,
}
SMALL: Fields = {
    "labels.training": 40,
    "labels.final": 4,
    "num_samples": 64,
    "stream.chunk_size": 40,
    "stream.batch_size": 16,
    **SMALL_NETWORK,
    "predictor.training.num_steps": 100,
    "predictor.training.warmup_steps": 10,
    "predictor.training.checkpoint_every": 100,
    "guidance.sweep": (0.0, 1.0),
}
"""Sizes at which generation takes its whole path in seconds: they show that everything works, not how well."""
SMALL_TRAINING: Fields = {
    "sampler.num_steps": 10,
    "training.epochs": 4,
    "training.batch_size": 128,
    "halving.candidates": 4,
    "halving.first_epochs": 1,
    "halving.factor": 2,
    "halving.seeds": 2,
}
"""Sizes at which training what is generated does."""
SMALL_LOOP: Fields = {
    "seeds": 2,
    "search.initial": 5,
    "search.budget": 12,
    "search.batch_size": 3,
    "search.report_at": (5, 10),
    "strategies.bo_nag.pool_size": 32,
    "strategies.bo_nag.capacity": 16,
    "strategies.bo_random_and_mutation.capacity": 16,
}
"""Sizes at which any search does."""
SMALL_COMPARISON: Fields = {
    **SMALL_NETWORK,
    **SMALL_LOOP,
    "strategies.bo_exhaustive.capacity": 16,
    "strategies.bo_random.capacity": 16,
    "strategies.bo_mutation.capacity": 16,
    "strategies.bananas.pool_size": 32,
    "run": ("bo_nag", "bo_exhaustive", "regularized_evolution", "local_search", "random_search"),
}
"""Sizes at which a comparison of strategies does, with the strategies that it then compares."""
SMALL_TRANSFER: Fields = {
    **SMALL,
    **SMALL_LOOP,
    "labels.training": 0,
    "meta.gaussian_process.most_triples": 1500,
    "meta.gaussian_process.inducing": 600,
    "meta.gaussian_process.num_steps": 20,
    "strategies.bo_nag_scratch.pool_size": 32,
    "strategies.bo_nag_scratch.capacity": 16,
}
"""Sizes at which transfer and the search after it do."""
MOBILENET_NOISE: Fields = {"sde.ve.sigma_max": 10.0}
"""More noise than for cells: with 5 and 40 steps, stages of two layers were 3 % too rare."""
GRAPHS = Space(name="nasbench_graph")
CORA = Evaluator(name="nas_bench_graph", dataset="cora", metric="validation")
GRAPH_SEARCH: Fields = {"search.report": "test", "search.budget": 200}
"""NAS-Bench-Graph is searched by validation and reported on test."""
