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

from nag_jax.settings import Search
from nag_jax.settings.config import make_config
from nag_jax.settings.presets import SMALL_COMPARISON

VARIANTS = {"": {}, "smoke": SMALL_COMPARISON}


def get_config(variant: str = "") -> Any:
    """The default config, or the variant `smoke`."""
    return make_config(Search(name="nb201_bo"), variant, VARIANTS)
