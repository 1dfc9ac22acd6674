"""Generation on NAS-Bench-101: 423,624 cells of any wiring, under a budget of parameters.

Run:      python -m experiments.main --config=configs/nb101.py
Smoke:    python -m experiments.main --config=configs/nb101.py:smoke     (the same path at tiny sizes)

Without a file it generates 1,000 cells whose networks have 7.84 to 8.16 million parameters, within 2 % of 8 million.
Other budgets: --config.constraints="params <= 4e6; macs <= 5e8"

With a table of labels, a CSV or Parquet file with a column `arch` of strings or of the benchmark's digests, it goes on
to its objective under the same budget, from 200 labels: --config.evaluator.path=FILE --config.evaluator.metric=COLUMN
Without a budget: --config.constraints=""
"""

from typing import Any

from nag_jax.settings import Generate
from nag_jax.settings.config import make_config
from nag_jax.settings.evaluator import Evaluator
from nag_jax.settings.presets import SMALL
from nag_jax.settings.space import NASBench101Space

SETTINGS = Generate(
    name="nb101",
    space=NASBench101Space(),
    evaluator=Evaluator(name="nasbench101", metric=""),
    constraints="7.84e6 <= params <= 8.16e6",
)
# The space's closed form says all about its cells, so a small network has nothing left to learn.
DEFAULT = {
    "score.network.width": 16,
    "score.network.num_blocks": 1,
    "score.network.mlp_width": 32,
    "score.training.num_steps": 200,
    "score.training.checkpoint_every": 200,
    "sampler.kernels": ("euler_maruyama",),
    "guidance.top_share": 0.001,
    # Every evaluation of 1,000 cells takes a tenth of a second on two cores, most of it the predictor's gradient.
    "guidance.num_steps": 8,
}
VARIANTS = {"": DEFAULT, "smoke": DEFAULT | SMALL}


def get_config(variant: str = "") -> Any:
    """The default config, or the variant `smoke`."""
    return make_config(SETTINGS, variant, VARIANTS)
