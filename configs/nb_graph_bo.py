"""A comparison of searches on NAS-Bench-Graph: graph neural networks for one of nine data sets, test reported.

Run:      python -m experiments.main --config=configs/nb_graph_bo.py
Smoke:    python -m experiments.main --config=configs/nb_graph_bo.py:smoke     (the same path at tiny sizes)

Another data set:  --config.evaluator.dataset=arxiv    (proteins has 2,021 architectures: give it a budget of 80)
See configs/nb201_bo.py for seeds, strategies and your own table.
"""

from typing import Any

from nag_jax.settings import Search
from nag_jax.settings.config import make_config
from nag_jax.settings.presets import CORA, GRAPH_SEARCH, GRAPHS, SMALL_COMPARISON
from nag_jax.settings.search import STRATEGIES

# Validation figures are too noisy to stress the best few.
LABELS = {f"strategies.{name}.labels": "normal" for name, block in STRATEGIES.items() if hasattr(block, "labels")}
DEFAULT = {**GRAPH_SEARCH, **LABELS}
VARIANTS = {"": DEFAULT, "smoke": DEFAULT | SMALL_COMPARISON}


def get_config(variant: str = "") -> Any:
    """The default config, or the variant `smoke`."""
    return make_config(Search(name="nb_graph_bo", space=GRAPHS, evaluator=CORA), variant, VARIANTS)
