"""Transfer on NAS-Bench-Graph: generate graph neural networks for one of nine data sets from what is known of the rest.

Run:      python -m experiments.main --config=configs/nb_graph_transfer.py --config.evaluator.dataset=arxiv
Search:   the same with --config.mode=search: Bayesian optimisation that starts where transfer ends
Smoke:    --config=configs/nb_graph_transfer.py:smoke     (the same path at tiny sizes)

Data sets are described by published statistics, or, with --config.dataset.source=landmarks, by the labels of a few
fixed architectures, which are paid for.
"""

from typing import Any

from ml_collections import ConfigDict

from configs import nb201, nb201_transfer, nb_graph_bo


def get_config(variant: str = "") -> ConfigDict:
    """The default config, or the variant `smoke`."""
    search: Any = nb_graph_bo.get_config(variant)
    config: Any = nb201_transfer.add_transfer(nb201.get_config(variant), search)
    config.name = f"nb_graph_transfer-{variant}" if variant else "nb_graph_transfer"
    config.space, config.evaluator = search.space, search.evaluator
    config.triples = ConfigDict(
        {
            "source": "nas_bench_graph",
            "nas_bench_graph": {
                # Each is a noisy figure of the same quality; those of the new data set are never read.
                "metrics": ("validation", "test"),  # of the other data sets, whose mean is learned; () is the objective
            },
        }
    )
    config.dataset = ConfigDict(
        {
            "source": "statistics",  # or "landmarks"
            "statistics": {
                "name": config.evaluator.get_ref("dataset"),  # of the published data set; that of the evaluator
            },
            "landmarks": {
                "k": 10,  # architectures labelled on every data set; they count
            },
        }
    )
    config.meta.per_dataset = True
    config.meta.gaussian_process.update({"most_triples": 16_000, "inducing": 2400})
    return config
