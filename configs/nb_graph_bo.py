"""Search on NAS-Bench-Graph: graph neural networks for one of nine data sets, validation searched and test reported.

Run:      python -m experiments.main --config=configs/nb_graph_bo.py
Smoke:    python -m experiments.main --config=configs/nb_graph_bo.py:smoke     (the same path at tiny sizes)

Another data set:  --config.evaluator.dataset=arxiv    (proteins has 2,021 architectures: give it a budget of 80)
See configs/nb201_bo.py for seeds, strategies and your own table.
"""

from typing import Any

from ml_collections import ConfigDict

from configs import nb201_bo


def get_config(variant: str = "") -> ConfigDict:
    """The default config, or the variant `smoke`."""
    if variant not in ("", "smoke"):
        raise ValueError(f"unknown variant {variant!r} of configs/nb_graph_bo.py: use none or 'smoke'")
    config: Any = nb201_bo.get_config(variant)
    config.name = f"nb_graph_bo-{variant}" if variant else "nb_graph_bo"
    config.space.name = "nasbench_graph"
    config.evaluator.update({"name": "nas_bench_graph", "dataset": "cora", "metric": "validation"})
    config.search.report = "test"
    for strategy in config.strategies.values():
        if "labels" in strategy:
            strategy.labels = "normal"  # validation figures are too noisy to stress the best few
    if not variant:
        config.search.budget = 200
    return config
