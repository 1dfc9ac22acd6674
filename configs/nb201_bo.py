"""Search on NAS-Bench-201, CIFAR-10: BO-NAG, other ways to maximise the same acquisition, and other strategies.

Run:      python -m experiments.main --config=configs/nb201_bo.py
Smoke:    python -m experiments.main --config=configs/nb201_bo.py:smoke     (the same path at tiny sizes)

More seeds:       --config.seeds=100 in the same workdir; finished ones are skipped.
Some strategies:  --config.run="('bo_nag', 'bo_exhaustive')"
Your own table:   --config.evaluator.name=table --config.evaluator.path=FILE --config.evaluator.metric=VALIDATION_COLUMN
                  --config.search.report=TEST_COLUMN
Your own training: --config.evaluator.name=command --config.evaluator.command="python train.py"
                  --config.evaluator.metric=NAME (see docs/extending.md)
"""

from typing import Any

from ml_collections import ConfigDict

from configs import nb201

BELIEF = {
    "surrogate": "gaussian_process",  # what is believed of unlabelled architectures, or "deep_ensemble"
    "acquisition": "log_ei",  # what labelling one is worth, or "ei", "pi", "ucb", "its"
    "labels": "regret",  # normalisation: "rank", "normal", "tail", "regret" or "z"
    "min_distance": 2,  # nodes in which members of a batch differ
    "capacity": 64,  # labels that a fit is compiled for; doubled as they outgrow it
}
"""What the generator and the other maximisers of the acquisition have in common."""


def get_config(variant: str = "") -> ConfigDict:
    """The default config, or the variant `smoke`."""
    if variant not in ("", "smoke"):
        raise ValueError(f"unknown variant {variant!r} of configs/nb201_bo.py: use none or 'smoke'")
    config = _default()
    if variant == "smoke":
        _smoke(config)
    config.name = f"nb201_bo-{variant}" if variant else "nb201_bo"
    return config


def _default() -> ConfigDict:
    base: Any = nb201.get_config()
    config: Any = ConfigDict()
    config.name = "nb201_bo"  # of the workdir, under runs/
    config.mode = "search"  # strategies decide what to label next
    config.seed = 0  # the first
    config.seeds = 10  # of every strategy, each with its own ledger; may grow in a workdir
    for block in ("space", "evaluator", "sde", "score", "sampler"):
        config[block] = base[block]
    config.search = ConfigDict(
        {
            "initial": 10,  # random labels, the same for all strategies; they count
            "budget": 100,  # labels in all
            "batch_size": 1,  # labels between two decisions
            "report": "",  # metric of the reports; empty is the objective
            "second": "",  # metric that makes a hypervolume with the objective
            "report_at": (20, 30, 50, 100, 200),  # numbers of labels, as far as the budget goes
            "stop_at_best": False,  # a seed ends at the table's best, after which no report changes: for benchmarks
        }
    )
    config.strategies = ConfigDict(
        {
            "bo_nag": {
                "name": "bo_nag",  # the strategy; a block may have any name of its own
                **BELIEF,
                "pool_size": 256,  # generated a round
                "rounds": 2,  # each aims at the best of the one before
                "top_share": 0.02,  # what the first round aims at: this share of the space, by acquisition
                "scale": 1.0,  # strength of the guidance
                "near": 0.5,  # share of a pool that begins near the best so far, instead of at pure noise
                "near_times": (0.3, 0.7),  # least and greatest noise there, as times of the forward process
            },
            "bo_exhaustive": {
                "name": "bo",  # the same acquisition, with other proposals
                **BELIEF,
                "maximizer": "exhaustive",  # whom it asks: all, "random", "mutation" or "random_and_mutation"
            },
            "bo_random": {"name": "bo", **BELIEF, "maximizer": "random"},
            "bo_mutation": {"name": "bo", **BELIEF, "maximizer": "mutation"},
            "bo_random_and_mutation": {"name": "bo", **BELIEF, "maximizer": "random_and_mutation"},
            "bananas": {
                "name": "bananas",
                "members": 5,  # networks of the ensemble
                "pool_size": 200,  # mutated candidates a round
                "labels": "regret",  # normalisation, as above
            },
            "regularized_evolution": {
                "name": "regularized_evolution",
                "population": 30,  # the youngest trials
                "tournament": 10,  # of them, the best of which is mutated
            },
            "local_search": {"name": "local_search"},
            "random_search": {"name": "random_search"},
            "tpe": {
                "name": "tpe",  # needs pip install 'nag-jax[tpe]'
                "multivariate": True,  # whether nodes are modelled jointly
            },
        }
    )
    config.run = (  # names of strategies; the first is tested against the others
        "bo_nag",
        "bo_exhaustive",
        "bo_random",
        "bo_mutation",
        "bo_random_and_mutation",
        "bananas",
        "regularized_evolution",
        "local_search",
        "random_search",
    )
    return config


def _smoke(config: Any) -> None:
    """The same path at tiny sizes: it shows that everything works, and nothing about quality."""
    config.seeds = 2
    config.search.update({"initial": 5, "budget": 12, "batch_size": 3, "report_at": (5, 10)})
    config.sampler.num_steps = 8
    config.score.network.update({"width": 16, "num_blocks": 1, "mlp_width": 32})
    config.score.training.update({"num_steps": 40, "batch_size": 64, "chunk_steps": 20, "checkpoint_every": 20})
    for name in ("bo_nag", "bo_exhaustive", "bo_random", "bo_mutation", "bo_random_and_mutation"):
        config.strategies[name].capacity = 16
    config.strategies.bo_nag.pool_size = 32
    config.strategies.bananas.pool_size = 32
    config.run = ("bo_nag", "bo_exhaustive", "regularized_evolution", "local_search", "random_search")
