"""One search on NAS-Bench-201, CIFAR-10: the best cell that 50 labels find.

Run:      python -m experiments.main --config=configs/nb201_search.py
Smoke:    python -m experiments.main --config=configs/nb201_search.py:smoke     (the same path at tiny sizes)

It prints the best cell, its accuracy, and the command that exports it as a network. On two cores it takes about two
minutes the first time.

Another strategy:  --config.run="('regularized_evolution',)"
More labels:       --config.search.budget=100 with a --workdir of its own
Your own table:    --config.evaluator.name=table --config.evaluator.path=FILE
                   --config.evaluator.metric=VALIDATION_COLUMN --config.search.report=TEST_COLUMN
Your own training: --config.evaluator.name=command --config.evaluator.command="python train.py"
                   --config.evaluator.metric=NAME (see docs/extending.md)
"""

from typing import Any

from nag_jax.settings import Search
from nag_jax.settings.config import make_config
from nag_jax.settings.presets import SMALL_LOOP, SMALL_NETWORK
from nag_jax.settings.search import Loop

SETTINGS = Search(name="nb201_search", seeds=1, search=Loop(budget=50), run=("bo_nag",))
VARIANTS = {"": {}, "smoke": {**SMALL_NETWORK, **SMALL_LOOP, "seeds": 1}}


def get_config(variant: str = "") -> Any:
    """The default config, or the variant `smoke`."""
    return make_config(SETTINGS, variant, VARIANTS)
