"""Guided generation on NAS-Bench-201, CIFAR-10.

Run:      python -m experiments.main --config=configs/nb201.py
Smoke:    python -m experiments.main --config=configs/nb201.py:smoke     (the same path at tiny sizes)
Stream:   python -m experiments.main --config=configs/nb201.py --config.mode=stream --config.num_samples=10_000_000
Paper:    python -m experiments.main --config=configs/nb201.py:paper     (the published method and constants)

On two cores it takes about a minute the first time, and pays for 210 labels. About 600 of 1,000 guided
cells differ, with a mean accuracy of 92.9 (random ones: 86.7), and the best is within 0.1 of the table's 94.066.
`:smoke` takes about 30 s the first time, `:paper` days on a CPU.

Any field can be overridden, as --config.seed=1 or --config.evaluator.metric=analog_drift_2592000. Your own benchmark:
--config.evaluator.name=table --config.evaluator.path=FILE --config.evaluator.metric=COLUMN, where FILE is a CSV or
Parquet file with a column `arch` of native strings.
"""

from typing import Any

from nag_jax.settings import Generate
from nag_jax.settings.config import make_config
from nag_jax.settings.presets import SMALL
from nag_jax.settings.sampler import REFINED

DEFAULT = {"guidance.num_steps": REFINED.num_steps, "sampler.refine.sweeps": REFINED.refine.sweeps}
# The published constants (An et al., ICLR 2024): days on a CPU, meant for accelerators.
PAPER = {
    "score.parametrization": "raw_score",
    "score.network.width": 64,
    "score.network.num_blocks": 12,
    "score.network.num_heads": 8,
    "score.network.mlp_width": 128,
    "score.network.attention": "successors",
    "score.network.relation_bias": False,
    "score.network.position": "sinusoid",
    "score.network.head": "concat",
    "score.network.dropout": 0.1,
    "score.training.num_steps": 250_000,
    "score.training.learning_rate": 2e-5,
    "score.training.warmup_steps": 1000,
    "score.training.decay": "constant",
    "score.training.ema_decay": 0.9999,
    "score.training.chunk_steps": 500,
    "score.training.checkpoint_every": 10_000,
    "sampler.kernels": ("langevin", "euler_maruyama"),
    "sampler.num_steps": 1000,
    "sampler.final": "mean",
    "sampler.langevin.norm": "batch",
    "predictor.members": 1,
    "predictor.labels": "z",
    "predictor.view": "noised",
    "predictor.directional_gcn.width": 144,
    "predictor.directional_gcn.head_width": 32,
    "predictor.directional_gcn.pooling": "mean",
    "predictor.directional_gcn.residual": False,
    "predictor.directional_gcn.noise_aware": True,
    "predictor.directional_gcn.bias": False,
    "predictor.directional_gcn.dropout": 0.1,
    "predictor.training.num_steps": 10_000,
    "predictor.training.batch_size": 256,
    "predictor.training.learning_rate": 1e-3,
    "predictor.training.warmup_steps": 1000,
    "predictor.training.decay": "constant",
    "predictor.training.weight_decay": 0.0,
    "predictor.training.ema_decay": 0.0,
    "predictor.training.checkpoint_every": 1000,
    "guidance.transform": "predictor_gradient",
    "guidance.value": "mean",
    "guidance.through_denoiser": False,
    # Published labels are z-scores over 100, hence a published scale of 10,000: 100 for each standard deviation.
    "guidance.scale": 100.0,
    "guidance.sweep": (0.0, 100.0),
}
VARIANTS = {"": DEFAULT, "smoke": DEFAULT | SMALL, "paper": PAPER}


def get_config(variant: str = "") -> Any:
    """The default config, or the one of a variant: `smoke` or `paper`."""
    return make_config(Generate(name="nb201"), variant, VARIANTS)
