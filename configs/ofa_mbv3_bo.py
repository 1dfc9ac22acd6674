"""A comparison of searches on once-for-all's MobileNetV3 space: BO-NAG beside others, under constraints if any.

Run:      python -m experiments.main --config=configs/ofa_mbv3_bo.py --config.evaluator.accuracy_file=FILE
Smoke:    python -m experiments.main --config=configs/ofa_mbv3_bo.py:smoke     (the same path at tiny sizes)

FILE is once-for-all's accuracy predictor, its `.pth` or its weights as npz. Under a budget:
--config.constraints="macs <= 300e6". `:smoke` needs no file: it looks for the fewest multiply-accumulates, which shows
that everything works and nothing else.
"""

from typing import Any

from nag_jax.settings import Search
from nag_jax.settings.config import make_config
from nag_jax.settings.evaluator import Evaluator
from nag_jax.settings.presets import MOBILENET_NOISE, SMALL_COMPARISON
from nag_jax.settings.search import STRATEGIES
from nag_jax.settings.space import MobileNetSpace

# The space is too large to list.
WITHOUT_LIST = {name: block for name, block in STRATEGIES.items() if name != "bo_exhaustive"}
SETTINGS = Search(
    name="ofa_mbv3_bo",
    space=MobileNetSpace(),
    evaluator=Evaluator(name="mobilenet_v3", metric=""),
    constraints="",
    strategies=WITHOUT_LIST,
    run=tuple(name for name in Search().run if name in WITHOUT_LIST),
)
SHARED = {
    **MOBILENET_NOISE,
    # Normalisations that stress the best leave a process little to learn from here.
    "strategies.bo_nag.labels": "z",
    "strategies.bo_random.labels": "z",
    "strategies.bo_mutation.labels": "z",
    "strategies.bo_random_and_mutation.labels": "z",
}
DEFAULT = {
    **SHARED,
    "search.budget": 200,
    "search.report_at": (50, 100, 150, 200),
    # Many small rounds, each of which begins near the best of the one before, climb further than two large ones. Of
    # twenty nodes of nine classes this noise changes one; what cells take changes none, or all.
    "strategies.bo_nag.pool_size": 64,
    "strategies.bo_nag.rounds": 16,
    "strategies.bo_nag.near": 0.8,
    "strategies.bo_nag.near_times": (0.36, 0.4),
    "sampler.num_steps": 7,
}
SMOKE = {
    **SHARED,
    **{field: value for field, value in SMALL_COMPARISON.items() if "bo_exhaustive" not in field},
    "run": tuple(name for name in SMALL_COMPARISON["run"] if name in WITHOUT_LIST),
    "evaluator.metric": "macs",
}
VARIANTS = {"": DEFAULT, "smoke": SMOKE}


def get_config(variant: str = "") -> Any:
    """The default config, or the variant `smoke`."""
    return make_config(SETTINGS, variant, VARIANTS)
