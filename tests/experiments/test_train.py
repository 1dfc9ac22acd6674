"""Training from the command line: the stages, the ledger, the weights, and what a second start does."""

import dataclasses
import json
import runpy
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from configs import train_vit
from configs.train import get_config
from experiments import runs
from experiments.finished import FinishedRun
from nag_jax.datasets.examples import make, split
from nag_jax.settings import Train
from nag_jax.settings.config import from_config
from nag_jax.spaces import NASBench201
from nag_jax.system.errors import InputError
from nag_jax.system.weights_file import nested, read_weights
from nag_jax.tasks import train
from nag_jax.tasks.halving import stages
from nag_jax.tasks.workdir import Workdir
from nag_jax.training import run as training

CHANGES = {
    "network.stages": 1,
    "dataset.name": "arrays",
    "training.batch_size": 16,
    "sampler.num_steps": 2,
    "halving.candidates": 3,
    "training.epochs": 3,
}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "stripes.npz"
    rng, labels = np.random.default_rng(0), np.arange(80) % 2
    stripes = np.tile([1.0, -1.0], (4, 2))
    np.savez(path, inputs=np.where(labels[:, None, None], stripes, stripes.T) + rng.random((80, 4, 4)), labels=labels)
    config = get_config("smoke")
    config.update_from_flattened_dict(CHANGES | {"dataset.path": str(path)})
    return config


@pytest.fixture(scope="module")
def transformers(config):
    changed = train_vit.get_config("smoke")
    sizes = {"space.image_size": 4, "space.num_classes": 2, "dataset.path": config.dataset.path}
    changed.update_from_flattened_dict({name: CHANGES[name] for name in CHANGES if "network" not in name} | sizes)
    return changed


def settings_of(config) -> Train:
    settings = from_config(config)
    assert isinstance(settings, Train)
    return settings


@pytest.fixture(scope="module")
def done(config, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    return path, runs.run(config, path)


def test_it_trains_in_stages_and_tests_the_best_once(done):
    path, results = done
    assert results["stages"] == [
        {"purpose": "stage 1", "count": 3, "epochs": 1},
        {"purpose": "stage 2", "count": 1, "epochs": 3},
    ]
    assert results["labels"]["by_purpose"] == {"stage 1": 3, "stage 2": 1, "seeds": 1}
    found = results["trained"]
    assert [each["epochs"] for each in found["seeds"]] == [3, 3]
    assert found["kept"] == max(found["seeds"], key=lambda each: each["validation_accuracy"])
    assert found["kept"]["low"] < found["kept"]["test_accuracy"] <= found["kept"]["high"]
    assert "Successive halving" in (path / "report.html").read_text()


def test_trials_have_curves_costs_and_seeds(done):
    path, results = done
    trials = FinishedRun(path).trials()
    assert [trial.fidelity for trial in trials] == ["epochs=1"] * 3 + ["full"] * 2
    assert [trial.seed for trial in trials] == [0, 0, 0, 0, 1]
    assert [point["epoch"] for point in trials[3].curve] == [1, 2, 3]
    assert set(trials[3].curve[0]) == {"epoch", "training_loss", "validation_accuracy", "seconds"}
    assert trials[3].cost == pytest.approx(trials[3].curve[2]["seconds"] - trials[3].curve[0]["seconds"], abs=1e-4)
    assert results["training_seconds"] == pytest.approx(sum(trial.cost or 0.0 for trial in trials))


def test_the_weights_are_those_that_were_tested(done, config):
    path, results = done
    settings = settings_of(config)
    parts = split(make("arrays", path=settings.dataset.path))
    space = NASBench201()
    network = space.any_network(num_classes=2, channels=2, cells=1, stages=1)
    tokens = space.from_native([results["trained"]["architecture"]])[0]
    variables = nested(read_weights(path / results["trained"]["weights"]))
    logits = network.blueprint(tokens).network.apply(variables, parts.test.inputs)
    accuracy = 100 * (np.argmax(logits, axis=1) == parts.test.labels).mean()
    assert accuracy == pytest.approx(results["trained"]["kept"]["test_accuracy"])


def test_the_network_goes_home_with_its_weights(done, config):
    path, results = done
    home, architecture = path / "export", results["trained"]["architecture"]
    written = {file.name for file in home.iterdir()}
    assert written >= {"README.md", "weights.safetensors", "weights_orbax", "network_flax.py"}
    module = runpy.run_path(str(home / "network_flax.py"))
    variables = module["read_variables"](home / "weights.safetensors")
    inputs = split(make("arrays", path=settings_of(config).dataset.path)).test.inputs
    logits = np.asarray(module["Network"]().apply(variables, inputs))
    run = FinishedRun(path)
    tokens = run.space().from_native([architecture])[0]
    blueprint = run.blueprint(tokens)
    assert blueprint is not None
    expected = blueprint.network.apply(run.weights(architecture), inputs)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)
    stored = ocp.StandardCheckpointer().restore((home / "weights_orbax").absolute())
    jax.tree.map(np.testing.assert_array_equal, stored, variables)
    card = (home / "README.md").read_text()
    assert architecture in card
    assert f"{results['trained']['kept']['test_accuracy']:.2f} %" in card


def test_the_onnx_file_has_the_weights_too(done, config):
    onnx, reference = pytest.importorskip("onnx"), pytest.importorskip("onnx.reference")
    path, _ = done
    inputs = split(make("arrays", path=settings_of(config).dataset.path)).test.inputs
    evaluator = reference.ReferenceEvaluator(onnx.load(path / "export" / "network.onnx"))
    (found,) = evaluator.run(None, {"images": inputs.transpose(0, 3, 1, 2)})
    module = runpy.run_path(str(path / "export" / "network_flax.py"))
    variables = module["read_variables"](path / "export" / "weights.safetensors")
    np.testing.assert_allclose(found, module["Network"]().apply(variables, inputs), rtol=1e-4, atol=1e-5)


def test_a_second_start_trains_nothing_and_says_the_same(done, config, monkeypatch):
    path, results = done
    epochs = []
    monkeypatch.setattr(training, "_with", lambda *arguments: epochs.append(arguments))
    again = runs.run(config, path)
    assert epochs == []
    assert json.dumps(again["trained"]) == json.dumps(results["trained"])
    assert again["labels"] == results["labels"]


def test_the_plan_counts_what_is_left(done, config, tmp_path):
    path, _ = done
    fresh = train.plan(train.check(settings_of(config), Workdir(tmp_path / "new")))
    assert fresh.labels == {"stage 1": (3, 0), "stage 2": (1, 0), "seeds": (1, 0)}
    assert train.plan(train.check(settings_of(config), Workdir(path))).to_pay == 0
    assert not (tmp_path / "new").exists()


def test_candidates_that_fail_are_left_out_and_all_of_them_are_an_error(config, tmp_path, monkeypatch):
    settings = dataclasses.replace(settings_of(config))
    ready = train.check(settings, Workdir(tmp_path / "broken"))
    monkeypatch.setattr(training, "_failure", lambda *_: "it broke")
    with pytest.raises(InputError, match="all 3 trainings of stage 1 failed: it broke"):
        train.run(ready)


def test_stages_end_with_a_full_training(config):
    evaluator: Any = SimpleNamespace(
        epochs=lambda _: 3, fidelity=lambda epochs: {3: "full"}.get(epochs, f"epochs={epochs}")
    )
    given = dataclasses.replace(settings_of(config).halving, candidates=9, first_epochs=1, factor=2)
    assert [(rung.epochs, rung.count) for rung in stages(given, evaluator)] == [(1, 9), (2, 4), (3, 2)]
    assert [rung.fidelity for rung in stages(given, evaluator)] == ["epochs=1", "epochs=2", "full"]
    one = dataclasses.replace(given, candidates=1)
    assert [(rung.epochs, rung.count) for rung in stages(one, evaluator)] == [(3, 1)]
    asynchronous = dataclasses.replace(given, candidates=1, strategy="random_search")
    assert [(rung.epochs, rung.count) for rung in stages(asynchronous, evaluator)] == [(1, None), (2, None), (3, None)]


def test_a_strategy_begins_what_the_budget_allows(config, tmp_path, monkeypatch):
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict(
        {"halving.strategy": "regularized_evolution", "halving.candidates": 20, "halving.initial": 2}
        | {"halving.epochs": 10, "halving.seeds": 1}
    )
    ready = train.check(settings_of(changed), Workdir(tmp_path / "run"))
    assert train.plan(ready).work[-1].count <= 10
    assert train.plan(ready).labels == {"stage 1": (5, 0), "stage 2": (2, 0), "stage 3": (1, 0), "seeds": (0, 0)}
    assert train.plan(ready).samples == {"candidates": 8}
    found = train.run(ready)
    trials = ready.workdir.trials(ready.evaluator)
    assert len({trial.key for trial in trials}) > 2
    assert len(trials) <= 10  # of which each adds one epoch
    assert found.weights[0].run.epochs == 3
    epochs = []
    monkeypatch.setattr(training, "_with", lambda *arguments: epochs.append(arguments))
    generated = train.candidates(ready, ready.score_params)
    assert train.best_of(ready, ready.score_params, generated) == found.tokens.tolist()
    assert epochs == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dataset.path": "nowhere.npz"}, "there is no file of examples nowhere.npz"),
        ({"halving.first_epochs": 9}, "config.halving.first_epochs, 9, is more than the 3 of a full training"),
        ({"training.batch_size": 1000}, "batches of 1000 must be no more than the 52 training examples"),
        ({"evaluator.metric": "accuracy"}, "accuracy"),
        ({"space.name": "nasbench_graph"}, "nasbench_graph has no network to train: use one of nasbench201"),
    ],
)
def test_what_is_wrong_is_told_before_anything_starts(config, changes, says, tmp_path):
    config = config.copy_and_resolve_references()
    config.update_from_flattened_dict(changes)
    with pytest.raises(InputError, match=says):
        train.check(settings_of(config), Workdir(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_weights_of_a_transformer_are_those_that_were_tested(transformers, tmp_path):
    found = runs.run(transformers, tmp_path / "run")["trained"]
    run = FinishedRun(tmp_path / "run")
    blueprint = run.blueprint(run.space().from_native([found["architecture"]])[0])
    assert blueprint is not None
    parts = split(make("arrays", path=transformers.dataset.path))
    logits = blueprint.network.apply(run.weights(found["architecture"]), parts.test.inputs)
    accuracy = 100 * (np.argmax(logits, axis=1) == parts.test.labels).mean()
    assert accuracy == pytest.approx(found["kept"]["test_accuracy"])


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("image_size", 8, "examples are 4 x 4 pixels, and the space vit is made for 8 x 8"),
        ("num_classes", 3, "the examples have 2 classes, and the space vit is made for 3"),
    ],
)
def test_transformers_that_do_not_fit_the_examples_are_refused(transformers, tmp_path, field, value, words):
    changed = transformers.copy_and_resolve_references()
    changed.space[field] = value
    with pytest.raises(InputError, match=f"^{words}"):
        train.check(settings_of(changed), Workdir(tmp_path))
