"""What the house takes from outside, by `FILE.py:NAME` where a config names it: one file each, and no line of its own.

Own guides stand in `tests/experiments/test_extending.py`, own utilities of objectives in `test_objectives.py`.
"""

import pytest

from configs import nb201
from experiments import runs

TASK = """
from typing import NamedTuple

import numpy as np

from nag_jax.tasks.check import check_setting
from nag_jax.tasks.contract import Task


class Drawn(NamedTuple):
    natives: list

    def report(self):
        return {"drawn": self.natives}


def check(settings, workdir):
    return check_setting(settings, workdir, {"seed": settings.seed})


def run(ready):
    tokens = ready.space.random(ready.key("draws"), ready.config.num_samples)
    return Drawn(ready.space.to_native(np.asarray(tokens)))


def draw():
    return Task(check, plan=lambda ready: "draws", run=run)
"""
GENERATOR = """
import jax
import jax.numpy as jnp

from nag_jax.generators.contract import Beliefs, Generator, Sampler, Samples


def memoryless(space, temperature=1.0):
    # Believes nothing but what is allowed, and draws all nodes at once from what guides make of that.
    logits = jnp.where(jnp.asarray(space.allowed), 0.0, -jnp.inf)

    def believe(params, keys, tokens, progress=None):
        decided = jnp.zeros(len(keys)) if progress is None else progress
        return Beliefs(jnp.broadcast_to(logits, (len(keys), *logits.shape)), decided)

    def sampler(params, *, num_steps, guide=None, args=None, start=None):
        def finish(keys):
            beliefs = believe(params, keys, jnp.zeros((len(keys), len(logits))), jnp.ones(len(keys)))
            if guide is not None:
                beliefs, _ = guide.update(beliefs, guide.init(beliefs), keys=keys, args=args)
            tokens = jax.vmap(jax.random.categorical)(keys, beliefs.logits / temperature).astype(jnp.int32)
            good = jnp.ones(len(keys), bool)
            return Samples(tokens, good, good)

        return Sampler(init=lambda keys: keys, advance=lambda keys, n: keys, finish=finish)

    return Generator(
        init=lambda key: {"weight": jnp.ones(1)},
        loss=lambda params, key, tokens: (params["weight"] ** 2).sum(),
        believe=believe,
        sampler=sampler,
        description={"family": "memoryless"},
    )
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_task.py").write_text(TASK)
    (tmp_path / "my_generator.py").write_text(GENERATOR)
    return tmp_path


def test_a_task(here):
    config = nb201.get_config("smoke")
    config.mode, config.num_samples = "my_task.py:draw", 10
    drawn = runs.run(config, here / "run")["drawn"]
    assert len(drawn) == 10
    assert all(native.count("~") == 6 for native in drawn)


def test_a_family_of_generators_with_an_option(here):
    config = nb201.get_config("smoke")
    config.predictor.training.update({"num_steps": 60, "warmup_steps": 5})
    config.guidance.sweep = (1.0,)
    with config.unlocked():
        config.generator.name, config.generator.temperature = "my_generator.py:memoryless", 0.5
    found = runs.run(config, here / "run")
    pools = found["pools"]
    assert pools["guided"]["validity_argmax"] == 1.0
    assert pools["guided"]["value_mean"] > pools["unconditional"]["value_mean"]
    assert found["labels"]["by_purpose"] == {"training": config.labels.training, "final": config.labels.final}
