"""Flags that can't be: one line that names the flag and what it may be, at once."""

import pytest

MISTAKES = {
    "a field that isn't there": (["--config.sead=1"], ("'sead'", "did you mean 'seed'?")),
    "a nested one": (["--config.score.network.widht=64"], ("'widht'", "did you mean 'width'?")),
    "one unlike all others": (["--config.qqqq=64"], ("no field 'qqqq'", "see --help")),
    "a word for a whole number": (["--config.num_samples=many"], ("--config.num_samples=many", "int()")),
    "a fraction for a whole number": (["--config.seed=1.5"], ("--config.seed=1.5", "int()")),
    "a word for a number": (["--config.guidance.scale=big"], ("--config.guidance.scale=big", "to float")),
    "a word for a switch": (
        ["--config.guidance.through_denoiser=perhaps"],
        ("--config.guidance.through_denoiser=perhaps", "boolean"),
    ),
    "a number for a block": (["--config.score.network=3"], ("--config.score.network=3", "not a dict")),
    "a flag that isn't there": (["--wrokdir=runs"], ("'wrokdir'", "workdir")),
    "something that's no flag": (["seed=1"], ("'seed=1'", "--config.seed=1")),
    "processes without a cluster": (
        ["--distributed"],
        ("can't be joined", "--coordinator=HOST:PORT --num_processes=N --process_id=I"),
    ),
    "a stream of coupled samples": (
        [
            "--config.mode=stream",
            "--config.sampler.kernels=('langevin','ancestral')",
            "--config.sampler.langevin.norm=batch",
        ],
        ("can't be streamed in chunks", "config.sampler.langevin.norm=sample"),
    ),
    "a mode": (["--config.mode=generat"], ("mode 'generat'", "use one of ['front', 'generate', ")),
    "a space": (["--config.space.name=nb201"], ("space 'nb201'", "'nasbench201'")),
    "an evaluator": (["--config.evaluator.name=tabel"], ("evaluator 'tabel'", "did you mean 'table'?")),
    "a metric": (["--config.evaluator.metric=basline"], ("metric", "'basline'", "did you mean 'baseline'?")),
    "no metric": (["--config.evaluator.metric="], ("metric", "''", "baseline, ptq, qat")),
    "a table without a path": (["--config.evaluator.name=table"], ("'table'", "'path'", "give it one")),
    "an SDE": (["--config.sde.name=vee"], ("SDE 'vee'", "use one of ['sub_vp', 've', 'vp']")),
    "a parametrisation": (["--config.score.parametrization=eps"], ("'eps'", "use one of 'denoiser', 'raw_score'")),
    "a part of the score network": (
        ["--config.score.network.head=mlp"],
        ("head 'mlp'", "use one of 'linear', 'concat'"),
    ),
    "a predictor": (["--config.predictor.name=gcn"], ("predictor 'gcn'", "use one of ['directional_gcn'")),
    "a decay": (
        ["--config.predictor.training.decay=linear"],
        ("training.decay 'linear'", "use one of 'cosine', 'constant'"),
    ),
    "a normalisation": (["--config.predictor.labels=minmax"], ("predictor.labels 'minmax'", "use one of 'rank'")),
    "a view": (["--config.predictor.view=noisy"], ("predictor.view 'noisy'", "use one of 'clean'")),
    "a guidance": (["--config.guidance.transform=tilt"], ("guidance.transform 'tilt'", "use one of ['class_tilt'")),
    "a value": (["--config.guidance.value=max"], ("guidance.value 'max'", "use one of 'mean'")),
    "a kernel": (["--config.sampler.kernels=('euler',)"], ("kernel 'euler'", "use one of ['ancestral'")),
    "no kernel": (["--config.sampler.kernels=()"], ("at least one kernel", "found none")),
    "a final step": (["--config.sampler.final=none"], ("sampler.final 'none'", "use one of 'denoise', 'mean'")),
    "a scale that's no number": (["--config.guidance.sweep=('a','b')"], ("guidance.sweep", "a tuple of numbers")),
    "a noised view of a clean predictor": (
        ["--config.guidance.transform=predictor_gradient", "--config.guidance.through_denoiser=False"],
        ("predictor.view=noised", "or config.guidance.through_denoiser=True"),
    ),
    "nothing generated": (["--config.num_samples=0"], ("num_samples must be at least 1", "found 0")),
    "a learning rate of nothing": (
        ["--config.score.training.learning_rate=nan"],
        ("score.training.learning_rate must be finite", "found nan"),
    ),
    "a share above 1": (["--config.score.train_fraction=1.5"], ("at most 1, found 1.5",)),
    "a noise that shrinks": (["--config.sde.ve.sigma_min=7"], ("sigma_min, 7.0, must be less than", "sigma_max, 5.0")),
    "more labels than are generated": (["--config.labels.final=65"], ("final, 65", "num_samples, 64", "lower it")),
    "more labels than cells": (["--config.labels.training=7000"], ("7,004 labels", "6,466", "ask for fewer")),
    "a width that can't be cut into heads": (["--config.score.network.width=30"], ("width 30", "num_heads 4")),
    "no checkpoint": (["--config.score.checkpoint=nowhere"], ("no checkpoint", "nowhere", "RUN/score")),
}


AT_THE_TERMINAL = ("a field that isn't there", "processes without a cluster", "no checkpoint")
"""Refused by the flags, by JAX, which must not have begun, and by a mode."""


@pytest.mark.parametrize("mistake", [name for name in MISTAKES if name not in AT_THE_TERMINAL])
def test_a_mistaken_flag_is_refused(mistake, refused):
    arguments, says = MISTAKES[mistake]
    refused(*arguments, says=says)


@pytest.mark.parametrize("mistake", AT_THE_TERMINAL)
def test_a_mistaken_flag_is_refused_at_the_terminal(mistake, refused_at_the_terminal):
    arguments, says = MISTAKES[mistake]
    refused_at_the_terminal(*arguments, says=says)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("--config=configs/nb102.py", ("no config file 'configs/nb102.py'", "use one of configs/*.py")),
        ("--config=configs/nb201.py:smok", ("variant 'smok'", "use none, 'smoke' or 'paper'")),
        ("--config=", ("no config file ''", "use one of configs/*.py")),
    ],
)
def test_a_mistaken_config_is_refused(config, says, refused):
    refused(config=config, says=says)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--workdir=runs/nothing"], "name a config, as --config=configs/nb201.py"),
        (
            ["--config", "configs/nb102.py"],
            "there is no config file 'configs/nb102.py': use one of configs/*.py, by its name, or one of yours",
        ),
        (["--config"], "Missing value for flag --config"),
    ],
)
def test_a_config_named_in_another_way_is_refused(arguments, says, in_process):
    job = in_process(*arguments)
    assert (job.status, job.stdout, job.stderr) == (2, "", f"error: {says}\n")


def test_coupled_samples_must_fill_the_devices(command_line, smoke_flag, tmp_path):
    job = command_line(
        smoke_flag,
        f"--workdir={tmp_path / 'run'}",
        "--config.sampler.kernels=('langevin','euler_maruyama')",
        "--config.sampler.langevin.norm=batch",
        "--config.num_samples=65",
        XLA_FLAGS="--xla_force_host_platform_device_count=4",
    )
    assert job.status == 2
    assert job.stderr.startswith("error: the sampler couples the samples")
    assert "num_samples, 65" in job.stderr
    assert "multiple of the 4 devices" in job.stderr
    assert not (tmp_path / "run").exists()


def test_the_default_workdir_is_not_left_behind(in_process, smoke_flag, tmp_path):
    job = in_process(smoke_flag, "--config.evaluator.metric=nothing", cwd=tmp_path)
    assert job.status == 2
    assert list(tmp_path.iterdir()) == []
