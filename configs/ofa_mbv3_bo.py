"""Search on once-for-all's MobileNetV3 space: BO-NAG beside other strategies, under constraints if any.

Run:      python -m experiments.main --config=configs/ofa_mbv3_bo.py --config.evaluator.accuracy_file=FILE
Smoke:    python -m experiments.main --config=configs/ofa_mbv3_bo.py:smoke     (the same path at tiny sizes)

FILE is once-for-all's accuracy predictor, its `.pth` or its weights as npz. Under a budget:
--config.constraints="macs <= 300e6". `:smoke` needs no file: it looks for the fewest multiply-accumulates, which shows
that everything works and nothing else.
"""

from typing import Any

from ml_collections import ConfigDict

from configs import nb201_bo, ofa_mbv3


def get_config(variant: str = "") -> ConfigDict:
    """The default config, or the variant `smoke`."""
    if variant not in ("", "smoke"):
        raise ValueError(f"unknown variant {variant!r} of configs/ofa_mbv3_bo.py: use none or 'smoke'")
    base: Any = ofa_mbv3.get_config(variant)
    config: Any = nb201_bo.get_config(variant)
    config.name = f"ofa_mbv3_bo-{variant}" if variant else "ofa_mbv3_bo"
    for block in ("space", "evaluator", "sde", "score", "sampler"):
        config[block] = base[block]
    config.constraints = ""  # budgets of costs, as "macs <= 300e6", joined by ';'
    del config.strategies["bo_exhaustive"]
    config.run = tuple(name for name in config.run if name != "bo_exhaustive")
    if variant:
        config.evaluator.metric = "macs"
    else:
        config.search.update({"budget": 200, "report_at": (50, 100, 150, 200)})
        # Many small rounds, each of which begins near the best of the one before, climb further than two large ones. Of
        # twenty nodes of nine classes this noise changes one; what cells take changes none, or all.
        rounds = {"pool_size": 64, "rounds": 16, "near": 0.8, "near_times": (0.36, 0.4)}
        config.strategies.bo_nag.update(rounds)
        config.sampler.num_steps = 7
    for name in ("bo_nag", "bo_random", "bo_mutation", "bo_random_and_mutation"):
        config.strategies[name].labels = "z"  # those that stress the best leave a process little to learn from here
    return config
