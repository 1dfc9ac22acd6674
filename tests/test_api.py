"""The five calls: the same results as the command line, every label counted, and what is refused."""

import functools
import inspect
import re
import threading
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from configs import nb201, nb201_bo
from experiments import runs
from nag_jax import api
from nag_jax.generators.gaussian import sde
from nag_jax.settings.search import default_options
from nag_jax.system.errors import InputError
from nag_jax.system.fields import to_dict
from nag_jax.trials import Ledger, read_trials

ROOT = Path(__file__).resolve().parents[1]
SMOKE = nb201.get_config("smoke")
SCORE = SMOKE.score.training.to_dict()
NETWORK = {name: SMOKE.score.network[name] for name in ("width", "num_blocks", "mlp_width")}
FEW_STEPS = {"num_steps": 30}
SMALL = {
    "num_samples": SMOKE.num_samples,
    "labels": SMOKE.labels.training,
    "final": SMOKE.labels.final,
    "num_steps": SMOKE.sampler.num_steps,
    "training": SMOKE.predictor.training.to_dict() | FEW_STEPS,
    "progress": False,
}


@pytest.fixture(scope="module")
def cells():
    return api.space("nasbench201")


@pytest.fixture(scope="module")
def accuracy(cells):
    return api.evaluator("analog_nasbench", cells)


@pytest.fixture(scope="module")
def heard():
    """The events of the fit and the pool."""
    return []


@pytest.fixture(scope="module")
def model(cells, heard):
    return api.fit(cells, network=NETWORK, progress=False, callback=heard.append, **SCORE)


@pytest.fixture(scope="module")
def pool(model, accuracy, heard):
    return api.generate(model, accuracy, callback=heard.append, **SMALL)


def defaults(function):
    return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}


def test_what_is_fixed_stays(model, accuracy):
    small: Any = SMALL | {"labels": 10, "final": 2}
    asked: Any = {"fixed": {"0-1": "nor_conv_3x3"}, "excluded": {"*": "none"}}
    pool = api.generate(model, num_samples=20, num_steps=3, progress=False, **asked)
    assert pool.times_generated.sum() > 0
    assert all(arch.startswith("|nor_conv_3x3~0|") and "none" not in arch for arch in pool.architectures)
    fixed: Any = dict.fromkeys(("0-1", "0-2", "1-2", "0-3", "1-3"), "none")
    with pytest.raises(InputError, match=r"labels and final asks for 12 labels, and .* has \d architectures"):
        api.generate(model, accuracy, fixed=fixed, **small)


def test_the_command_line_generates_the_same(pool, tmp_path):
    config = nb201.get_config("smoke")
    config.guidance.sweep = (1.0,)
    config.guidance.num_steps = SMOKE.sampler.num_steps
    config.predictor.training.update(FEW_STEPS)
    results = runs.run(config, tmp_path / "run")
    frame = pd.read_csv(tmp_path / "run" / "architectures.csv")
    frame = frame[frame["pool"] == "guided"]
    assert frame["arch"].tolist() == pool.architectures
    assert frame["times_generated"].tolist() == pool.times_generated.tolist()
    np.testing.assert_allclose(frame["predicted"], pool.predictions, rtol=1e-5)
    np.testing.assert_array_equal(frame["label_baseline"], pool.values)
    assert results["labels"]["by_purpose"] == pool.labels_paid


@pytest.mark.slow
def test_the_command_line_searches_the_same(cells, accuracy, model, tmp_path):
    config = nb201_bo.get_config("smoke")
    config.run, config.seeds = ("bo_nag", "regularized_evolution"), 1
    runs.run(config, tmp_path / "run")
    small = {name: config.search[name] for name in ("budget", "initial", "batch_size")}
    small["num_steps"] = config.sampler.num_steps
    for name, options in {"bo_nag": {"capacity": 16, "pool_size": 32}, "regularized_evolution": {}}.items():
        found = api.search(cells, accuracy, strategy=name, model=model, progress=False, **small, **options)
        with Ledger.open(tmp_path / "run" / name / "0.db", accuracy) as ledger:
            assert [trial.architecture for trial in ledger.trials()] == found.architectures


def test_defaults_are_those_of_the_configs():
    config = nb201.get_config()
    bo = nb201_bo.get_config()
    assert sde.make("ve") == sde.make("ve", **config.sde.ve.to_dict())
    assert config.score.network.dtype == "float32"
    assert (config.predictor.name, config.predictor.view) == ("directional_gcn", "denoised")
    assert config.to_dict() == to_dict(api.GENERATE) | {"name": "nb201"}
    assert bo.to_dict() == to_dict(api.SEARCH) | {"name": "nb201_bo"}
    own = defaults(api.generate)
    assert (own["labels"], own["final"]) == (config.labels.training, config.labels.final)
    assert own["num_samples"] == config.num_samples
    guided = api.choose_sampler(api.space("nasbench201"), own["num_steps"], own["sweeps"])
    assert (guided.num_steps, guided.refine) == (config.guidance.num_steps, api.GENERATE.sampler.refine)
    assert (own["top_share"], own["scale"]) == (config.guidance.top_share, config.guidance.scale)
    own = defaults(api.search)
    assert {name: own[name] for name in ("budget", "initial", "batch_size")}.items() <= bo.search.to_dict().items()
    for name, block in bo.strategies.to_dict().items():
        if block.pop("name") == name:
            assert block == default_options(name)


def test_a_pool_says_what_it_holds_and_what_it_cost(pool, cells, accuracy):
    assert pool.labels_paid == {"training": SMALL["labels"], "final": SMALL["final"]}
    assert len(pool) == len(set(pool.architectures)) == len(pool.values)
    assert (np.diff(pool.predictions) <= 0).all()
    paid = np.isfinite(pool.values)
    assert paid.sum() >= SMALL["final"]
    truth = accuracy(cells.all_tokens())["baseline"]
    keys = cells.canonical(cells.all_tokens())
    for key, value in zip(cells.canonical(cells.from_native(pool.architectures))[paid], pool.values[paid], strict=True):
        assert value in truth[keys == key]  # that of the twin that was paid for
    assert pool.best_value == np.nanmax(pool.values)
    assert pool.architectures[int(np.nanargmax(pool.values))] == pool.best


def test_a_ledger_is_not_paid_twice_and_changes_nothing(model, accuracy, pool, tmp_path):
    path = tmp_path / "trials.db"
    with Ledger.open(path, accuracy) as ledger:
        ledger.label(accuracy.space.from_native(pool.architectures), "all of them")
        before = ledger.num_paid
    again = api.generate(model, accuracy, ledger=path, **SMALL)
    assert again.architectures == pool.architectures
    assert "final" not in again.labels_paid
    assert again.labels_paid["all of them"] == before
    assert np.isfinite(again.values).all()


def test_a_folder_keeps_the_model(cells, model, tmp_path):
    small: dict[str, Any] = {"network": NETWORK, "progress": False, **SCORE}
    for changes in ({}, {"batch_size": 3}):  # the second trains nothing, so that the 8 devices share no batch
        kept = api.fit(cells, folder=tmp_path / "score", **dict(small, **changes))
        jax.tree.map(np.testing.assert_array_equal, kept.params, model.params)
    steps = []
    small["num_steps"] = 2 * SCORE["num_steps"]
    steps = api.fit(cells, folder=tmp_path / "score", **small)
    assert {path.name for path in (tmp_path / "score").iterdir()} >= {str(small["num_steps"])}
    assert dict(steps.generator.description) == dict(model.generator.description)
    with pytest.raises(InputError, match="another model"):
        api.fit(cells, folder=tmp_path / "score", **{**small, "network": {**NETWORK, "width": 32}})


def test_without_an_evaluator_nothing_is_paid_and_seeds_decide(model):
    one, same, other = (api.generate(model, num_samples=40, progress=False, seed=seed) for seed in (0, 0, 1))
    assert one.labels_paid == {}
    assert one.metric is None
    assert np.isnan(one.values).all()
    assert one.architectures == same.architectures != other.architectures


@pytest.mark.slow
def test_constraints_hold_without_a_label():
    networks = api.space("mobilenet_v3")
    costs = api.evaluator("mobilenet_v3", networks)
    model = api.fit(networks, num_steps=1, batch_size=8, network={"width": 8, "num_blocks": 1}, progress=False)
    few = {"num_samples": 64, "num_steps": 10, "progress": False}
    bound, free = (api.generate(model, costs, constraints=text, **few) for text in ("macs <= 250e6", ""))
    share = [(costs(networks.from_native(pool.architectures))["macs"] <= 250e6).mean() for pool in (bound, free)]
    assert share[0] > share[1]
    assert bound.labels_paid == {}


def test_a_search_that_is_cut_short_goes_on_from_its_ledger(cells, tmp_path):
    calls = []

    def value(arch, most=100):
        calls.append(arch)
        if len(calls) == 15:
            raise KeyboardInterrupt
        return np.nan if arch.count("none") > 2 else arch.count("nor_conv_3x3")

    mine = api.evaluator(value, cells, metric="convolutions")
    small = {"strategy": "regularized_evolution", "budget": 30, "ledger": tmp_path / "mine.db", "progress": False}
    with pytest.raises(KeyboardInterrupt):
        api.search(cells, mine, **small)
    found = api.search(cells, mine, **small)
    assert len(calls) == 31
    assert len(found) == 30
    assert found.labels_paid == {"regularized_evolution, seed 0": 30}
    np.testing.assert_array_equal(found.labels["convolutions"], found.values)
    undisturbed = api.search(cells, mine, **{**small, "ledger": None})
    assert undisturbed.architectures == found.architectures
    assert np.nanmax(found.values) == found.best_value == found.best_so_far()[-1]
    assert value(found.best) == found.best_value
    with pytest.raises(InputError, match="something else"):
        api.search(cells, mine, **{**small, "seed": 1})
    with pytest.raises(InputError, match="another table or other source"):
        api.search(cells, api.evaluator(lambda arch: 0.0, cells, metric="convolutions"), **small)


@pytest.mark.parametrize("seed", [0, 1])
def test_two_searches_of_one_ledger_at_the_same_time_come_one_after_the_other(cells, tmp_path, seed):
    """The second one finds the first one's labels if it is the same search, and is refused if it is another."""
    small = {"strategy": "random_search", "budget": 15, "ledger": tmp_path / "mine.db", "progress": False}
    asked, second = threading.Event(), {}

    def value(arch):
        asked.set()
        time.sleep(0.01)
        return arch.count("nor_conv_3x3")

    mine = api.evaluator(value, cells, fingerprint="v1")

    def search_too():
        asked.wait(60)
        try:
            second["found"] = api.search(cells, mine, seed=seed, **small)
        except InputError as error:
            second["refused"] = str(error)

    thread = threading.Thread(target=search_too)
    thread.start()
    first = api.search(cells, mine, **small)
    thread.join(60)
    assert first.labels_paid == {"random_search, seed 0": 15}
    if seed:
        assert "holds labels of something else, ['random_search, seed 0']" in second["refused"]
    else:
        assert second["found"].architectures == first.architectures
    assert [trial.purpose for trial in read_trials(tmp_path / "mine.db")] == ["random_search, seed 0"] * 15


def test_frames_and_files_are_the_same_table(cells, tmp_path):
    natives = cells.to_native(cells.all_tokens()[::37])
    frame = pd.DataFrame({"arch": natives, "valid_ms": np.arange(len(natives)) + 1.0, "test_ms": 2.0})
    frame.to_csv(tmp_path / "mine.csv", index=False)
    given = {"metric": "valid_ms", "direction": "min", "unit": "ms", "split": "validation"}
    sources = (frame, frame.set_index("arch"), tmp_path / "mine.csv", str(tmp_path / "mine.csv"))
    tables = [api.evaluator(source, cells, **given) for source in sources]
    assert len({table.fingerprint for table in tables}) == 1
    assert {(metric.direction, metric.unit, metric.split) for metric in (t.metrics["valid_ms"] for t in tables)} == {
        ("min", "ms", "validation")
    }
    found = api.search(cells, tables[0], strategy="random_search", budget=20, progress=False)
    assert found.best_value == found.values.min()
    assert (np.diff(found.best_so_far()) <= 0).all()
    assert set(found.labels) == {"valid_ms", "test_ms"}


def test_what_is_wrong_is_said_before_work(cells, accuracy, model, tmp_path):
    missing = tmp_path / "missing.csv"
    bare: Any = len
    for wrong, words in (
        (lambda: api.space("nasbench"), "unknown space"),
        (lambda: api.evaluator("analog", cells), "unknown evaluator 'analog': use one of"),
        (lambda: api.evaluator(missing, cells, metric="acc"), "found nothing"),
        (lambda: api.evaluator(str(missing), cells), "name it, as metric="),
        (
            lambda: api.evaluator(pd.DataFrame({"acc": [1.0]}), cells, metric="acc"),
            "the data frame has no column 'arch'",
        ),
        (lambda: api.fit(cells, steps=3), "training has no field"),
        (lambda: api.fit(cells, num_steps=0), "num_steps must be at least 1"),
        (lambda: api.generate(model, accuracy, labels=1), "labels must be at least 2"),
        (lambda: api.generate(model, accuracy, labels=7000), "6,466 architectures that differ"),
        (lambda: api.generate(model, accuracy, top_share=0.0), "top_share must be"),
        (lambda: api.generate(model, accuracy, constraints="macs <= 3"), "unknown cost 'macs'"),
        (lambda: api.search(cells, accuracy, strategy="bo_nga", model=model), "unknown strategy 'bo_nga'"),
        (lambda: api.search(cells, accuracy, strategy="bo", budget=5), "initial, 10, is more than budget, 5"),
        (lambda: api.search(cells, accuracy, budget=7000), "6,466 architectures that differ"),
        (lambda: api.search(cells, bare), "nag_jax.evaluator"),
    ):
        with pytest.raises(InputError, match=re.escape(words)):
            wrong()


def test_a_function_must_return_what_it_said(cells):
    wrong: Any
    for wrong in ("high", None, {"accuracy": 1.0}):
        mine = api.evaluator(lambda arch, wrong=wrong: wrong, cells, metric="accuracy", further=("test",))
        with pytest.raises(InputError, match="the function returned"):
            api.search(cells, mine, strategy="random_search", budget=10, progress=False)
    with pytest.raises(InputError, match="give it a fingerprint"):
        api.evaluator(functools.partial(float), cells)


def test_the_calls_stand_at_the_front_door(cells, accuracy):
    import nag_jax

    found = nag_jax.search(cells, accuracy, strategy="random_search", budget=10, progress=False)
    assert found.labels_paid == {"random_search, seed 0": 10}
    assert nag_jax.fit is api.fit
    assert set(nag_jax.__all__) <= set(dir(nag_jax))


@pytest.mark.slow
def test_the_block_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    section = (ROOT / "README.md").read_text().split("## As a library")[1]
    block = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    lines = [line for line in block.splitlines() if line.strip()]
    assert len(lines) <= 10
    assert {f"nag.{name}(" in block for name in ("space", "evaluator", "fit", "generate", "search")} == {True}
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})
    assert "94." in capsys.readouterr().out
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == {"mine.db"}  # as it says


@pytest.mark.parametrize("seed", [-1, 2**32, 2**63, 1.5])
def test_a_seed_out_of_range_is_refused_before_anything_is_written(seed, model, accuracy, cells, tmp_path):
    calls = (
        lambda: api.fit(cells, seed=seed, folder=tmp_path / "score"),
        lambda: api.generate(model, accuracy, seed=seed, ledger=tmp_path / "ledger.db"),
        lambda: api.search(cells, accuracy, seed=seed, budget=5, initial=5, ledger=tmp_path / "ledger.db"),
    )
    for call in calls:
        with pytest.raises(InputError, match="seed must be a whole number from 0 to 4294967295"):
            call()
    assert not list(tmp_path.iterdir())


def test_a_callback_is_told_of_a_fit_and_a_pool(pool, heard):
    ended = [event.name for event in heard if event.kind == "end"]
    assert ended[0] == "score network"
    assert {"labels for training", "predictor", "guided samples", "labels of the best"} < set(ended)
    paid = [event.facts["values"]["baseline"] for event in heard if event.kind == "trial"]
    assert len(paid) == sum(pool.labels_paid.values())
    assert pool.best_value in paid
    assert "loss" in next(event for event in heard if event.kind == "progress").facts


def test_a_callback_is_told_every_label_and_phase(cells):
    heard, size = [], api.evaluator(lambda arch: arch.count("nor_conv_3x3"), cells, metric="size")
    found = api.search(cells, size, strategy="random_search", budget=12, progress=False, callback=heard.append)
    trials = [event for event in heard if event.kind == "trial"]
    assert [event.facts["architecture"] for event in trials] == found.architectures
    assert [event.facts["values"]["size"] for event in trials] == found.values.tolist()
    assert [event.kind for event in (heard[0], heard[-1])] == ["phase", "end"]


def test_what_a_callback_raises_ends_the_search_which_goes_on_from_its_ledger(cells, tmp_path):
    calls = []

    def size(arch):
        calls.append(arch)
        return float(arch.count("nor_conv_3x3"))

    def stop(event):
        if event.kind == "trial" and len(calls) == 5:
            raise KeyError("enough")

    options = {"strategy": "random_search", "budget": 12, "progress": False, "ledger": tmp_path / "mine.db"}
    evaluator = api.evaluator(size, cells, metric="size", fingerprint="size")
    with pytest.raises(KeyError):
        api.search(cells, evaluator, callback=stop, **options)
    found = api.search(cells, evaluator, **options)
    assert calls == found.architectures
