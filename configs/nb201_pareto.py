"""Fronts on NAS-Bench-201: one pool that covers what clean accuracy, accuracy after a month, and parameters allow.

Run:      python -m experiments.main --config=configs/nb201_pareto.py
Smoke:    python -m experiments.main --config=configs/nb201_pareto.py:smoke     (the same path at tiny sizes)

It pays for 210 labels; parameters are computed. On two cores it takes about a minute the first time.

Accuracy, latency and parameters, of tables of your own with a column `arch` of native strings:
--config.evaluator.name=table --config.evaluator.path=FILE --config.evaluator.metric=ACCURACY
--config.measure.name=table --config.measure.path=FILE --config.measure.metric=LATENCY
--config.objectives="('ACCURACY','LATENCY','params')" --config.aims.bounds="ACCURACY >= 80"
Latencies are measured for 100 architectures, and counted apart.

Other rules: --config.aims.rule=epsilon_constraint or linear_sum (with --config.aims.scale=10).
"""

from typing import Any

from nag_jax.settings import Front
from nag_jax.settings.config import make_config
from nag_jax.settings.sampler import REFINED
from nag_jax.settings.score import Generator

SETTINGS = Front(
    name="nb201_pareto",
    objectives=("baseline", "baseline_drift_2592000", "params"),
    generator=Generator(name="exact"),
    sampler=REFINED,
)
# The same path at tiny sizes: it shows that everything works, and nothing about quality.
SMOKE = {
    "sampler.num_steps": 3,
    "sampler.refine.sweeps": 1,
    "labels.training": 40,
    "labels.final": 4,
    "measure.training": 30,
    "num_samples": 64,
    "aims.divisions": 3,
}
VARIANTS = {"": {}, "smoke": SMOKE}


def get_config(variant: str = "") -> Any:
    """The default config, or the variant `smoke`."""
    return make_config(SETTINGS, variant, VARIANTS)
