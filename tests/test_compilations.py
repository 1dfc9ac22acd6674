# pyright: reportArgumentType=false
"""What the library's calls keep: the second call of the same shapes compiles nothing, and memory doesn't grow."""

import gc
from pathlib import Path

import jax
import numpy as np
import pytest

from nag_jax import api
from nag_jax.spaces import DagSpace
from nag_jax.system.once import MOST, jitted, once

CALLS = 50
OPS = ("conv", "pool", "skip")
NODES = {"in": ["input"], **dict.fromkeys("abcd", OPS), "out": ["output"]}
EDGES = [("in", "a"), ("in", "b"), ("a", "c"), ("b", "d"), ("c", "out"), ("d", "out")]
TINY = {"width": 4, "num_blocks": 1, "num_heads": 1, "mlp_width": 4}
STEP = {"num_steps": 1, "batch_size": 8}
SAMPLES = {"num_samples": 16, "num_steps": 2}
LABELLED = {**SAMPLES, "labels": 12, "final": 2, "training": STEP}
SEARCHES = ("random_search", "regularized_evolution", "local_search", "bo", "bananas", "bo_nag")
compilations = []


@pytest.fixture(scope="module", autouse=True)
def counted():
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compilations.append(event) if event.endswith("backend_compile_duration") else None
    )


@pytest.fixture(scope="module")
def small():
    return DagSpace("small", classes=("input", "output", *OPS), nodes=NODES, edges=EDGES)


@pytest.fixture(scope="module")
def pools(small):
    return api.evaluator(lambda arch: arch.count("pool") + 0.1 * arch.count("conv"), small)


@pytest.fixture(scope="module")
def model(small):
    return api.fit(small, network=TINY, progress=False, **STEP)


def fit(small, pools, model, seed):
    api.fit(small, network=TINY, seed=seed, progress=False, **STEP)


def generate(small, pools, model, seed):
    api.generate(model, seed=seed, progress=False, **SAMPLES)


def generate_for_an_objective(small, pools, model, seed):
    api.generate(model, pools, seed=seed, progress=False, **LABELLED)


def fit_and_generate(small, pools, model, seed):
    generate(small, pools, api.fit(small, network=TINY, seed=seed, progress=False, **STEP), seed)


def space_and_evaluator(small, pools, model, seed):
    cells = api.space("nasbench201")
    labels = api.evaluator("analog_nasbench", cells)
    api.search(cells, labels, strategy="random_search", budget=2, initial=1, seed=seed, progress=False)


def search(strategy):
    def call(small, pools, model, seed):
        options = {"capacity": 16, "pool_size": 16} if strategy == "bo_nag" else {}
        budget = {"budget": 12, "initial": 10, "num_steps": 2}
        api.search(small, pools, strategy=strategy, model=model, seed=seed, progress=False, **budget, **options)

    call.__name__ = strategy
    return call


def kept():
    """Compilations, memory maps and resident MB of this process, without garbage, which tests collect rarely."""
    gc.collect()
    maps = len(Path("/proc/self/maps").read_text().splitlines())
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
    return np.array([len(compilations), maps, resident])


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    "call",
    [
        fit,
        generate,
        fit_and_generate,
        search("random_search"),
        pytest.param(space_and_evaluator, marks=pytest.mark.slow),
        *(pytest.param(search(strategy), marks=pytest.mark.slow) for strategy in SEARCHES[1:]),
        pytest.param(generate_for_an_objective, marks=pytest.mark.slow),
    ],
    ids=lambda call: call.__name__,
)
def test_later_calls_compile_and_keep_nothing(call, small, pools, model):
    for _ in range(2):
        call(small, pools, model, 0)
    before = kept()
    call(small, pools, model, 0)
    assert kept()[0] == before[0], "the same call compiles nothing the second time"
    for seed in range(1, 12):
        call(small, pools, model, seed)
    before = kept()
    for seed in range(12, CALLS):
        call(small, pools, model, seed)
    grown = kept() - before
    assert grown[0] <= 2, "other seeds may bring another number of rows now and then"
    assert grown[1] <= 50
    assert grown[2] <= 40


def test_equal_arguments_get_the_same_thing():
    @once
    def make(*arguments, **options):
        return object()

    one, same, other = np.arange(3), np.arange(3), np.arange(3.0)
    assert make(one) is make(same) is not make(other)
    assert make({"a": [1, one]}, b=(2,)) is make({"a": [1, same]}, b=(2,))
    assert make(1) is not make(1.0)
    assert make([1]) is not make((1,))
    assert make("a".upper) is make("a".upper)
    array = jax.numpy.arange(3)
    assert make(array) is not make(array)
    first = make(-1)
    for number in range(MOST):
        make(number)
    assert make(-1) is not first
    assert jitted(one.sum) is not jitted(other.sum)
    assert make.__name__ == "make"
