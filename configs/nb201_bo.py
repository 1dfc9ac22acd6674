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

from configs import nb201
from nag_jax.settings import Search
from nag_jax.settings.config import make_config

# The same path at tiny sizes: it shows that everything works, and nothing about quality.
SMALL_NETWORK = {field: value for field, value in nb201.SMOKE.items() if field.startswith(("sampler.", "score."))}
SMALL_SEARCH = {
    "seeds": 2,
    "search.initial": 5,
    "search.budget": 12,
    "search.batch_size": 3,
    "search.report_at": (5, 10),
    "strategies.bo_nag.pool_size": 32,
    "strategies.bo_nag.capacity": 16,
    "strategies.bo_random_and_mutation.capacity": 16,
}
SMOKE = {
    **SMALL_NETWORK,
    **SMALL_SEARCH,
    "strategies.bo_exhaustive.capacity": 16,
    "strategies.bo_random.capacity": 16,
    "strategies.bo_mutation.capacity": 16,
    "strategies.bananas.pool_size": 32,
    "run": ("bo_nag", "bo_exhaustive", "regularized_evolution", "local_search", "random_search"),
}
VARIANTS = {"": {}, "smoke": SMOKE}


def get_config(variant: str = "") -> Any:
    """The default config, or the variant `smoke`."""
    return make_config(Search(name="nb201_bo"), variant, VARIANTS)
