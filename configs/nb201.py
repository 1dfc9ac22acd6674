"""Guided generation on NAS-Bench-201, CIFAR-10.

Run:      python -m experiments.main --config=configs/nb201.py
Smoke:    python -m experiments.main --config=configs/nb201.py:smoke     (the same path at tiny sizes)
Stream:   python -m experiments.main --config=configs/nb201.py --config.mode=stream --config.num_samples=10_000_000
Paper:    python -m experiments.main --config=configs/nb201.py:paper     (the published method and constants)

On two cores it takes about 40 s the first time, 11 s repeated, and pays for 210 labels. About 510 of 1,000 guided
cells differ, with a mean accuracy of 93.0 (random ones: 86.7), and the best is within 0.1 of the table's 94.066.
`:smoke` takes about 30 s the first time, `:paper` days on a CPU.

Any field can be overridden, as --config.seed=1 or --config.evaluator.metric=analog_drift_2592000. Your own benchmark:
--config.evaluator.name=table --config.evaluator.path=FILE --config.evaluator.metric=COLUMN, where FILE is a CSV or
Parquet file with a column `arch` of native strings.
"""

from typing import Any

from ml_collections import ConfigDict


def get_config(variant: str = "") -> ConfigDict:
    """The default config, or the one of a variant: `smoke` or `paper`."""
    config = _default()
    if variant == "smoke":
        _smoke(config)
    elif variant == "paper":
        _paper(config)
    elif variant:
        raise ValueError(f"unknown variant {variant!r} of configs/nb201.py: use none, 'smoke' or 'paper'")
    config.name = f"nb201-{variant}" if variant else "nb201"
    return config


def _default() -> Any:
    config: Any = ConfigDict()  # whose fields' types only their values know
    config.name = "nb201"  # of the workdir, under runs/
    config.mode = "generate"  # what to do; or "stream": as many guided samples as you like, into files
    config.seed = 0  # of all randomness

    config.space = ConfigDict({"name": "nasbench201"})  # of the architectures, or FILE.py:NAME: docs/extending.md
    config.evaluator = ConfigDict(
        {
            "name": "analog_nasbench",  # or "table", "command", "nas_bench_graph", or FILE.py:NAME of your own
            "path": "",  # of the table
            "dataset": "",  # of "nas_bench_graph"
            "metric": "baseline",  # the objective
            "direction": "",  # of a table's or a command's metric, "max" or "min"; empty is "max"
            "unit": "",  # of a table's or a command's metric, for reports
            "split": "",  # of a table's or a command's metric, "validation" or "test"; empty reads it off the name
            "allow_failed": False,  # whether empty labels are failed trials, not errors
            "average_twins": False,  # whether architectures that compute the same thing get the mean of their labels
            "command": "",  # of "command": an architecture in as JSON, its metrics out; see docs/extending.md
            "metrics": "",  # that it gives beside the objective, as "latency:min:ms, test_accuracy:max:%:test"
            "timeout": 0.0,  # seconds that it may take; 0 for no limit
            "retries": 0,  # after a failure
            "workers": 0,  # commands at the same time; 0 for one
        }
    )

    config.sde = ConfigDict(
        {
            "name": "ve",  # how noise is added, or "vp", "sub_vp"
            "ve": {
                "sigma_min": 0.1,  # noise at t = 0, where architectures are entries of -1 and 1
                "sigma_max": 5.0,  # noise at t = 1
            },
            "vp": {
                "beta_min": 0.1,  # rate of the noise at t = 0
                "beta_max": 20.0,  # rate of the noise at t = 1
            },
            "sub_vp": {
                "beta_min": 0.1,  # as of "vp"
                "beta_max": 20.0,  # as of "vp"
            },
        }
    )

    config.score = ConfigDict(
        {
            "checkpoint": "",  # folder of a trained score network; empty trains one, or restores the workdir's own
            "parametrization": "denoiser",  # what the network's output means: class probabilities, or "raw_score"
            "train_fraction": 1.0,  # share of the space's architectures that it learns from; the rest is novel
            "network": {
                "width": 32,  # features of a node
                "num_blocks": 2,  # transformer blocks
                "num_heads": 4,  # attention heads of a block; they divide the width
                "mlp_width": 64,  # hidden features of a block's perceptron
                "attention": "relatives",  # whom a node sees: ancestors and descendants, or "successors", "all"
                "relation_bias": True,  # whether attention learns a bias for each relation
                "position": "dag",  # what tells nodes apart: their place in the graph, or "sinusoid" of their number
                "head": "linear",  # from features to classes, or "concat", the published one of all blocks' outputs
                "dropout": 0.0,  # share of features that training leaves out
                "dtype": "float32",  # of activations and products, or "bfloat16", for accelerators
            },
            "training": {
                "num_steps": 600,  # updates in all
                "batch_size": 256,  # architectures an update
                "learning_rate": 1e-3,  # of Adam, after the warm-up
                "warmup_steps": 50,  # updates in which the rate grows linearly
                "decay": "cosine",  # of the rate, down to 0, or "constant"
                "clip_norm": 1.0,  # bound on the gradient's global norm
                "weight_decay": 0.0,  # of AdamW
                "ema_decay": 0.995,  # of the moving average of parameters, which is what is used
                "chunk_steps": 50,  # updates that are compiled into one program, between two reports of progress
                "checkpoint_every": 200,  # updates between two checkpoints; results don't depend on it
            },
        }
    )

    config.labels = ConfigDict(
        {
            "training": 200,  # random architectures that the predictor learns from
            "final": 10,  # of the generated ones, the best by the predictor
        }
    )

    config.predictor = ConfigDict(
        {
            "name": "directional_gcn",  # the network, or "pooled_transformer"
            "members": 2,  # of the ensemble
            "labels": "tail",  # normalisation: "rank", "normal", "tail" or "z"
            "view": "denoised",  # what it is shown in training: "clean", "noised" or "denoised"
            "soft_share": 0.5,  # share of denoised estimates in the denoised view
            "directional_gcn": {
                "width": 32,  # features of a node
                "num_layers": 4,  # graph convolutions
                "head_width": 64,  # hidden features between pooling and value
                "pooling": "nodes",  # all nodes in order, or "mean"
                "residual": True,  # whether a layer adds to its input
                "noise_aware": False,  # whether it is told the noise level, as published
                "bias": True,  # whether layers have one
                "dropout": 0.0,  # share of features that training leaves out
            },
            "pooled_transformer": {
                "width": 32,  # features of a node
                "num_layers": 2,  # transformer blocks
                "num_heads": 4,  # attention heads of a block; they divide the width
                "mlp_width": 64,  # hidden features of a block's perceptron
                "head_width": 64,  # hidden features between pooling and value
                "attention": "all",  # whom a node sees, or "relatives", "successors"
                "noise_aware": False,  # whether it is told the noise level
                "dropout": 0.0,  # share of features that training leaves out
            },
            "training": {
                "num_steps": 600,  # updates in all
                "batch_size": 64,  # labels an update
                "learning_rate": 1e-2,  # of Adam, after the warm-up
                "warmup_steps": 60,  # updates in which the rate grows linearly
                "decay": "cosine",  # of the rate, down to 0, or "constant"
                "clip_norm": 1.0,  # bound on the gradient's global norm
                "weight_decay": 0.01,  # of AdamW
                "ema_decay": 0.99,  # of the moving average of parameters, which is what is used
                "chunk_steps": 100,  # updates that are compiled into one program, between two reports of progress
                "checkpoint_every": 600,  # updates between two checkpoints; results don't depend on it
            },
        }
    )

    config.guidance = ConfigDict(
        {
            "transform": "class_tilt",  # of the score; or "denoised_gradient", "predictor_gradient", "identity", own
            "value": "exceedance",  # log-probability of more than a target, or "mean", the prediction itself
            "top_share": 0.055,  # what "exceedance" aims at: this share of the space, by the predictor
            "softness": 0.05,  # least width of that step, in standard deviations of the predictions
            "num_steps": 0,  # of a guided pool; 0 takes sampler.num_steps
            "scale": 1.0,  # strength of the guidance; with "exceedance", 1 samples the posterior
            "through_denoiser": True,  # for "predictor_gradient"; False takes the gradient at the noised x
            "max_norm": 0.0,  # bound on the score in units of the noise; 0 for none
            "sweep": (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0),  # scales of the quality-diversity curve
        }
    )

    config.num_samples = 1000  # architectures a pool, or of the stream
    config.sampler = ConfigDict(
        {
            "kernels": ("ancestral",),  # or "dpm_solver", "euler_maruyama", "reverse_diffusion", "langevin" before one
            "num_steps": 20,  # of the time grid
            "final": "denoise",  # one more evaluation at the end, or "mean" of the last step
            "langevin": {
                "snr": 0.16,  # size of a corrector's step
                "num_steps": 1,  # of the corrector a step of the grid
                "norm": "sample",  # norms that set its size: each sample's own, or "batch", which couples samples
            },
        }
    )
    config.stream = ConfigDict(
        {
            "chunk_size": 50_000,  # samples a file; the samples don't depend on it
            "batch_size": 1000,  # samples that a device generates at once
        }
    )
    return config


def _smoke(config: Any) -> None:
    """The same path at tiny sizes: it shows that everything works, and nothing about quality."""
    config.labels.update({"training": 40, "final": 4})
    config.num_samples = 64
    config.stream.update({"chunk_size": 40, "batch_size": 16})
    config.sampler.num_steps = 8
    config.score.network.update({"width": 16, "num_blocks": 1, "mlp_width": 32})
    config.score.training.update({"num_steps": 40, "batch_size": 64, "chunk_steps": 20, "checkpoint_every": 20})
    config.predictor.training.update({"num_steps": 100, "warmup_steps": 10, "checkpoint_every": 100})
    config.guidance.sweep = (0.0, 1.0)


def _paper(config: Any) -> None:
    """The published constants (An et al., ICLR 2024): days on a CPU, meant for accelerators."""
    config.score.parametrization = "raw_score"
    config.score.network.update(
        {
            "width": 64,
            "num_blocks": 12,
            "num_heads": 8,
            "mlp_width": 128,
            "attention": "successors",
            "relation_bias": False,
            "position": "sinusoid",
            "head": "concat",
            "dropout": 0.1,
        }
    )
    config.score.training.update(
        {
            "num_steps": 250_000,
            "learning_rate": 2e-5,
            "warmup_steps": 1000,
            "decay": "constant",
            "ema_decay": 0.9999,
            "chunk_steps": 500,
            "checkpoint_every": 10_000,
        }
    )
    config.sampler.update({"kernels": ("langevin", "euler_maruyama"), "num_steps": 1000, "final": "mean"})
    config.sampler.langevin.norm = "batch"
    config.predictor.update({"members": 1, "labels": "z", "view": "noised"})
    config.predictor.directional_gcn.update(
        {
            "width": 144,
            "head_width": 32,
            "pooling": "mean",
            "residual": False,
            "noise_aware": True,
            "bias": False,
            "dropout": 0.1,
        }
    )
    config.predictor.training.update(
        {
            "num_steps": 10_000,
            "batch_size": 256,
            "learning_rate": 1e-3,
            "warmup_steps": 1000,
            "decay": "constant",
            "weight_decay": 0.0,
            "ema_decay": 0.0,
            "checkpoint_every": 1000,
        }
    )
    # Published labels are z-scores over 100, hence a published scale of 10,000: 100 for each standard deviation.
    config.guidance.update(
        {
            "transform": "predictor_gradient",
            "value": "mean",
            "through_denoiser": False,
            "scale": 100.0,
            "sweep": (0.0, 100.0),
        }
    )
