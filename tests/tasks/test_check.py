"""Every task refuses the same list of mistakes, before anything is trained, paid for or written."""

import importlib
from typing import Any

import numpy as np
import pytest

from nag_jax import tasks
from nag_jax.datasets import class_names
from nag_jax.settings.config import flatten, from_config
from nag_jax.system.errors import InputError
from nag_jax.tasks import build
from nag_jax.tasks.workdir import Workdir

MODES = {
    "generate": ("nb201", "generate"),
    "generate by constraints alone": ("ofa_mbv3", "generate"),
    "stream": ("nb201", "stream"),
    "search": ("nb201_bo", "search"),
    "search of large spaces": ("ofa_mbv3_bo", "search"),
    "search of graphs": ("nb_graph_bo", "search"),
    "transfer": ("nb201_transfer", "generate"),
    "search after transfer": ("nb201_transfer", "search"),
}
MISTAKES = {
    "score.training.learning_rate": (-1.0, "more than 0, found -1"),
    "score.training.num_steps": (0, "at least 1, found 0"),
    "score.training.decay": ("linear", "training.decay 'linear'"),
    "score.training.ema_decay": (float("nan"), "finite, found nan"),
    "score.network.width": (30, "width 30"),
    "score.network.head": ("mlp", "unknown config.score.network.head 'mlp'"),
    "score.parametrization": ("eps", "unknown config.score.parametrization 'eps'"),
    "score.train_fraction": (1.5, "at most 1, found 1.5"),
    "score.checkpoint": ("nowhere", "no checkpoint"),
    "generator.name": ("gausian", "unknown config.generator.name 'gausian': use one of 'gaussian', 'exact', 'masked'"),
    "sampler.num_steps": (0, "at least 1, found 0"),
    "sampler.kernels": (("euler",), "unknown kernel 'euler'"),
    "sampler.final": ("none", "unknown config.sampler.final 'none'"),
    "sampler.langevin.snr": (0.0, "more than 0, found 0"),
    "sde.name": ("vee", "unknown SDE 'vee'"),
    "sde.ve.sigma_min": (70.0, "must be less than config.sde.ve.sigma_max"),
    "space.name": ("nb201", "unknown space 'nb201'"),
    "choices.fixed": ("nowhere=none", "has no node 'nowhere'"),
    "choices.excluded": ("everything", "choice 'everything' isn't understood"),
    "choices.near": ("none", "near: "),
    "choices.changes": (0.0, "more than 0, found 0"),
    "evaluator.name": ("tabel", "unknown evaluator 'tabel'"),
    "evaluator.metric": ("accurcy", "accurcy"),
    "objectives": (("speed",), "unknown metric of config.objectives 'speed'"),
    "utility.name": ("sum", "unknown utility 'sum'"),
    "utility.weights": ((1.0,), "utility 'identity' has no option ['weights']"),
    "constraints": ("macs <= many", "many"),
    "num_samples": (0, "at least 1, found 0"),
    "labels.final": (0, "at least 1, found 0"),
    "predictor.name": ("gcn", "unknown predictor 'gcn'"),
    "predictor.labels": ("minmax", "unknown config.predictor.labels 'minmax'"),
    "predictor.view": ("noisy", "unknown config.predictor.view 'noisy'"),
    "predictor.training.decay": ("linear", "training.decay 'linear'"),
    "guidance.transform": ("tilt", "unknown config.guidance.transform 'tilt'"),
    "guidance.value": ("max", "unknown config.guidance.value 'max'"),
    "guidance.top_share": (0.0, "more than 0 and at most 1, found 0"),
    "guidance.sweep": ((), "one finite number or more"),
    "search.budget": (0, "at least 1, found 0"),
    "search.batch_size": (0, "at least 1, found 0"),
    "search.initial": (10_000, "the initial design counts"),
    "seeds": (0, "at least 1, found 0"),
    "strategies.bo_nag.pool_size": (0, "at least 1, found 0"),
}


@pytest.fixture
def triples(tmp_path, monkeypatch):
    """Made-up triples of 12 data sets in MetaD2A's form, by the names of their fields."""
    monkeypatch.setattr(class_names, "embed", lambda names: np.eye(len(names), 26, dtype=np.float32))
    rng = np.random.default_rng(0)
    (tmp_path / "classes.txt").write_text("".join(f"n{i:03} {i + 1} {chr(97 + i)}\n" for i in range(20)))
    np.savez(
        tmp_path / "triples.npz",
        acc=rng.uniform(10, 90, 450),
        task=np.arange(450) % 12,
        ops=rng.integers(0, 5, (450, 6)).astype(np.int8),
        task_classes=np.stack([rng.choice(20, 5, replace=False) + 1 for _ in range(12)]).astype(np.int16),
        perm=rng.permutation(450),
    )
    files = {"path": "triples.npz", "classes": "classes.txt"}
    return {f"triples.metad2a.{field}": str(tmp_path / name) for field, name in files.items()}


@pytest.fixture(autouse=True)
def read_once(monkeypatch):
    """Makes each space and evaluator once: only what is refused counts here."""
    for name in ("make_space", "make_evaluator"):
        monkeypatch.setattr(build, name, _once(getattr(build, name), name))


_MADE = {}


def _once(make, name):
    def made(config, *rest):
        key = name, repr((config.space, config.choices)), name == "make_evaluator" and repr(config.evaluator)
        if key not in _MADE:
            _MADE[key] = make(config, *rest)
        return _MADE[key]

    return made


def load(name, triples) -> Any:
    """The smoke config that goes with a name of `MODES`."""
    file, mode = MODES[name]
    config: Any = importlib.import_module(f"configs.{file}").get_config("smoke")
    config.mode = mode
    if "triples" in config:
        config.update_from_flattened_dict(triples)
    return config


def refusal(config, path):
    """What is said of a config, in a workdir that stays as it was."""
    with pytest.raises(InputError) as refused:
        tasks.choose(config).check(from_config(config), Workdir(path))
    assert not path.exists()
    return str(refused.value)


@pytest.mark.parametrize("name", MODES)
def test_every_task_refuses_the_same_list(name, triples, tmp_path):
    """Of the list each task is held to what its config has; none may skip a field because another checks it."""
    fields = dict(flatten(load(name, triples).to_dict()))
    for field, (value, says) in MISTAKES.items():
        if field in fields:
            config = load(name, triples)
            config.update_from_flattened_dict({field: value})
            assert says in refusal(config, tmp_path / "run"), field


@pytest.mark.parametrize(
    ("name", "mode", "lacks"),
    [("search", "generate", "num_samples"), ("search", "stream", "num_samples"), ("generate", "search", "search")],
)
def test_a_config_of_another_mode_is_refused(name, mode, lacks, triples, tmp_path):
    config = load(name, triples)
    config.mode = mode
    assert refusal(config, tmp_path / "run").startswith(f"config.mode={mode} needs config.{lacks}, ")


def test_all_seeds_of_a_search_are_in_range(triples, tmp_path):
    config = load("search", triples)
    config.seed, config.seeds = 2**32 - 2, 3
    assert "the last seed, must be a whole number from 0 to 4294967295" in refusal(config, tmp_path / "run")
