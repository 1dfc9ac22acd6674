"""Transfer on NAS-Bench-Graph: generate graph neural networks for one of nine data sets from what is known of the rest.

Run:      python -m experiments.main --config=configs/nb_graph_transfer.py --config.evaluator.dataset=arxiv
Search:   the same with --config.mode=search: Bayesian optimisation that starts where transfer ends
Smoke:    --config=configs/nb_graph_transfer.py:smoke     (the same path at tiny sizes)

Data sets are described by published statistics, or, with --config.dataset.source=landmarks, by the labels of a few
fixed architectures, which are paid for.
"""

from typing import Any

from nag_jax.settings import Transfer
from nag_jax.settings.config import make_config
from nag_jax.settings.presets import CORA, GRAPH_SEARCH, GRAPHS, SMALL_TRANSFER
from nag_jax.settings.transfer import GraphDataset, GraphTriples

SETTINGS = Transfer(
    name="nb_graph_transfer",
    space=GRAPHS,
    evaluator=CORA,
    triples=GraphTriples(),
    dataset=GraphDataset(),
)
DEFAULT = {
    **GRAPH_SEARCH,
    "strategies.bo_nag.labels": "normal",
    "strategies.bo_nag_scratch.labels": "normal",
    "strategies.bo_random_and_mutation.labels": "normal",
    "meta.per_dataset": True,
    "meta.gaussian_process.most_triples": 16_000,
    "meta.gaussian_process.inducing": 2400,
}
VARIANTS = {"": DEFAULT, "smoke": DEFAULT | SMALL_TRANSFER}


def get_config(variant: str = "") -> Any:
    """The default config, or the variant `smoke`."""
    config = make_config(SETTINGS, variant, VARIANTS)
    config.dataset.statistics.name = config.evaluator.get_ref("dataset")  # which one flag then changes
    return config
