"""The mode `search` as a whole: kill and resume, finished seeds, failed labels, and what is refused."""

import csv
import gc
import json
from typing import Any

import jax
import numpy as np
import pytest

from configs import nb201_bo
from experiments import runs
from nag_jax.settings.config import from_config
from nag_jax.spaces import NASBench201
from nag_jax.system.errors import InputError
from nag_jax.tasks import search
from nag_jax.trials import Ledger

SPACE = NASBench201()
STRATEGIES = ("bo_exhaustive", "regularized_evolution", "local_search", "random_search")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of 300 cells, a fifth of whose labels are missing."""
    path = tmp_path_factory.mktemp("table") / "table.csv"
    tokens = np.asarray(SPACE.random(jax.random.key(0), 400))
    tokens = tokens[np.sort(np.unique(SPACE.canonical(tokens), return_index=True)[1])][:300]
    with path.open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["arch", "valid_acc", "test_acc"])
        for i, (native, ops) in enumerate(zip(SPACE.to_native(tokens), SPACE.to_ops(tokens), strict=True)):
            value = 50 + 5 * (ops == 3).sum() + 2 * (ops == 2).sum() - (ops == 0).sum() + i / 1000
            writer.writerow([native, "" if i % 5 == 0 else value, value + 1])
    return path


def smoke(table) -> Any:
    config: Any = nb201_bo.get_config("smoke")
    config.evaluator.update({"name": "table", "path": str(table), "metric": "valid_acc", "allow_failed": True})
    config.search.report = "test_acc"
    config.run = STRATEGIES
    return config


@pytest.fixture
def config(table):
    return smoke(table)


def ledgers(path):
    """Strategy and seed to what was labelled, in order."""
    config: Any = nb201_bo.get_config("smoke")
    config.evaluator.update(json.loads((path / "config.json").read_text())["evaluator"])
    evaluator = search.build.make_evaluator(from_config(config), SPACE)
    found = {}
    for file in sorted(path.glob("*/*.db")):
        with Ledger.open(file, evaluator) as ledger:
            found[file.parent.name, file.stem] = [trial.architecture for trial in ledger.trials()]
    return found


@pytest.fixture(scope="module")
def undisturbed(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    runs.run(smoke(table), path)
    return path


def test_every_strategy_and_seed_spends_the_budget(undisturbed):
    found = ledgers(undisturbed)
    assert set(found) == {(name, str(seed)) for name in STRATEGIES for seed in (0, 1)}
    assert all(len(set(labelled)) == len(labelled) == 12 for labelled in found.values())


def test_strategies_share_the_initial_design_of_a_seed(undisturbed):
    found = ledgers(undisturbed)
    for seed in ("0", "1"):
        assert len({tuple(found[name, seed][:5]) for name in STRATEGIES}) == 1
    assert found["random_search", "0"][:5] != found["random_search", "1"][:5]


def test_results_say_what_was_reached(undisturbed):
    results = json.loads((undisturbed / "results.json").read_text())
    assert results["reported"]["metric"] == "test_acc"
    assert results["strategies"]["random_search"]["failed"] > 0
    for strategy in results["strategies"].values():
        after = strategy["reported_after"]
        assert after["5"]["estimate"] <= after["10"]["estimate"] <= results["reported"]["best_of_table"]
    assert results["devices"] == {
        "count": jax.device_count(),
        "kind": jax.devices()[0].device_kind,
        "platform": jax.default_backend(),
    }
    assert results["labels"]["paid"] == len(STRATEGIES) * 2 * 12
    assert results["labels"]["failed_because"] == {}  # a table gives no reasons
    rows = list(csv.DictReader((undisturbed / "trajectories.csv").open()))
    assert len(rows) == len(STRATEGIES) * 2 * 12
    assert (undisturbed / "figures" / "anytime.svg").exists()
    assert (undisturbed / "figures" / "regret.png").exists()


FLAKY = 'read line; case "$line" in *skip*) echo no skips >&2; exit 3;; *) echo \'{"acc": 1}\';; esac'


def test_results_say_why_labels_failed(config, tmp_path):
    config.evaluator.update({"name": "command", "path": "", "metric": "acc", "allow_failed": False, "command": FLAKY})
    config.search.report, config.run, config.seeds = "", ("random_search",), 1
    config.search.update({"budget": 6, "report_at": (6,)})
    labels = runs.run(config, tmp_path / "run")["labels"]
    assert labels["failed_because"] == {"exit status 3: no skips": labels["failed"]}
    assert 0 < labels["failed"] < labels["paid"] == 6


def test_the_first_strategy_is_tested_against_the_others(undisturbed):
    test = json.loads((undisturbed / "results.json").read_text())["significance"]["10"]
    assert test["strategy"] == STRATEGIES[0]
    assert set(test["difference"]) == set(test["p"]) == set(STRATEGIES[1:])
    assert test["difference"][test["best_baseline"]] == min(test["difference"].values())
    assert test["baselines_that_are_better"] == []  # two seeds can't show a difference


def test_a_seed_may_end_at_the_best_of_the_table(config, undisturbed, tmp_path):
    """The same labels up to there, and the same reports after."""
    config.search.budget, config.search.stop_at_best = 280, True
    config.run = ("local_search", "bo_exhaustive")
    results = runs.run(config, tmp_path / "run")
    found, whole = ledgers(tmp_path / "run"), ledgers(undisturbed)
    best = results["objective"]["best_of_table"]
    for name, strategy in results["strategies"].items():
        for seed, labels in enumerate(strategy["labels_to_optimum"]["by_seed"]):
            paid = found[name, str(seed)]
            assert len(paid) < 280
            assert len(paid) - labels < config.search.batch_size
            assert paid[:12] == whole[name, str(seed)][: len(paid)]
        assert strategy["reported_after"][10]["estimate"] <= best + 1
    assert {path.stem for path in (tmp_path / "run" / "figures").glob("*.svg")} == {
        "anytime",
        "regret",
        "best_cells",
        "labels_to_optimum",
    }


def test_a_second_metric_makes_a_hypervolume(config, tmp_path):
    config.search.second, config.run = "test_acc", ("local_search", "random_search")
    results = runs.run(config, tmp_path / "run")
    for strategy in results["strategies"].values():
        after = strategy["hypervolume_after"]
        assert 0 < after[5]["estimate"] <= after[10]["estimate"] <= 1
    assert (tmp_path / "run" / "figures" / "hypervolume.svg").exists()


@pytest.mark.parametrize("paid", [0, 3, 5, 6, 9])
def test_a_killed_search_goes_on_to_the_same_sequence(config, undisturbed, tmp_path, monkeypatch, paid):
    """The evaluator dies after so many labels, as a kill would, in the initial design and within batches."""

    class Killed(BaseException):
        pass

    build_evaluator = search.build.make_evaluator
    left = [paid]

    def mortal(config, space):
        evaluator = build_evaluator(config, space)
        look_up = type(evaluator).__call__

        class Mortal(type(evaluator)):
            batch_size: int = 1  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]

            def __call__(self, tokens):
                if left[0] == 0:
                    raise Killed
                left[0] -= 1
                return look_up(self, tokens)

        evaluator.__class__ = Mortal
        return evaluator

    with monkeypatch.context() as patch:
        patch.setattr(search.build, "make_evaluator", mortal)
        with pytest.raises(Killed):
            runs.run(config, tmp_path / "run")
    assert sum(map(len, ledgers(tmp_path / "run").values())) == paid
    runs.run(config, tmp_path / "run")
    assert ledgers(tmp_path / "run") == ledgers(undisturbed)


def test_more_seeds_and_strategies_add_to_what_is_there(config, tmp_path, monkeypatch):
    config.run = ("random_search",)
    runs.run(config, tmp_path / "run")
    before = ledgers(tmp_path / "run")
    gc.collect()  # the first run, which holds the workdir until it is gone
    config.seeds, config.run = 3, ("random_search", "local_search")
    searched = []
    search_seed = search.search_seed
    monkeypatch.setattr(
        search,
        "search_seed",
        lambda run, name, *rest, **told: (searched.append((name, rest[1])), search_seed(run, name, *rest, **told)),
    )
    runs.run(config, tmp_path / "run")
    assert searched == [("random_search", 2), *(("local_search", seed) for seed in range(3))]
    after = ledgers(tmp_path / "run")
    assert {key: after[key] for key in before} == before


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("search.report", "speed", "config.search.report"),
        ("search.second", "speed", "config.search.second"),
        ("search.budget", 1000, "architectures that differ"),
        ("search.initial", 20, "initial design counts"),
        ("search.batch_size", 0, "at least 1"),
        ("run", ("bo_nog",), "config.run names 'bo_nog'"),
        ("strategies.bo_exhaustive.maximizer", "all", "unknown maximizer"),
        ("strategies.bo_nag.acquisition", "eii", "unknown acquisition"),
    ],
)
def test_refuses_what_can_not_work_and_leaves_nothing(config, tmp_path, field, value, message):
    config.update_from_flattened_dict({field: value})
    if field == "strategies.bo_nag.acquisition":
        config.run = ("bo_nag",)
    with pytest.raises(InputError, match=message):
        runs.run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_config_is_refused(config, undisturbed):
    config.search.batch_size = 2
    with pytest.raises(InputError, match=r"search\.batch_size"):
        runs.run(config, undisturbed)
