"""Generation on once-for-all's MobileNetV3 space, 2.2e19 networks, under a budget of costs.

Run:      python -m experiments.main --config=configs/ofa_mbv3.py
Smoke:    python -m experiments.main --config=configs/ofa_mbv3.py:smoke     (the same path at tiny sizes)

Without a file it generates 1,000 networks of 200 to 220 million multiply-accumulates at 224 pixels, as diverse as can
be.
Other budgets: --config.constraints="macs <= 300e6; params <= 5e6" --config.space.resolution=192

With once-for-all's accuracy predictor it goes on to accuracy under the same budget, from 200 labels:
--config.evaluator.accuracy_file=FILE (acc_predictor.pth, or its weights as npz). With measured latencies, in the
columns that `nag_jax/evaluators/ofa_latency.py` names, they can be bounded too: --config.evaluator.latency_file=FILE
--config.evaluator.device=DEVICE --config.constraints="latency <= 20". Without a budget, few steps guide as well:
--config.constraints="" --config.guidance.num_steps=10
"""

from typing import Any

from ml_collections import ConfigDict

from configs import nb201


def get_config(variant: str = "") -> ConfigDict:
    """The default config, or the variant `smoke`."""
    if variant not in ("", "smoke"):
        raise ValueError(f"unknown variant {variant!r} of configs/ofa_mbv3.py: use none or 'smoke'")
    config: Any = nb201.get_config(variant)
    config.name = f"ofa_mbv3-{variant}" if variant else "ofa_mbv3"
    config.space = ConfigDict(
        {
            "name": "mobilenet_v3",
            "resolution": 224,  # image size, 128 to 224 in steps of 4
            "mutation": "one",  # or "resample", once-for-all's own
        }
    )
    config.evaluator = ConfigDict(
        {
            "name": "mobilenet_v3",
            "metric": "",  # the objective; empty is accuracy where its predictor is given, else none
            "accuracy_file": "",  # once-for-all's accuracy predictor
            "latency_file": "",  # measured latencies
            "device": "",  # whose latency is called `latency`; empty has one `latency_DEVICE` each
        }
    )
    config.constraints = "200e6 <= macs <= 220e6"  # budgets of costs, joined by ';'; empty for none
    # More noise and finer steps than for cells: with 5 and 40, stages of two layers were 3 % too rare.
    config.sde.ve.sigma_max = 10.0
    config.guidance.top_share = 2e-5  # a space so large has as many as anybody wants of its best
    if not variant:
        config.sampler.num_steps = 80
    return config
