"""Generation on once-for-all's MobileNetV3 space, 2.2e19 networks, under a budget of costs.

Run:      python -m experiments.main --config=configs/ofa_mbv3.py
Smoke:    python -m experiments.main --config=configs/ofa_mbv3.py:smoke     (the same path at tiny sizes)

Without a file it generates 1,000 networks of 200 to 220 million multiply-accumulates at 224 pixels, as diverse as can
be.
Other budgets: --config.constraints="macs <= 300e6; params <= 5e6" --config.space.resolution=192

With once-for-all's accuracy predictor it goes on to accuracy under the same budget, from 200 labels:
--config.evaluator.accuracy_file=FILE (acc_predictor.pth, or its weights as npz). With measured latencies, in the
columns that `nag_jax/evaluators/ofa_latency.py` names, they can be bounded too: --config.evaluator.latency_file=FILE
--config.evaluator.device=DEVICE --config.constraints="latency <= 20". Without a budget: --config.constraints=""
"""

from typing import Any

from nag_jax.settings import Generate
from nag_jax.settings.config import make_config
from nag_jax.settings.evaluator import Evaluator
from nag_jax.settings.presets import MOBILENET_NOISE, SMALL
from nag_jax.settings.space import MobileNetSpace

SETTINGS = Generate(
    name="ofa_mbv3",
    space=MobileNetSpace(),
    evaluator=Evaluator(name="mobilenet_v3", metric=""),
    constraints="200e6 <= macs <= 220e6",
)
DEFAULT = {
    **MOBILENET_NOISE,
    # Finer steps than for cells, for the same reason.
    "sampler.num_steps": 80,
    # With a budget and an accuracy, trades do what guidance can't: see experiments/results/sampling.md.
    "guidance.num_steps": 4,
    "sampler.refine.trades": 14,
    "guidance.top_share": 2e-5,  # a space so large has as many as anybody wants of its best
}
VARIANTS = {"": DEFAULT, "smoke": DEFAULT | SMALL | {"sampler.refine.trades": 2}}


def get_config(variant: str = "") -> Any:
    """The default config, or the variant `smoke`."""
    return make_config(SETTINGS, variant, VARIANTS)
