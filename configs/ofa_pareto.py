"""Fronts on once-for-all's MobileNetV3 space: accuracy, multiply-accumulates and latency, or costs alone.

Run:      python -m experiments.main --config=configs/ofa_pareto.py
Smoke:    python -m experiments.main --config=configs/ofa_pareto.py:smoke     (the same path at tiny sizes)

Without a file it covers multiply-accumulates against parameters, which are computed, so that no label is paid for. With
once-for-all's accuracy predictor, from 200 labels, and measured latencies of a device:
--config.evaluator.accuracy_file=FILE --config.evaluator.latency_file=FILE --config.evaluator.device=DEVICE
--config.objectives="('accuracy','macs','latency')"
"""

from typing import Any

from nag_jax.settings import Front
from nag_jax.settings.config import make_config
from nag_jax.settings.evaluator import Evaluator
from nag_jax.settings.front import Aims
from nag_jax.settings.sampler import Sampler
from nag_jax.settings.score import VE, Generator, Process
from nag_jax.settings.space import MobileNetSpace

SETTINGS = Front(
    name="ofa_pareto",
    space=MobileNetSpace(),
    evaluator=Evaluator(name="mobilenet_v3", metric=""),
    objectives=("macs", "params"),
    generator=Generator(name="exact"),
    sde=Process(ve=VE(sigma_max=10.0)),
    sampler=Sampler(num_steps=20),
    aims=Aims(rounds=4),  # the front of a space so large lies far beyond random networks
)
SMOKE = {"labels.training": 40, "labels.final": 4, "num_samples": 64, "sampler.num_steps": 4, "aims.rounds": 2}
VARIANTS = {"": {}, "smoke": SMOKE}


def get_config(variant: str = "") -> Any:
    """The default config, or the variant `smoke`."""
    return make_config(SETTINGS, variant, VARIANTS)
