"""A comparison of searches on NAS-Bench-201, CIFAR-10: BO-NAG beside eight other strategies, 9,000 labels in all.

Each strategy has 100 labels on each of ten seeds; for one search, and the best cell that it finds, there is
configs/nb201_search.py.

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

from nag_jax.settings import Search
from nag_jax.settings.config import make_config
from nag_jax.settings.presets import SMALL_COMPARISON

VARIANTS = {"": {}, "smoke": SMALL_COMPARISON}


def get_config(variant: str = "") -> Any:
    """The default config, or the variant `smoke`."""
    return make_config(Search(name="nb201_bo"), variant, VARIANTS)
