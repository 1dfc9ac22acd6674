"""Guided generation on NAS-Bench-201, CIFAR-10.

Run:      python -m experiments.main --config=configs/nb201.py
Smoke:    python -m experiments.main --config=configs/nb201.py:smoke     (the same path at tiny sizes)
Paper:    python -m experiments.main --config=configs/nb201.py:paper     (the published method and constants)

Any field can be overridden, as --config.seed=1 or --config.evaluator.metric=analog_drift_2592000. Your own benchmark:
--config.evaluator.name=table --config.evaluator.path=FILE --config.evaluator.metric=COLUMN, where FILE is a CSV or
Parquet file with a column `arch` of native strings.
"""

from ml_collections import ConfigDict


def get_config(variant: str = "") -> ConfigDict:
    """The default config, or the one of a variant: `smoke` or `paper`."""
    config = ConfigDict()
    config.name = f"nb201-{variant}" if variant else "nb201"
    config.mode = "generate"
    config.seed = 0

    config.space = ConfigDict({"name": "nasbench201"})
    config.evaluator = ConfigDict({
        "name": "analog_nasbench",  # or "table"
        "path": "",  # of the table
        "metric": "baseline",  # the objective
        "allow_failed": False,  # whether empty labels are failed trials, not errors
    })

    config.sde = ConfigDict({
        "name": "ve",  # or "vp", "sub_vp"
        "ve": {"sigma_min": 0.1, "sigma_max": 5.0},
        "vp": {"beta_min": 0.1, "beta_max": 20.0},
        "sub_vp": {"beta_min": 0.1, "beta_max": 20.0},
    })

    config.score = ConfigDict({
        "checkpoint": "",  # folder of a trained score network; empty trains one, or restores the workdir's own
        "parametrization": "denoiser",  # or "raw_score"
        "train_fraction": 1.0,  # share of the space's architectures that it learns from; the rest is novel
        "network": {
            "width": 32,
            "num_blocks": 2,
            "num_heads": 4,
            "mlp_width": 64,
            "attention": "relatives",  # or "successors", "all"
            "relation_bias": True,
            "position": "dag",  # or "sinusoid"
            "head": "linear",  # or "concat"
            "dropout": 0.0,
        },
        "training": {
            "num_steps": 600,
            "batch_size": 256,
            "learning_rate": 1e-3,
            "warmup_steps": 50,
            "decay": "cosine",  # or "constant"
            "clip_norm": 1.0,
            "weight_decay": 0.0,
            "ema_decay": 0.995,
            "chunk_steps": 50,
            "checkpoint_every": 200,
        },
    })

    config.labels = ConfigDict({
        "training": 200,  # random architectures that the predictor learns from
        "final": 10,  # of the generated ones, the best by the predictor
    })

    config.predictor = ConfigDict({
        "name": "directional_gcn",  # or "pooled_transformer"
        "members": 2,  # of the ensemble
        "labels": "tail",  # normalisation: "rank", "normal", "tail" or "z"
        "view": "denoised",  # what it is shown in training: "clean", "noised" or "denoised"
        "soft_share": 0.5,  # share of denoised estimates in the denoised view
        "directional_gcn": {
            "width": 32,
            "num_layers": 4,
            "head_width": 64,
            "pooling": "nodes",  # or "mean"
            "residual": True,
            "noise_aware": False,
            "bias": True,
            "dropout": 0.0,
        },
        "pooled_transformer": {
            "width": 32,
            "num_layers": 2,
            "num_heads": 4,
            "mlp_width": 64,
            "head_width": 64,
            "attention": "all",
            "noise_aware": False,
            "dropout": 0.0,
        },
        "training": {
            "num_steps": 600,
            "batch_size": 64,
            "learning_rate": 1e-2,
            "warmup_steps": 60,
            "decay": "cosine",
            "clip_norm": 1.0,
            "weight_decay": 0.01,
            "ema_decay": 0.99,
            "chunk_steps": 100,
            "checkpoint_every": 600,
        },
    })

    config.guidance = ConfigDict({
        "transform": "class_tilt",  # or "denoised_gradient", "predictor_gradient", "identity"
        "value": "exceedance",  # or "mean"
        "top_share": 0.065,  # what "exceedance" aims at: this share of the space, by the predictor
        "softness": 0.05,  # least width of that step, in standard deviations of the predictions
        "scale": 1.0,  # with "exceedance", 1 samples the posterior
        "through_denoiser": True,  # for "predictor_gradient"; False takes the gradient at the noised x
        "max_norm": 0.0,  # bound on the score in units of the noise; 0 for none
        "sweep": (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0),  # scales of the quality-diversity curve
    })

    config.num_samples = 1000
    config.sampler = ConfigDict({
        "kernels": ("ancestral",),  # in order, correctors first
        "num_steps": 20,
        "final": "denoise",  # or "mean"
        "langevin": {"snr": 0.16, "num_steps": 1, "norm": "sample"},  # or norm "batch"
    })
    return config
